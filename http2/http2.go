// Package http2 lets clients open WebSockets over HTTP/2 (RFC 8441) in this program's servers. It is imported for that effect
// alone:
//
//	import _ "github.com/closeonce/websocket/http2"
//
// [github.com/closeonce/websocket.Accept] and Handler then serve WebSockets over HTTP/1.1 and HTTP/2 in the same way. The
// import must be in the program's main package, or in a package that it imports: the effect is on the program, not on a
// server.
//
// # Read this before you import it
//
// It concerns every HTTP/2 server of the process that is net/http's, also those that have no WebSockets and those in other
// packages. Each tells its clients SETTINGS_ENABLE_CONNECT_PROTOCOL. A browser with an HTTP/2 connection to such a server then
// opens wss URLs of the same origin as a CONNECT on that connection, and does not try HTTP/1.1 if that is refused. So all
// WebSockets below that origin must be accepted by this library, or another one that knows RFC 8441: coder/websocket,
// gorilla/websocket and golang.org/x/net/websocket do not. A reverse proxy of net/http/httputil does not forward the CONNECT. A
// route that matches a method must match CONNECT, or no method: the pattern "GET /ws" of http.ServeMux answers 405.
//
// WebSockets then share a connection and its flow control with each other and with ordinary requests. An application that
// does not read a WebSocket holds up to 1 MiB back, which is all that net/http allows a connection, so that the others
// stall. This server configuration avoids that:
//
//	server.HTTP2 = &http.HTTP2Config{
//		MaxReceiveBufferPerStream:     64 << 10,
//		MaxReceiveBufferPerConnection: 2 << 20,
//	}
//
// # How it works
//
// net/http has no option for this. It looks for http2xconnect=1 in the environment variable GODEBUG, once, when the program is
// initialised. This package sets the variable before that and restores it after that. To do without the package, start the
// program with GODEBUG=http2xconnect=1; http2xconnect=0 there switches the package off. A line //go:debug does not work.
package http2

import (
	_ "net/http" // it is initialised first, and has then looked at the variable
	"os"

	"github.com/closeonce/websocket/http2/internal/gate"
)

func init() {
	switch {
	case !gate.Opened:
	case gate.Was:
		os.Setenv("GODEBUG", gate.Before)
	default:
		os.Unsetenv("GODEBUG")
	}
}
