// Package websocket implements the WebSocket protocol (RFC 6455) and
// permessage-deflate (RFC 7692) for servers and clients, with the standard library
// alone.
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
// A client calls [Dial]. Both get a [Conn], whose methods may be called from any
// goroutine at any time.
//
// # What a Conn does by itself
//
// Pings are answered, the peer's Close too, and a peer that is gone is noticed,
// whether the application reads or writes or does neither. What comes while it
// does not read waits in a bounded read-ahead; when that is full, the peer is made
// to wait. A connection that waits holds no buffers.
//
// # Contexts
//
// When a context passed to a method is done, that call returns; the connection
// stays open. The next Read goes on where the last one stopped, and a message of
// which a part was written is finished in the background. With the option
// CloseOnCancel, a context that ends a call ends the connection, too. [Conn.Context]
// is done when the connection has ended; [context.Cause] of it says why.
//
// # Errors
//
// The first reason for which a connection ends is the error of every call from then
// on, and comes before the error of a context that is done. After the peer's Close,
// [CloseStatus] gives its code and [errors.As] finds the [CloseError]. After a
// close of one's own, [errors.Is] finds [net.ErrClosed]. A lost connection wraps
// its cause, [io.ErrUnexpectedEOF] for a stream that ended without a Close frame. A
// peer's mistake is a [ProtocolError], and has been answered with the Close frame
// that the RFC asks for. After the peer's Close, the error of a call that sends is
// both its CloseError and net.ErrClosed.
package websocket
