module github.com/closeonce/websocket

go 1.25
