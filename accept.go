package websocket

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"time"

	"github.com/closeonce/websocket/internal/handshake"
	"github.com/closeonce/websocket/internal/hijack"
)

// IsWebSocketUpgrade reports whether the request asks for a WebSocket, so that
// one URL can serve both pages and WebSockets.
func IsWebSocketUpgrade(r *http.Request) bool {
	return handshake.HasToken(r.Header["Connection"], "upgrade") && handshake.HasToken(r.Header["Upgrade"], "websocket")
}

// Subprotocols returns the subprotocols that the request offers, in the
// client's order. Of a header field of more than 64 KiB the rest is ignored.
func Subprotocols(r *http.Request) []string {
	return handshake.Tokens(r.Header["Sec-Websocket-Protocol"])
}

// Accept answers a WebSocket handshake over HTTP/1.1 (RFC 6455, section 4.2)
// and takes the connection over from net/http.
//
// Header fields that are set on w before are sent with the answer, except those that
// the handshake itself sets. A Sec-WebSocket-Protocol that is set on w is sent, and is
// what [Conn.Subprotocol] returns, if opts.Subprotocols has none that the client offers.
//
// If w is wrapped by middleware, Accept calls w.WriteHeader(101) first, so that access
// logs see the status and wrappers can set header fields, such as a session's cookie, which
// are sent as well. A wrapper needs a Hijack or an Unwrap method, see
// [http.ResponseController]. Some compressing middleware keeps the status and writes it
// when the handler has returned; net/http then logs a WriteHeader on a hijacked connection.
// It does no harm, and goes away where such middleware is left out for WebSockets.
//
// The server's connection may be any net.Conn with read deadlines that work: net/http
// uses one to let go of it. A channel of SSH has none. Below TLS the time-out's error must
// be Temporary as well, which that of yamux is not. A wrapper on the listener mends both.
//
// If the request is not a valid handshake, or comes from a foreign Origin, Accept
// answers it with the fitting HTTP status (see AcceptOptions.OnRefuse) and returns an
// error that says what was wrong; the handler just returns then.
//
// Nothing may have been written to w before.
//
// The Conn must be closed. It outlives the handler; r.Context() does not, and
// [Conn.Context] is for goroutines that go on. While the handler has not returned,
// net/http keeps some 12 KiB; [Handler] spares that.
func Accept(w http.ResponseWriter, r *http.Request, opts *AcceptOptions) (*Conn, error) {
	if opts == nil {
		opts = &AcceptOptions{}
	}
	if refused := opts.check(r); refused != nil {
		return nil, opts.refuse(w, r, refused)
	}
	agreed, err := opts.agree(w, r)
	if err != nil {
		return nil, opts.misused(w, r, err)
	}
	nc, rw, answered, err := opts.takeOver(w, r, &agreed)
	if err != nil {
		return nil, err
	}
	if !answered {
		if err := writeAnswer(nc, w.Header(), &agreed); err != nil {
			nc.Close()
			return nil, fmt.Errorf("websocket: the handshake's answer was not sent: %w", err)
		}
	}
	early, err := buffered(rw.Reader)
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("websocket: the bytes behind the handshake were not read: %w", err)
	}
	return opts.newConn(nc, early, r, &agreed), nil
}

// The handshake's steps are functions of their own, one beside the other rather than one below the other. A handler that
// goes on in Read keeps the stack that the deepest of them needed: with the frames of all of them on top of those of
// net/http, it is 8 KiB rather than 4 KiB (TestIdleMemory).

// An agreement is what the two ends have agreed on.
type agreement struct {
	key                    string // the client's Sec-WebSocket-Key
	subprotocol, extension string // as the answer says it
	deflate                *compression
}

// agree finds what both ends want.
func (opts *AcceptOptions) agree(w http.ResponseWriter, r *http.Request) (agreed agreement, err error) {
	agreed.key = r.Header.Get("Sec-Websocket-Key")
	if agreed.deflate, agreed.extension, err = acceptDeflate(r, opts); err != nil {
		return agreed, err
	}
	agreed.subprotocol = handshake.ChooseSubprotocol(r.Header["Sec-Websocket-Protocol"], opts.Subprotocols)
	if agreed.subprotocol == "" {
		if agreed.subprotocol, err = presetSubprotocol(w.Header()); err != nil {
			deleteAnswerFields(w.Header()) // no client could read the error with them
		}
	}
	return agreed, err
}

// newConn makes the connection.
func (opts *AcceptOptions) newConn(nc net.Conn, early []byte, r *http.Request, agreed *agreement) *Conn {
	s := newSettings(opts.QueueLimit, opts.CloseTimeout, opts.KeepAlive)
	s.onPing, s.onPong, s.cancels, s.trace = opts.OnPingReceived, opts.OnPongReceived, opts.CloseOnCancel, opts.Trace
	return newConn(nc, config{
		subprotocol: agreed.subprotocol,
		deflate:     agreed.deflate,
		early:       early,
		parent:      r.Context(),
		readLimit:   orDefault(opts.ReadLimit, defaultReadLimit, -1),
		settings:    s,
	})
}

// takeOver takes the connection over. answered reports whether net/http has sent the answer; rw has the bytes that came
// right behind the request.
func (opts *AcceptOptions) takeOver(w http.ResponseWriter, r *http.Request, agreed *agreement) (nc net.Conn, rw *bufio.ReadWriter, answered bool, err error) {
	own := hijack.Own(w) // then nobody else sees the answer, and net/http need not know
	known := true
	if !own {
		if !hijack.Possible(w) {
			return nil, nil, false, opts.notHijacked(w, r, http.ErrNotSupported)
		}
		setAnswer(w.Header(), agreed)
		// net/http takes it back in Hijack, after it has written the answer.
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout))
		answered, known = hijack.SwitchProtocols(w)
	}
	nc, rw, err = http.NewResponseController(w).Hijack()
	if err != nil {
		if own {
			return nil, nil, false, opts.notHijacked(w, r, err)
		}
		return nil, nil, false, fmt.Errorf("websocket: the connection can't be taken over from net/http: %w", err)
	}
	if !known {
		answered = hijack.Wrote(rw.Writer, string(handshake.AppendAccept(nil, agreed.key)))
	}
	return nc, rw, answered, nil
}

// acceptDeflate agrees on permessage-deflate, if both ends want it. It returns
// what to answer, too.
func acceptDeflate(r *http.Request, opts *AcceptOptions) (*compression, string, error) {
	if opts.CompressionMode == CompressionDisabled {
		return nil, "", nil
	}
	wish, err := opts.CompressionTuning.wish(opts.CompressionMode)
	if err != nil {
		return nil, "", err
	}
	answer, agreed, ok := handshake.AnswerOffers(r.Header["Sec-Websocket-Extensions"], wish)
	if !ok {
		return nil, "", nil
	}
	return newCompression(agreed, false, opts.CompressionThreshold), answer.String(), nil
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

// check returns why the handshake is refused, or nil.
func (opts *AcceptOptions) check(r *http.Request) *handshake.Refusal {
	if refused := handshake.CheckRequest(handshake.Request{
		Method: r.Method, Proto: r.Proto, Major: r.ProtoMajor, Minor: r.ProtoMinor, Header: r.Header,
		HasBody: r.ContentLength != 0 || len(r.TransferEncoding) > 0,
	}); refused != nil {
		return refused
	}
	switch {
	case opts.CheckOrigin != nil:
		if !opts.CheckOrigin(r) {
			return forbidden("Origin %.64q is not allowed", r.Header.Get("Origin"))
		}
		return nil
	case opts.InsecureSkipVerify:
		return nil
	}
	return checkOrigin(r, opts.OriginPatterns)
}

func forbidden(format string, args ...any) *handshake.Refusal {
	return &handshake.Refusal{Status: http.StatusForbidden, Reason: fmt.Sprintf(format, args...)}
}

// maxOrigin bounds an Origin's length: a host's name has at most 253 bytes.
const maxOrigin = 1024

// checkOrigin keeps pages of other sites from connecting with the user's
// cookies (RFC 6455, sections 4.2.2 and 10.2).
func checkOrigin(r *http.Request, patterns []string) *handshake.Refusal {
	for _, pattern := range patterns {
		if err := handshake.CheckPattern(pattern); err != nil {
			return &handshake.Refusal{Status: http.StatusInternalServerError, Reason: fmt.Sprintf("the origin pattern %q is not valid: %v", pattern, err)}
		}
	}
	origins := r.Header["Origin"]
	if len(origins) > 1 {
		return forbidden("there are %d Origin header fields", len(origins))
	}
	if len(origins) == 0 || origins[0] == "" {
		return nil // no browser
	}
	origin := handshake.Origin{}
	if origins[0] != "null" {
		u, err := url.Parse(origins[0])
		if err != nil || len(origins[0]) > maxOrigin {
			return forbidden("Origin %.64q is not a URL", origins[0])
		}
		if u.Scheme == "" {
			return forbidden("Origin %.64q has no scheme", origins[0])
		}
		origin = handshake.NewOrigin(u.Scheme, u.Host)
	}
	if origin.SameHost(r.Host) || slices.ContainsFunc(patterns, origin.Matches) {
		return nil
	}
	return forbidden("Origin %.64q is not the host %.64q, nor does it match one of the OriginPatterns", origins[0], r.Host)
}

// refuse answers a request that is refused, and returns why.
func (opts *AcceptOptions) refuse(w http.ResponseWriter, r *http.Request, refused *handshake.Refusal) error {
	if refused.Status == http.StatusUpgradeRequired {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
	}
	if refused.Name != "" {
		w.Header()[refused.Name] = []string{refused.Value} // in this spelling
	}
	err := fmt.Errorf("websocket: the handshake was refused with %d: %s", refused.Status, refused.Reason)
	opts.answerRefused(w, r, refused.Status, err)
	return err
}

// misused answers a request that fails by a mistake of the application's.
func (opts *AcceptOptions) misused(w http.ResponseWriter, r *http.Request, err error) error {
	opts.answerRefused(w, r, http.StatusInternalServerError, err)
	return err
}

// notHijacked answers a request whose connection net/http keeps.
func (opts *AcceptOptions) notHijacked(w http.ResponseWriter, r *http.Request, err error) error {
	return fmt.Errorf("%w: %w", opts.refuse(w, r, &handshake.Refusal{
		Status: http.StatusNotImplemented,
		Reason: "the connection can't be taken over from net/http: the ResponseWriter is not of HTTP/1.1, or a middleware hides it (it needs an Unwrap method)",
	}), err)
}

func (opts *AcceptOptions) answerRefused(w http.ResponseWriter, r *http.Request, status int, err error) {
	if opts.OnRefuse != nil {
		opts.OnRefuse(w, r, status, err)
		return
	}
	http.Error(w, err.Error(), status)
}

// Handler returns a handler that accepts WebSockets and runs serve for each in
// a goroutine of its own. The HTTP handler returns meanwhile, and net/http lets go
// of the buffers that it keeps for a running one: a connection that waits costs
// less than half of what it costs inside a handler.
//
// ctx is c.Context(), or with the option EndOnShutdown one that ends at the server's
// Shutdown, too. When serve returns, the connection is closed with 1000
// (StatusNormalClosure); if it panics, with 1011 (StatusInternalError), and the
// panic is logged where the http.Server logs those of handlers. If the handshake
// fails, the request has been answered, or OnRefuse has been called, and serve is not.
//
// Middleware sees what it sees of [Accept], and that the HTTP handler returns at once.
func Handler(opts *AcceptOptions, serve func(ctx context.Context, c *Conn)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := Accept(w, r, opts)
		if err != nil {
			return
		}
		server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
		run := serve
		if opts != nil && opts.EndOnShutdown && server != nil {
			run = untilShutdown(server, serve)
		}
		go serveConn(server, c, run)
	})
}

// serveConn runs serve and closes the connection behind it.
func serveConn(server *http.Server, c *Conn, serve func(ctx context.Context, c *Conn)) {
	code, reason := StatusInternalError, "internal error"
	defer func() {
		if code != StatusNormalClosure {
			if v := recover(); v != nil && v != http.ErrAbortHandler {
				logPanic(server, c.RemoteAddr(), v)
			}
		}
		c.Close(code, reason)
	}()
	serve(c.Context(), c)
	code, reason = StatusNormalClosure, ""
}

// logPanic logs a panic of serve as net/http logs those of handlers.
func logPanic(server *http.Server, peer net.Addr, v any) {
	printf := log.Printf
	if server != nil && server.ErrorLog != nil {
		printf = server.ErrorLog.Printf
	}
	printf("websocket: panic serving %v: %v\n%s", peer, v, debug.Stack())
}
