module github.com/closeonce/websocket/internal/interop/gorilla

go 1.25.0

require (
	github.com/closeonce/websocket v0.0.0
	github.com/gorilla/websocket v1.5.3
)

replace github.com/closeonce/websocket => ../../..
