module github.com/closeonce/websocket/internal/interop/peers

go 1.25

replace github.com/closeonce/websocket => ../../..

require github.com/closeonce/websocket v0.0.0
