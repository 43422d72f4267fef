module github.com/closeonce/websocket/internal/interop/nettest

go 1.25.0

require (
	github.com/closeonce/websocket v0.0.0
	golang.org/x/net v0.47.0
)

replace github.com/closeonce/websocket => ../../..
