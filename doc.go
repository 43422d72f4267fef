// Package websocket implements the WebSocket protocol (RFC 6455) and
// permessage-deflate (RFC 7692) for servers and clients. It uses the standard
// library only.
//
// A server calls [Accept] in an http.Handler, or wraps a function with [Handler]:
//
//	http.Handle("/ws", websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
//		for m, err := range c.Messages(ctx) {
//			if err != nil {
//				log.Print(err)
//				return
//			}
//			if err := c.Write(ctx, m.Type, m.Data); err != nil {
//				return
//			}
//		}
//	}))
//
// A client calls [Dial]. Both get a [Conn]. Its methods may be called from any
// goroutine at any time.
//
// # What a Conn does by itself
//
// A Conn answers Pings and the peer's Close, and it notices when the peer is gone. It
// does so even if the application neither reads nor writes. Messages that the
// application does not read wait in a read-ahead buffer of 64 KiB. The Conn looks for control
// frames only in its first half; each frame there takes another 16 bytes. When the buffer is
// full, the Conn stops reading, and TCP makes the peer wait. A Conn that waits for a message
// holds no buffers.
//
// If the peer closes TCP before the application has read everything, the rest can still be
// read. But whatever is sent then draws a reset, and what is unread may be lost. So the Conn
// sends no Pings and no Pongs, not even the application's, until all is read. If the application
// does not read for about ten times the option KeepAlive, the connection ends with
// [ErrPingTimeout]. The Conn can tell only over TCP, TLS and Unix sockets, on Linux with amd64 or
// arm64, and once the system has received everything up to the end of the stream: if the peer
// has sent more than fits into the socket's receive buffer, or on another system, the next Ping
// or Pong leaves and draws the reset. A message that the application writes always does.
//
// # Contexts
//
// When a context passed to a method is done, that call returns. The connection stays
// open. The next Read continues where the last one stopped. A frame that was partly
// sent is finished in the background. With the option CloseOnCancel, a context that
// ends a call also ends the connection. A nil context is an error, and the connection stays
// open; but the methods that close it and [Group.Shutdown] close all the same, and
// CloseRead and the function NetConn take it for [context.Background].
//
// [Conn.Context] is done when the connection has ended, and [context.Cause] of it is
// the reason.
//
// # Many connections
//
// A [Group] sends the same messages to all its members and never waits for one that is
// slow; what happens to that is a [SlowPolicy]. A [PreparedMessage] is framed and
// compressed once for all. [Group.Shutdown] closes all members with 1001, and
// [ServerGroup] makes the WebSockets of an [http.Server] such a group: the server's Shutdown
// begins to close them, and the group's waits for the closing handshakes.
//
// # Errors
//
// After a connection has ended, every call that fails returns the first reason for the
// end, even if the call's own context is done. (A Read whose context is done returns the
// context's error while there is something left to read. Close returns what became of the
// closing handshake.)
//
//   - The peer closed the connection: [errors.As] finds the [CloseError], and
//     [CloseStatus] returns its code. The error of a call that sends is also
//     [net.ErrClosed].
//   - The application closed it: [errors.Is] finds [net.ErrClosed].
//   - It was lost: the error wraps the cause. That is [io.ErrUnexpectedEOF] if the
//     stream ended without a Close frame. That ends the connection even if the peer has
//     closed only its half of TCP and still reads. Messages that wait to be sent get one more
//     attempt. If Close was called before, its Close frame may still take the close timeout.
//   - The peer broke the protocol: [errors.As] finds a [ProtocolError]. The peer was
//     sent the Close frame that the RFC asks for.
//   - A message was larger than the read limit: [errors.Is] finds [ErrMessageTooBig]. The
//     peer was sent 1009.
//   - The peer did not answer a keepalive Ping: it is [ErrPingTimeout].
//   - A callback panicked, or a Group's [SlowPolicy] closed the connection: the error says
//     so. The second is also [net.ErrClosed].
package websocket
