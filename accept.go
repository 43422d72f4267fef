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
	"path"
	"runtime/debug"
	"strings"
	"time"

	"github.com/closeonce/websocket/internal/handshake"
)

// IsWebSocketUpgrade reports whether the request asks for a WebSocket, so that
// one URL can serve both pages and WebSockets.
func IsWebSocketUpgrade(r *http.Request) bool {
	return handshake.HasToken(r.Header["Connection"], "upgrade") && handshake.HasToken(r.Header["Upgrade"], "websocket")
}

// Subprotocols returns the subprotocols that the request offers, in the
// client's order.
func Subprotocols(r *http.Request) []string {
	return handshake.Tokens(r.Header["Sec-Websocket-Protocol"])
}

// Accept answers a WebSocket handshake over HTTP/1.1 (RFC 6455, section 4.2)
// and takes the connection over from net/http. Header fields that are set on w
// before are sent with the answer.
//
// If the request is no proper handshake, or comes from a foreign Origin, Accept
// answers it with the fitting HTTP status and returns an error that says what
// was wrong; the handler just returns then.
//
// The Conn must be closed. It outlives the handler; but net/http keeps some 12
// KiB for as long as the handler has not returned. [Handler] spares that.
func Accept(w http.ResponseWriter, r *http.Request, opts *AcceptOptions) (*Conn, error) {
	if opts == nil {
		opts = &AcceptOptions{}
	}
	if refused := checkRequest(r); refused != nil {
		return nil, refused.answer(w)
	}
	if !opts.InsecureSkipVerify {
		if refused := checkOrigin(r, opts.OriginPatterns); refused != nil {
			return nil, refused.answer(w)
		}
	}
	compression, extension, err := acceptDeflate(r, opts)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return nil, err
	}
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		refused := &refusal{status: http.StatusNotImplemented,
			reason: "the connection can't be taken over from net/http: the ResponseWriter is not of HTTP/1.1, or a middleware hides it (it needs an Unwrap method)"}
		return nil, fmt.Errorf("%w: %w", refused.answer(w), err)
	}
	subprotocol := chooseSubprotocol(r, opts.Subprotocols)

	answer := getBuffer()
	answer.b = appendAnswer(answer.b, w.Header(), r.Header.Get("Sec-Websocket-Key"), subprotocol, extension)
	err = sendAnswer(nc, answer)
	putBuffer(answer)
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("websocket: the handshake's answer was not sent: %w", err)
	}
	early, err := buffered(rw.Reader)
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("websocket: the bytes behind the handshake were not read: %w", err)
	}

	s := newSettings(opts.QueueLimit, opts.CloseTimeout, opts.KeepAlive)
	s.onPing, s.onPong = opts.OnPingReceived, opts.OnPongReceived
	return newConn(nc, config{
		subprotocol: subprotocol,
		deflate:     compression,
		early:       early,
		parent:      r.Context(),
		readLimit:   orDefault(opts.ReadLimit, defaultReadLimit, -1),
		settings:    s,
	}), nil
}

// answerTimeout bounds how long a handshake's answer may take to leave.
const answerTimeout = 10 * time.Second

// sendAnswer writes the answer. It fits into the socket's buffer, unless the peer has
// filled that with answers to earlier requests that it does not read.
func sendAnswer(nc net.Conn, b *buffer) error {
	b.n = 0
	if raw := rawConn(nc); raw != nil && b.tryWrite(raw, nil) {
		return nil
	}
	nc.SetWriteDeadline(time.Now().Add(answerTimeout))
	if _, err := nc.Write(b.b[b.n:]); err != nil {
		return err
	}
	return nc.SetWriteDeadline(time.Time{})
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

// A refusal is an answer to a request that is no proper handshake.
type refusal struct {
	status int
	reason string
	header [2]string // one field to send along
}

// answer sends the refusal and returns it as an error.
func (f *refusal) answer(w http.ResponseWriter) error {
	err := fmt.Errorf("websocket: the handshake was refused with %d: %s", f.status, f.reason)
	if f.status == http.StatusUpgradeRequired {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
	}
	if f.header[0] != "" {
		w.Header().Set(f.header[0], f.header[1])
	}
	http.Error(w, err.Error(), f.status)
	return err
}

// checkRequest holds a request against RFC 6455, section 4.2.1.
func checkRequest(r *http.Request) *refusal {
	bad := func(format string, args ...any) *refusal {
		return &refusal{status: http.StatusBadRequest, reason: fmt.Sprintf(format, args...)}
	}
	// "An HTTP/1.1 or higher GET request"
	if r.ProtoMajor >= 2 {
		return &refusal{status: http.StatusNotImplemented, reason: "a WebSocket is opened over HTTP/1.1 here, the request is of " + r.Proto}
	}
	if !handshake.HasToken(r.Header["Connection"], "upgrade") {
		return &refusal{status: http.StatusUpgradeRequired, reason: "this URL is for WebSockets: the request has no \"Connection: Upgrade\""}
	}
	if !handshake.HasToken(r.Header["Upgrade"], "websocket") {
		return &refusal{status: http.StatusUpgradeRequired, reason: "this URL is for WebSockets: the request has no \"Upgrade: websocket\""}
	}
	if r.Method != http.MethodGet {
		return &refusal{status: http.StatusMethodNotAllowed, reason: fmt.Sprintf("the method is %.64s, not GET", r.Method), header: [2]string{"Allow", "GET"}}
	}
	if !r.ProtoAtLeast(1, 1) {
		return bad("the request is of %s, not of HTTP/1.1", r.Proto)
	}
	// Section 4.4: "the server MUST ... respond with a |Sec-WebSocket-Version|
	// header field" that it understands.
	if v := r.Header["Sec-Websocket-Version"]; len(v) != 1 || strings.TrimSpace(v[0]) != "13" {
		return &refusal{status: http.StatusUpgradeRequired, reason: fmt.Sprintf("Sec-WebSocket-Version is %.64q, not 13", strings.Join(v, ", ")), header: [2]string{"Sec-Websocket-Version", "13"}}
	}
	// "a base64-encoded ... value that, when decoded, is 16 bytes in length"
	keys := r.Header["Sec-Websocket-Key"]
	if len(keys) != 1 {
		return bad("there are %d Sec-WebSocket-Key header fields, not one", len(keys))
	}
	if !handshake.IsKey(keys[0]) {
		return bad("Sec-WebSocket-Key %.64q is not 16 bytes in base64", keys[0])
	}
	// A body would be taken for frames.
	if r.ContentLength != 0 || len(r.TransferEncoding) > 0 {
		return bad("the request has a body")
	}
	for p := range handshake.EachToken(r.Header["Sec-Websocket-Protocol"]) {
		if !handshake.IsToken(p) {
			return bad("Sec-WebSocket-Protocol has %.64q, which is no token", p)
		}
	}
	return nil
}

// checkOrigin keeps pages of other sites from connecting with the user's
// cookies (RFC 6455, sections 4.2.2 and 10.2).
func checkOrigin(r *http.Request, patterns []string) *refusal {
	forbidden := func(format string, args ...any) *refusal {
		return &refusal{status: http.StatusForbidden, reason: fmt.Sprintf(format, args...)}
	}
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return nil
	}
	if len(origins) > 1 {
		return forbidden("there are %d Origin header fields", len(origins))
	}
	u, err := url.Parse(origins[0])
	if err != nil {
		return forbidden("Origin %.64q is no URL", origins[0])
	}
	if strings.EqualFold(u.Host, r.Host) {
		return nil
	}
	for _, pattern := range patterns {
		target := strings.ToLower(u.Host)
		if strings.Contains(pattern, "://") {
			target = strings.ToLower(u.Scheme + "://" + u.Host)
		}
		ok, err := path.Match(strings.ToLower(pattern), target)
		if err != nil {
			return &refusal{status: http.StatusInternalServerError, reason: fmt.Sprintf("the origin pattern %q is malformed", pattern)}
		}
		if ok {
			return nil
		}
	}
	return forbidden("Origin %.64q is not the host %.64q, nor does it match one of the OriginPatterns", origins[0], r.Host)
}

// chooseSubprotocol returns the first of ours that the client offers, as the
// client spells it.
func chooseSubprotocol(r *http.Request, ours []string) string {
	if len(ours) == 0 {
		return ""
	}
	for _, own := range ours {
		for theirs := range handshake.EachToken(r.Header["Sec-Websocket-Protocol"]) {
			if strings.EqualFold(own, theirs) {
				return strings.Clone(theirs) // not the whole line, which may be long
			}
		}
	}
	return ""
}

// answerFields are the handshake's own: what the handler set of them is not sent.
var answerFields = map[string]bool{
	"Upgrade": true, "Connection": true, "Sec-Websocket-Accept": true,
	"Sec-Websocket-Protocol": true, "Sec-Websocket-Extensions": true,
	"Content-Length": true, "Transfer-Encoding": true, "Content-Type": true,
}

// appendAnswer appends the server's answer (RFC 6455, section 4.2.2).
func appendAnswer(b []byte, h http.Header, key, subprotocol, extension string) []byte {
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = handshake.AppendAccept(b, key)
	b = append(b, "\r\n"...)
	if subprotocol != "" {
		b = append(append(append(b, "Sec-WebSocket-Protocol: "...), subprotocol...), "\r\n"...)
	}
	if extension != "" {
		b = append(append(append(b, "Sec-WebSocket-Extensions: "...), extension...), "\r\n"...)
	}
	for name, values := range h {
		if answerFields[http.CanonicalHeaderKey(name)] || !handshake.IsToken(name) {
			continue
		}
		for _, value := range values {
			b = append(append(b, name...), ": "...)
			for i := range len(value) {
				c := value[i]
				// A line break would end the field, and clients refuse an answer
				// with other control characters.
				if c < ' ' && c != '\t' || c == 0x7F {
					c = ' '
				}
				b = append(b, c)
			}
			b = append(b, "\r\n"...)
		}
	}
	return append(b, "\r\n"...)
}

// Handler returns a handler that accepts WebSockets and runs serve for each in
// a goroutine of its own. The HTTP handler returns meanwhile, and net/http lets go
// of the buffers that it keeps for a running one: a connection that waits costs
// less than half of what it costs inside a handler.
//
// ctx is c.Context(). When serve returns, the connection is closed with 1000
// (StatusNormalClosure); if it panics, with 1011 (StatusInternalError), and the
// panic is logged where the http.Server logs those of handlers. If the handshake
// fails, the request has been answered and serve is not called.
func Handler(opts *AcceptOptions, serve func(ctx context.Context, c *Conn)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := Accept(w, r, opts)
		if err != nil {
			return
		}
		server, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
		go serveConn(server, c, serve)
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
