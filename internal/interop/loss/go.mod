module github.com/closeonce/websocket/internal/interop/loss

go 1.26.0

replace (
	github.com/closeonce/websocket => ../../..
	github.com/closeonce/websocket/http3 => ../../../http3
)

require (
	github.com/closeonce/websocket v0.0.0
	github.com/closeonce/websocket/http3 v0.0.0
	github.com/quic-go/quic-go v0.65.0
	golang.zx2c4.com/wireguard v0.0.0-20260522210424-ecfc5a8d5446
)

require (
	github.com/google/btree v1.1.2 // indirect
	github.com/quic-go/qpack v0.6.0 // indirect
	golang.org/x/crypto v0.54.0 // indirect
	golang.org/x/net v0.56.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	golang.org/x/text v0.40.0 // indirect
	golang.org/x/time v0.7.0 // indirect
	golang.zx2c4.com/wintun v0.0.0-20230126152724-0fa3db229ce2 // indirect
	gvisor.dev/gvisor v0.0.0-20250503011706-39ed1f5ac29c // indirect
)
