// Package websocket has the API of github.com/gorilla/websocket v1.5.3, on top of github.com/closeonce/websocket. A program
// that was written for gorilla/websocket moves here by its import path:
//
//	import "github.com/closeonce/websocket/gorilla" // the package's name is websocket, as before
//
// Every exported identifier is here, with the same signature, value and text. The documentation of gorilla/websocket holds
// for this package, with the exceptions below. New programs, and new code in old ones, use [websocket.Conn]: [Conn.Modern] and
// [From] give one kind of connection from the other.
//
// # As in gorilla/websocket
//
// A connection must be read: Pings, Pongs and the peer's Close are seen by calls that read, and the handlers run in these
// calls, in order with the messages. A read deadline that has passed in a call is final, and so is any other error of reading.
// After the application has sent a Close frame, messages are read on until the peer's Close frame. The peer's Close
// is answered by the close handler. [Conn.Close] closes TCP without a handshake. Text is not checked for UTF-8. There is no
// read limit, no keepalive and no time-out unless the application sets one.
//
// # Better than in gorilla/websocket
//
//   - WriteMessage, WriteJSON, WritePreparedMessage and WriteControl may be called by several goroutines at once. Nothing panics
//     because of it; each message leaves whole. A writer of [Conn.NextWriter] is for one goroutine: as in gorilla/websocket, the next
//     WriteMessage, WriteJSON or NextWriter ends its message, and goroutines can't be told apart. So while one is open, no other goroutine
//     may call these. WritePreparedMessage leaves the writer open: the prepared message leaves before that of the writer, or, if a
//     fragment of it has left, not at all, with an error. gorilla/websocket sends one message inside the other then.
//   - A Read after an error returns the same error, however often, and never panics.
//   - With AutoControl, a field of [Upgrader] and [Dialer], Pings and the peer's Close are answered while nobody reads.
//   - A message is one frame if it is written by WriteMessage or WriteJSON. WriteBufferSize bounds only how much
//     a writer of NextWriter keeps before it sends a fragment. The other buffer sizes and WriteBufferPool have no effect: a connection that
//     waits holds no buffers.
//   - Messages of up to 4 KiB, written while more has come than was read, share system calls: one may leave up to 1 ms later. Up to
//     256 KiB also wait behind a Pong that the peer does not take. All others were taken by the kernel when a call that writes
//     returns. [Conn.Close] makes one attempt, which does not wait, to send what still waits: it is lost only if the peer does not read.
//   - The read limit counts bytes after decompression. A message over it, or a peer that breaks the protocol, ends the connection, and
//     not only the reading.
//   - A Close frame with a code or reason that RFC 6455 forbids on the wire leaves with the nearest that it allows, one with a
//     payload of one byte without a code. One of the peer's with such a payload breaks the protocol. The reason that the peer of a broken
//     connection is told says more. Code 1014 is valid.
//   - A text message of a connection of [From] that is not UTF-8 is refused, and the next one is sent.
//   - Upgrade works with middleware whose ResponseWriter has an Unwrap method, and also sends header fields that were set on the
//     ResponseWriter. Bytes that come right behind the request are read, and not refused. If a middleware's Hijack method fails,
//     the client gets the status 500, and the error is not a [HandshakeError].
//   - The context of DialContext ends the handshake at any time, and not only while TCP is dialled. An answer may come behind interim
//     responses such as 103, and need not repeat client_no_context_takeover.
//   - Messages shorter than 512 bytes are not compressed, but for those that a writer of NextWriter sends in several fragments.
//     SetCompressionLevel checks the level, and has no other effect.
//   - If WriteJSON can't encode a value, nothing is sent.
//   - The error of a time-out is also [os.ErrDeadlineExceeded], and that of a closed connection [net.ErrClosed].
//
// # Stricter than gorilla/websocket
//
// Some handshakes that RFC 6455 does not allow succeed with gorilla/websocket, and fail here:
//
//   - Upgrade refuses a request of HTTP/1.0, one with a body, and one with two Sec-WebSocket-Key fields, with the status 400. A
//     reverse proxy must speak HTTP/1.1 to the server; nginx does with the directive proxy_http_version 1.1.
//   - Upgrade refuses a request whose Sec-WebSocket-Version names other versions beside 13, with the status 400.
//   - The name of a subprotocol has no space, no comma, and only printable ASCII. Upgrade refuses a request that offers another one, with
//     the status 400. If its own header has another one, such as the client's whole list, the status is 500. Dial returns an error.
//   - Dial needs a host in the URL, even if NetDial does not use it, and refuses a Host or another header field with a control character.
//   - Dial returns the error "invalid compression negotiation" if the server answers with an extension that was not offered.
//
// # Other differences
//
//   - After the peer's Close frame no data can be sent, even if the close handler has not answered it: the methods return
//     [ErrCloseSent]. The handler may leave the answer to a later [Conn.WriteControl].
//   - After the end of the stream without a Close frame nothing can be sent, even if the peer has closed only its half of TCP: the
//     methods return "broken pipe". An error of the net.Conn in a call that reads is that of calls that write, too.
//   - ReadMessage returns nothing of a message that was cut off: the message type is -1 then. A reader of NextReader returns all that came.
//   - By default Pings are answered by the connection, as RFC 6455 allows it (sections 5.5.2 and 5.5.3): of more than 16 Pings that came together
//     the first 15 and the last get a Pong, and those whose Pongs still wait, up to a millisecond, when the peer's Close frame comes, none.
//     A ping handler that calls WriteControl answers each.
//   - A handler that calls runtime.Goexit, as FailNow of package testing does, ends the connection with 1011. A panic goes on
//     in the call that reads, and the next call reads on.
//   - If a deadline passes between two calls of a message's reader or writer, the next one fails, even if the deadline was moved before it. A
//     call that reads fails after the deadline even if what it would return has come.
package websocket
