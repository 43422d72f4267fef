module github.com/closeonce/websocket/internal/interop/moving

go 1.25.0

require (
	github.com/closeonce/websocket v0.0.0
	github.com/coder/websocket v1.8.15
)

replace github.com/closeonce/websocket => ../../..
