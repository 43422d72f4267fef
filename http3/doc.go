// Package http3 carries WebSockets over HTTP/3 (RFC 9220), with github.com/quic-go/quic-go. Accept and a Dialer return the
// *websocket.Conn that [websocket.Accept] and [websocket.Dial] return, with the same options and the same promises.
//
// A server needs nothing but a [Handler], or a handler that calls [Accept], since an [http3.Server] of quic-go announces extended CONNECT by
// itself:
//
//	server := &http3.Server{Addr: ":443", TLSConfig: http3.ConfigureTLSConfig(tlsConfig), Handler: mux}
//
// A WebSocket is one stream of a QUIC connection. Its bytes are under the stream's flow control: a peer that does not read makes
// Write wait, and with windows that are large enough it holds up no other WebSocket of the connection. The end of the stream takes the place of TCP's: orderly, as FIN,
// or as a reset with H3_REQUEST_CANCELLED (RFC 9220, section 3). A lost packet delays the WebSockets whose bytes were in it. A
// QUIC connection that moves to another network, as QUIC lets clients do, takes its WebSockets with it.
//
// # Windows
//
// The streams of a QUIC connection share its window. quic-go's defaults are 512 KiB for a stream and 768 KiB for the connection, or more
// where data has flowed fast, so that two WebSockets that an application does not read can stall the others of the connection. They also
// bound what each of them costs in memory. This configuration, on the side that does not read, lets 200 of them wait:
//
//	&quic.Config{
//		InitialStreamReceiveWindow:     64 << 10,
//		MaxStreamReceiveWindow:         64 << 10,
//		InitialConnectionReceiveWindow: 16 << 20,
//		MaxConnectionReceiveWindow:     16 << 20,
//	}
//
// A stream carries a window per round trip at most, so 64 KiB is slow for large messages over a long path.
//
// quic-go v0.65.0 does not give a stream back if the peer cancels it while a Write of less than a packet waits: it counts in
// quic.Config.MaxIncomingStreams (100 by default) until the QUIC connection ends. So a client that often leaves WebSockets it has not
// read, and goes on with the connection, finds no stream some time; a larger number helps.
//
// # Idle connections
//
// QUIC ends a connection on which nothing has arrived for quic.Config.MaxIdleTimeout, 30 s by default, which is no more than the
// default period of a Conn's own Pings. A Dialer keeps its connections alive. A server with other clients sets
// quic.Config.KeepAlivePeriod.
//
// # Shutdown
//
// [websocket.ServerGroup] is for net/http's server. Add the connections to a [websocket.Group], and call its Shutdown before the
// Shutdown of the [http3.Server], which would wait for their streams. A Dialer's WebSockets go on when their server announces its
// shutdown (GOAWAY); the next Dial opens another connection, and repeats a request that the server has rejected unseen.
package http3

import "github.com/quic-go/quic-go/http3"

var _ http3.Server // for the links above
