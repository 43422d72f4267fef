package websocket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/closeonce/websocket/internal/connect"
	"github.com/closeonce/websocket/internal/handshake"
	"github.com/closeonce/websocket/internal/hijack"
	"github.com/closeonce/websocket/internal/shutdown"
	"github.com/closeonce/websocket/internal/transport"
)

// IsWebSocketUpgrade reports whether the request asks for a WebSocket (RFC 6455, section 4.2.1; over HTTP/2 and HTTP/3, RFC 8441), so that
// one URL can serve both pages and WebSockets. It looks at the fields Connection and Upgrade, or the method and :protocol;
// Accept checks the rest.
func IsWebSocketUpgrade(r *http.Request) bool {
	if r.ProtoMajor >= 2 { // where :protocol is depends on the server: net/http's has it in Header, quic-go's in Proto
		return r.Method == http.MethodConnect && (r.Proto == "websocket" || slices.Equal(r.Header[":protocol"], []string{"websocket"}))
	}
	return handshake.HasToken(r.Header["Connection"], "upgrade") && handshake.HasToken(r.Header["Upgrade"], "websocket")
}

// Subprotocols returns the subprotocols that the request offers, in the client's order (RFC 6455, section 11.3.4). Of a
// header field of more than 64 KiB, only the first 64 KiB count.
func Subprotocols(r *http.Request) []string {
	return handshake.Tokens(r.Header["Sec-Websocket-Protocol"])
}

// Accept answers a WebSocket handshake over HTTP/1.1 (RFC 6455, section 4.2) and takes the connection over from net/http,
// or over HTTP/2 (RFC 8441), see below.
//
// Header fields that the handler has set on w are sent with the answer, except those of the handshake itself and those
// of a body, such as Content-Type. If the client offers none of opts.Subprotocols, a Sec-WebSocket-Protocol that is set
// on w is sent, and [Conn.Subprotocol] returns it.
//
// If w is wrapped by middleware, Accept calls w.WriteHeader(101) first, so that access
// logs see the status and wrappers can add header fields, such as a session's cookie. A
// wrapper needs a Hijack or an Unwrap method, see [http.ResponseController]. Some
// compressing middleware writes the status again when the handler has returned, and net/http
// logs a WriteHeader on a hijacked connection. That is harmless. Leave such middleware out
// for WebSockets to avoid it.
//
// A wrapper's WriteHeader must not change the status 101 or the handshake's own fields. For
// example, it must not set "Connection: close" because the server is about to stop. Accept
// corrects a change that has not reached net/http yet. If it can't, it returns an error that
// names the field, and the client gets a response with status 500, or the wrapper's own
// status; over TLS the connection is closed. OnRefuse is not called then. The same happens if
// a wrapper has passed the status on and its Hijack then fails.
//
// The server's connection may be any net.Conn whose read deadlines work: net/http needs
// one to hand the connection over. A channel of SSH has none. Below TLS, the time-out's
// error must also be Temporary, which that of yamux is not. A wrapper around the listener's
// connections can correct both.
//
// If the request is not a valid handshake, or if its Origin is not allowed, Accept
// answers it with an HTTP status (see AcceptOptions.OnRefuse) and returns an error that
// says what was wrong. The handler then just returns. The answer to a request with an Upgrade field has
// "Connection: close", so that what the client has sent behind it is not taken for another request.
//
// Accept must be called before anything is written to w, and only once for a request.
// Otherwise it returns an error and writes nothing.
//
// The Conn must be closed. It may outlive the handler, but r.Context() is cancelled when the
// handler returns: use [Conn.Context] in goroutines that continue. While a handler runs,
// net/http keeps some 4 KiB for it, or 12 KiB if w is wrapped by middleware; [Handler] avoids that.
//
// # HTTP/2
//
// Clients open WebSockets over HTTP/2 if the program imports [github.com/closeonce/websocket/http2]; read its documentation
// before. The request's method is CONNECT then, the response's status 200, and a Conn is the same as over HTTP/1.1, with these
// differences. The Conn does not outlive the handler: net/http ends its stream when the handler returns, and calls return an
// error that says so. The handler must not return while the Conn is in use, so it should defer CloseNow; Handler waits by
// itself. A Write that is still running when it returns may fail or panic in net/http. CloseNow and the end of Close wait until nothing uses the
// request any more. If the peer takes no bytes of the WebSocket, its stream is reset. If it takes none of the whole HTTP/2
// connection, they wait until it does or net/http gives the connection up: set WriteByteTimeout of http.Server's HTTP2 (an
// http.HTTP2Config). net/http sends a stream's WINDOW_UPDATE frames behind what the stream has to send, so a peer that does not
// read can write 1 MiB more while a Write waits for it. If it reads only after it has written more than that, both wait, until
// KeepAlive ends the connection. [http.MaxBytesHandler] limits the whole of what is received.
// http.Server.Shutdown waits for the WebSockets, so they have to be told, by [ServerGroup] for example.
// Frames are written past middleware that has an Unwrap method; what transforms bodies must have one, or be left out.
//
// What a wrapper's WriteHeader makes of the answer is noticed if net/http's ResponseWriter, or that of golang.org/x/net/http2, is
// found behind it, and if the fields it keeps are those that this package knows. If the status 200 was replaced, the client gets
// the other one. If a field of the handshake is wrong, the stream is reset.
//
// A context that middleware has derived from the request's ends the Conn if it is cancelled without a cause, because that is how
// net/http says that the handler has returned. One that ends with a deadline or a cause does not. After that, only reading notices
// the handler's return.
func Accept(w http.ResponseWriter, r *http.Request, opts *AcceptOptions) (*Conn, error) {
	c, err := accept(w, r, opts)
	if err != nil {
		return nil, err
	}
	return join(r, c, nil)
}

// accept is Accept for a connection that is not yet in the server's group.
func accept(w http.ResponseWriter, r *http.Request, opts *AcceptOptions) (*Conn, error) {
	if opts == nil {
		opts = &AcceptOptions{}
	}
	if hijack.Answered(w) { // not even a refusal may be written
		return nil, serverFault{errAnswered}
	}
	if refused := opts.check(r); refused != nil {
		return nil, opts.refuse(w, r, refused)
	}
	agreed, err := opts.agree(w, r)
	if err != nil {
		return nil, opts.misused(w, r, err)
	}
	if r.ProtoMajor >= 2 {
		return opts.acceptStream(w, r, &agreed)
	}
	nc, rw, h, err := opts.takeOver(w, r, &agreed)
	if err != nil {
		return nil, err
	}
	early, err := buffered(rw.Reader)
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("websocket: the bytes behind the handshake were not read: %w", err)
	}
	c := opts.readyConn(nc, early, r, &agreed)
	if h != nil { // as late as possible: the client may expect that the application knows of the connection when it reads this
		if hijack.Own(w) {
			shed(rw)
		}
		if err := writeAnswer(nc, h, &agreed); err != nil {
			nc.Close()
			return nil, fmt.Errorf("websocket: the handshake's answer was not sent: %w", err)
		}
	}
	c.begin()
	return c, nil
}

// accept calls the steps of the handshake one after the other, rather than each from the one before. A goroutine keeps the
// stack that its deepest call needed, and a handler often waits in Read afterwards. With nested calls it would keep 8 KiB
// rather than 4 KiB (TestIdleMemory).

// An agreement is the result of the negotiation.
type agreement struct {
	handshake.Answer
	deflate *compression
}

var errAnswered = errors.New("websocket: Accept was called for a request that has been answered already, by another Accept or by a write to the ResponseWriter")

// agree negotiates the subprotocol and permessage-deflate.
func (opts *AcceptOptions) agree(w http.ResponseWriter, r *http.Request) (agreed agreement, err error) {
	agreed.Key = r.Header.Get("Sec-Websocket-Key")
	extension, params, err := answerDeflate(r.Header["Sec-Websocket-Extensions"], opts.CompressionMode, opts.CompressionTuning)
	if err != nil {
		return agreed, err
	}
	if extension != "" {
		agreed.Extension, agreed.deflate = extension, newCompression(params, false, opts.CompressionThreshold)
	}
	agreed.Subprotocol = handshake.ChooseSubprotocol(r.Header["Sec-Websocket-Protocol"], opts.Subprotocols)
	if agreed.Subprotocol == "" {
		if agreed.Subprotocol, err = handshake.PresetSubprotocol(w.Header()); err != nil {
			err = fmt.Errorf("websocket: %w", err)
			handshake.DeleteAnswer(w.Header()) // no client could read the error with them
		}
	}
	return agreed, err
}

// readyConn makes the connection, which does nothing by itself before begin.
func (opts *AcceptOptions) readyConn(nc net.Conn, early []byte, r *http.Request, agreed *agreement) *Conn {
	o := opts.conn()
	o.Context, o.Subprotocol, o.Early = r.Context(), agreed.Subprotocol, early
	cfg := o.config()
	cfg.deflate = agreed.deflate
	return readyConn(nc, cfg)
}

// takeOver takes the connection over. h are the fields to send with the answer, or nil if net/http has sent it; rw has the
// bytes that came right behind the request.
func (opts *AcceptOptions) takeOver(w http.ResponseWriter, r *http.Request, agreed *agreement) (nc net.Conn, rw *bufio.ReadWriter, h http.Header, err error) {
	switch {
	case hijack.Own(w): // no middleware: Accept writes the answer itself, past net/http
		h = w.Header()
		nc, rw, err = http.NewResponseController(w).Hijack()
	case hijack.Possible(w):
		nc, rw, h, err = hijack.SwitchProtocols(w, r, &agreed.Answer, answerTimeout)
	default:
		err = http.ErrNotSupported
	}
	switch {
	case err == nil:
		return nc, rw, h, nil
	case errors.Is(err, http.ErrHijacked):
		err = fmt.Errorf("%w: %w", errAnswered, err)
	case errors.Is(err, http.ErrNotSupported):
		return nil, nil, nil, opts.notHijacked(w, r, err)
	default:
		err = fmt.Errorf("websocket: the handshake failed: %w", err)
	}
	return nil, nil, nil, serverFault{err}
}

// acceptStream sends the answer over HTTP/2 and makes the connection.
func (opts *AcceptOptions) acceptStream(w http.ResponseWriter, r *http.Request, agreed *agreement) (*Conn, error) {
	nc, err := connect.Accept(w, r, &agreed.Answer)
	switch {
	case errors.Is(err, http.ErrNotSupported):
		return nil, opts.notHijacked(w, r, err)
	case errors.Is(err, connect.ErrChanged):
		return nil, serverFault{fmt.Errorf("websocket: %w", err)}
	case err != nil:
		return nil, fmt.Errorf("websocket: %w", err)
	}
	c := opts.readyConn(nc, nil, r, agreed)
	c.begin()
	return c, nil
}

// answerTimeout bounds how long a handshake's answer may take to leave.
const answerTimeout = 10 * time.Second

// writeAnswer writes the answer to a connection that was taken over.
func writeAnswer(nc net.Conn, h http.Header, agreed *agreement) error {
	b := transport.Get()
	b.B = append(handshake.AppendFields(agreed.Append(b.B), h), "\r\n"...)
	err := sendAnswer(nc, b)
	transport.Put(b)
	return err
}

// sendAnswer writes the answer. It fits into the socket's buffer, unless the peer has
// filled that with answers to earlier requests that it does not read.
func sendAnswer(nc net.Conn, b *transport.Buffer) error {
	if transport.WriteNow(nc, b) {
		return nil
	}
	nc.SetWriteDeadline(time.Now().Add(answerTimeout))
	if _, err := nc.Write(b.B[b.N:]); err != nil {
		return err
	}
	return nc.SetWriteDeadline(time.Time{})
}

// buffered takes the bytes that a reader has read ahead.
func buffered(r *bufio.Reader) ([]byte, error) {
	if r.Buffered() == 0 {
		return nil, nil
	}
	b := make([]byte, r.Buffered())
	_, err := io.ReadFull(r, b)
	return b, err
}

// shed frees the buffers, of 4 KiB each, that net/http keeps until the handler returns, though it does not use them after Hijack. Those of
// others may go back to a pool.
func shed(rw *bufio.ReadWriter) {
	const least = 16 // of package bufio
	*rw.Reader = *bufio.NewReaderSize(http.NoBody, least)
	*rw.Writer = *bufio.NewWriterSize(io.Discard, least)
}

// refuse answers a request that is refused, and returns why.
func (opts *AcceptOptions) refuse(w http.ResponseWriter, r *http.Request, refused *handshake.Refusal) error {
	err := refusal(w.Header(), r, refused)
	opts.answerRefused(w, r, refused.Status, err)
	return err
}

// misused answers a request that fails by a mistake of the application's.
func (opts *AcceptOptions) misused(w http.ResponseWriter, r *http.Request, err error) error {
	handshake.EndRefused(w.Header(), r.ProtoMajor, r.Header)
	opts.answerRefused(w, r, http.StatusInternalServerError, err)
	return serverFault{err}
}

// notHijacked answers a request whose connection net/http keeps.
func (opts *AcceptOptions) notHijacked(w http.ResponseWriter, r *http.Request, err error) error {
	return serverFault{fmt.Errorf("%w: %w", opts.refuse(w, r, &handshake.Refusal{
		Status: http.StatusNotImplemented,
		Reason: "the connection can't be taken over from net/http: the ResponseWriter is not net/http's, or a middleware hides it (it needs an Unwrap method)",
	}), err)}
}

func (opts *AcceptOptions) answerRefused(w http.ResponseWriter, r *http.Request, status int, err error) {
	if opts.OnRefuse != nil {
		opts.OnRefuse(w, r, status, err)
		return
	}
	http.Error(w, err.Error(), status)
}

// Handler returns a handler that accepts WebSockets and runs serve for each in
// a goroutine of its own. The HTTP handler returns at once, so that net/http frees
// what it keeps for a running handler: a waiting connection costs
// about half of what it costs inside a handler.
//
// ctx is c.Context(). With the option EndOnShutdown, it is also cancelled at the
// server's Shutdown. When serve returns, the connection is closed with 1000
// (StatusNormalClosure). If it panics, the connection is closed with 1011
// (StatusInternalError), and the panic is logged, if it is not [http.ErrAbortHandler].
//
// If the handshake fails, serve is not called; the client gets the response that [Accept]
// or OnRefuse writes. If the server is the cause, by an option that is not valid or a
// middleware that prevents the handshake, the error is logged. If the client's request or
// its Origin is the cause, nothing is logged, just as net/http does not log malformed
// requests; OnRefuse is called for each of them. Logs go to the ErrorLog of the
// http.Server, or to the standard logger.
//
// To middleware, this looks like a handler that calls [Accept] and returns at once.
//
// Over HTTP/2 the HTTP handler returns when the connection has ended, as net/http demands; serve runs in its goroutine.
//
// It panics if serve is nil, as net/http does for a handler that is nil.
func Handler(opts *AcceptOptions, serve func(ctx context.Context, c *Conn)) http.Handler {
	if serve == nil {
		panic("websocket: Handler was called without a function to serve with")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
		c, err := accept(w, r, opts)
		run := serve
		var farewell func()
		if err == nil {
			if opts != nil && opts.EndOnShutdown && server != nil {
				run, farewell = untilShutdown(c, shutdown.Context(server), serve)
			}
			c, err = join(r, c, farewell)
		}
		if err != nil {
			if _, ok := err.(serverFault); ok {
				logf(server, "%v (requested by %s: %.200q)", err, r.RemoteAddr, r.URL.Path)
			}
			return
		}
		if r.ProtoMajor >= 2 {
			serveConn(server, c, run)
			c.transport.AwaitReleased()
			return
		}
		go serveConn(server, c, run)
	})
}

// untilShutdown returns serve with a context that is also cancelled at the server's shutdown, and what cancels it. If serve
// returns after that, the connection is closed with 1001.
func untilShutdown(c *Conn, down context.Context, serve func(context.Context, *Conn)) (run func(context.Context, *Conn), tell func()) {
	ctx, cancel := context.WithCancelCause(c.Context())
	tell = func() { cancel(http.ErrServerClosed) }
	return func(_ context.Context, c *Conn) {
		defer cancel(nil)
		defer context.AfterFunc(down, tell)()
		serve(ctx, c)
		if context.Cause(ctx) == http.ErrServerClosed {
			c.Close(StatusGoingAway, "the server is shutting down")
		}
	}, tell
}

// serveConn runs serve and then closes the connection.
func serveConn(server *http.Server, c *Conn, serve func(ctx context.Context, c *Conn)) {
	code, reason := StatusInternalError, "internal error"
	defer func() {
		if code != StatusNormalClosure {
			if v := recover(); v != nil && v != http.ErrAbortHandler {
				logf(server, "websocket: panic serving %v: %v\n%s", c.RemoteAddr(), v, debug.Stack())
			}
		}
		c.Close(code, reason)
	}()
	serve(c.Context(), c)
	code, reason = StatusNormalClosure, ""
}

// logf logs to the server's ErrorLog, as net/http does for panics of handlers.
func logf(server *http.Server, format string, args ...any) {
	printf := log.Printf
	if server != nil && server.ErrorLog != nil {
		printf = server.ErrorLog.Printf
	}
	printf(format, args...)
}
