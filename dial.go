package websocket

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"time"

	"github.com/closeonce/websocket/internal/browsersocket"
	"github.com/closeonce/websocket/internal/connect"
	"github.com/closeonce/websocket/internal/handshake"
	"github.com/closeonce/websocket/internal/streamconn"
	"github.com/closeonce/websocket/internal/transport"
	"github.com/closeonce/websocket/internal/tunnel"
)

// Dial opens a WebSocket (RFC 6455, section 4.1). The scheme of u is ws or wss, or http or https for the same. opts may
// be nil.
//
// ctx bounds the handshake and must not be nil. When it is done before the server has answered, Dial returns an error that wraps
// ctx.Err(). Afterwards ctx has no effect on the connection.
//
// The request goes through opts.HTTPClient, so proxies, TLS settings, cookies and redirects work as for any other request,
// with three exceptions. First, a ws URL goes through an HTTP proxy by CONNECT, because a proxy would drop the Upgrade header
// field of a request that it forwards. The CONNECT request has the proxy's user and password and the Transport's
// ProxyConnectHeader; there is no TLS to the server. Second, a redirect from wss to ws is refused, unless the client's
// CheckRedirect allows it, because cookies and credentials could be read there. Third, behind a redirect the request has no Referer
// but HTTPHeader's, because the URL before may have a token in its query. What else HTTPHeader has, and the subprotocols, go to
// where the server redirects to; Authorization and Cookie only if it is the same domain. The environment variables work as in
// net/http: HTTP_PROXY is for ws, HTTPS_PROXY for wss, NO_PROXY for both.
//
// If the server answers with anything but a valid handshake, the error is a [*HandshakeError], and Dial also returns the
// response, with up to 1024 bytes of its body. The response's body never needs closing. No error contains the URL's password.
//
// Over HTTP/2 (see DialOptions.HTTP2) a request that the server refuses without having processed it, by REFUSED_STREAM or
// GOAWAY, is sent again up to some ten times, with growing pauses of three seconds in all. Then the error says what the server said.
// If many Dials at once need more streams than the server allows on a connection, they open more connections, one after the other;
// they fail if three seconds of pauses bring a stream to none of them.
//
// In a browser (GOOS=js) Dial opens one of the browser's WebSockets, and u may be relative to the page. The Conn behaves as on
// any other system, except for what programs in a browser can't do:
//
//   - Only the status codes 1000 and 3000 to 4999 can be sent; with any other, the Close frame has no status code.
//   - [Conn.Ping] sends nothing. It returns nil while the connection lives.
//   - The browser receives as fast as the server sends. If over 16 MiB wait to be read, the connection ends with an error.
//   - A Writer's message is sent when it is complete.
//   - [Conn.CloseNow] lets the browser make the closing handshake in the background.
//   - If the handshake fails, the error does not say why, and the response is nil.
//
// If opts.HTTPClient has an [http.Transport] with a DialContext function, Dial uses that as on other systems, for
// connections in memory. Node.js has WebSockets since version 22.
func Dial(ctx context.Context, u string, opts *DialOptions) (*Conn, *http.Response, error) {
	if ctx == nil {
		return nil, nil, errors.New("websocket: Dial was called with a nil context")
	}
	if opts == nil {
		opts = &DialOptions{}
	}
	dial := dial
	if browsersocket.Here && !opts.ownDialer() {
		dial = dialBrowser
	}
	c, resp, err := dial(ctx, u, opts)
	if err != nil {
		return nil, resp, err
	}
	return c, resp, nil
}

func dial(ctx context.Context, rawURL string, opts *DialOptions) (*Conn, *http.Response, error) {
	client, cancel, ctx := handshakeClient(ctx, opts.HTTPClient)
	defer cancel()

	offer, err := opts.offer()
	if err != nil {
		return nil, nil, err
	}
	if opts.HTTP2 != HTTP2Off {
		c, resp, unsent, err := opts.dialStream(ctx, rawURL, *client, offer)
		if opts.HTTP2 == HTTP2Only || !unsent {
			return c, resp, err
		}
	}
	var last net.Conn // the connection of the last request
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { last = info.Conn }}
	req, err := newRequest(httptrace.WithClientTrace(ctx, trace), rawURL, opts)
	if err != nil {
		return nil, nil, err
	}
	offer.set(req.Header)

	resp, err := client.Do(req)
	if err != nil {
		if s, ok := last.(*tls.Conn); ok && s.ConnectionState().NegotiatedProtocol == "h2" { // by a DialTLSContext of the application's
			return nil, nil, fmt.Errorf("websocket: no answer to the handshake: TLS has agreed on HTTP/2, which its NextProtos must not offer here: %w", withoutPassword(err))
		}
		return nil, nil, fmt.Errorf("websocket: no answer to the handshake: %w", withoutPassword(err))
	}
	body := resp.Body
	resp.Body = http.NoBody
	subprotocol, z, err := offer.check(resp, opts.CompressionThreshold)
	if err != nil {
		keepStart(resp, body)
		return nil, resp, &HandshakeError{Response: resp, Reason: err.Error()}
	}
	nc, early, err := takeOver(body, last)
	if err != nil {
		body.Close()
		return nil, resp, &HandshakeError{Response: resp, Reason: err.Error()}
	}

	return opts.newConn(ctx, nc, early, subprotocol, z), resp, nil
}

// newConn makes the connection. early are the bytes that came right behind the handshake.
func (opts *DialOptions) newConn(ctx context.Context, nc net.Conn, early []byte, subprotocol string, z *compression) *Conn {
	o := opts.conn()
	o.Context, o.Subprotocol, o.Early = ctx, subprotocol, early
	cfg := o.config()
	cfg.deflate = z
	return newConn(nc, cfg)
}

// dialStream dials over HTTP/2. With an error, unsent says that this is not possible, and that no server has been sent a request, or that
// it has asked for it over HTTP/1.1.
func (opts *DialOptions) dialStream(ctx context.Context, rawURL string, client http.Client, o offer) (c *Conn, resp *http.Response, unsent bool, err error) {
	if opts.HTTP2 != HTTP2Try && opts.HTTP2 != HTTP2Only {
		return nil, nil, false, fmt.Errorf("websocket: the option HTTP2 is %d; use HTTP2Off, HTTP2Try or HTTP2Only", int(opts.HTTP2))
	}
	rt := new(connect.RoundTripper)
	switch t := client.Transport.(type) {
	case *http.Transport:
		rt.Transport = t
	case tunnel.RoundTripper:
		rt.Transport = t.Transport
	}
	client.Transport = rt
	req, err := newRequest(ctx, rawURL, opts)
	if err != nil {
		return nil, nil, false, err
	}
	dropConnectionFields(req.Header)
	o.stream = true
	o.set(req.Header)
	resp, err = client.Do(req)
	if err != nil {
		unsent = errors.Is(err, connect.ErrUnsupported) && !rt.Answered
		return nil, nil, unsent, fmt.Errorf("websocket: no answer to the handshake over HTTP/2: %w", withoutPassword(err))
	}
	nc := rt.Conn(resp)
	body := resp.Body
	resp.Body = http.NoBody
	subprotocol, z, err := o.check(resp, opts.CompressionThreshold)
	switch {
	case err != nil && nc != nil:
		nc.Close()
	case err != nil:
		keepStart(resp, body)
	default:
		return opts.newConn(ctx, nc, nil, subprotocol, z), resp, false, nil
	}
	return nil, resp, false, &HandshakeError{Response: resp, Reason: err.Error()}
}

// dropConnectionFields drops what belongs to a connection of HTTP/1.1 and is forbidden over HTTP/2 (RFC 9113, section 8.2.2), however
// the names are spelled.
func dropConnectionFields(h http.Header) {
	maps.DeleteFunc(h, func(name string, values []string) bool {
		switch http.CanonicalHeaderKey(name) {
		case "Connection", "Upgrade", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding":
			return true
		case "Te":
			return !slices.Equal(values, []string{"trailers"})
		}
		return false
	})
}

// handshakeClient returns a client that follows redirects to ws and wss URLs
// too, and that reaches ws URLs through HTTP proxies. Its Timeout is moved to the
// context, so that it bounds the handshake and not the connection.
func handshakeClient(ctx context.Context, given *http.Client) (*http.Client, context.CancelFunc, context.Context) {
	if given == nil {
		given = http.DefaultClient
	}
	client := *given
	cancel := context.CancelFunc(func() {})
	if client.Timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, client.Timeout)
		client.Timeout = 0
	}
	if client.Transport == nil {
		client.Transport = http.DefaultTransport
	}
	if transport, ok := client.Transport.(*http.Transport); ok && transport != nil && transport.Proxy != nil {
		client.Transport = tunnel.RoundTripper{Transport: transport}
	}
	check := client.CheckRedirect
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		handshake.ForHTTP(req.URL)
		if via[0].Header.Get("Referer") == "" {
			req.Header.Del("Referer") // net/http's: the URL before, in whose query there may be a token
		}
		if check != nil {
			return check(req, via)
		}
		if len(via) >= 10 {
			return errors.New("websocket: stopped after 10 redirects")
		}
		if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme == "http" {
			return errors.New("websocket: the server redirects from wss to ws; only the client's CheckRedirect can allow that")
		}
		return nil
	}
	return &client, cancel, ctx
}

// requestFields are header fields that HTTPHeader can't set: the request has its own, or must not have them.
var requestFields = map[string]bool{
	"Connection": true, "Upgrade": true, "Sec-Websocket-Key": true, "Sec-Websocket-Version": true,
	"Sec-Websocket-Protocol": true, "Sec-Websocket-Extensions": true,
	"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Trailer": true,
}

// clientFields are header fields that net/http adds itself if they are not there in canonical spelling.
var clientFields = map[string]bool{"Accept-Encoding": true, "Authorization": true, "Cookie": true, "Referer": true, "User-Agent": true}

// newRequest makes the handshake's request (section 4.1), without the fields whose names
// begin with Sec-WebSocket.
func newRequest(ctx context.Context, rawURL string, opts *DialOptions) (*http.Request, error) {
	u, err := handshake.ParseURL(rawURL)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, handshake.ErrURL
	}
	for name, values := range opts.HTTPHeader {
		// net/http sends names as spelled, so another spelling of these would be a second field.
		canonical := http.CanonicalHeaderKey(name)
		if clientFields[canonical] {
			name = canonical
		}
		if !requestFields[canonical] {
			req.Header[name] = append(req.Header[name], values...)
		}
	}
	if cookies := req.Header["Cookie"]; len(cookies) > 1 { // net/http adds a Jar's to the first line, and forgets the others
		req.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
	if host := cmp.Or(opts.Host, headerValue(opts.HTTPHeader, "Host")); host != "" {
		if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r == 0x7F }) {
			return nil, fmt.Errorf("websocket: Host (the option, or HTTPHeader's field) is %q, which has a space or a control character", host)
		}
		req.Host = host
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	return req, nil
}

// headerValue returns the first value of a header field, however its name is spelled.
func headerValue(h http.Header, canonical string) string {
	for name, values := range h {
		if http.CanonicalHeaderKey(name) == canonical && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

// A HandshakeError says why the server's answer was not a valid handshake.
type HandshakeError struct {
	// Response is the server's answer, with up to 1024 bytes of its body.
	Response *http.Response
	// Reason says what was wrong with it.
	Reason string
}

// Error says what was wrong, and quotes the first line of the body, up to 200 bytes of it.
func (e *HandshakeError) Error() string {
	msg := "websocket: the handshake failed: " + e.Reason
	if e.Response == nil {
		return msg
	}
	if body, ok := e.Response.Body.(inMemory); ok && body.Size() > 0 {
		msg += fmt.Sprintf(": %q", firstLine(body))
	}
	return msg
}

// inMemory is a body that was read already, or its start. It can be read again.
type inMemory interface {
	io.ReaderAt
	Size() int64
}

// firstLine returns the first line of a body, at most 200 bytes of it.
func firstLine(body inMemory) string {
	start := make([]byte, min(body.Size(), 200))
	n, _ := body.ReadAt(start, 0)
	line, _, _ := strings.Cut(string(start[:n]), "\n")
	return line
}

// bodyStart is the start of a response's body, in memory.
type bodyStart struct{ *bytes.Reader }

func (bodyStart) Close() error { return nil }

// maxBodyStart is how much of the body of a failed handshake is kept.
const maxBodyStart = 1024

// keepStart replaces the response's body by its first bytes, and closes the original.
// It waits for the body for at most 3 seconds.
func keepStart(resp *http.Response, body io.ReadCloser) {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		body.Close() // with 101 there is no body, but a stream
		return
	}
	giveUp := time.AfterFunc(3*time.Second, func() { body.Close() })
	defer giveUp.Stop()
	start, _ := io.ReadAll(io.LimitReader(body, maxBodyStart))
	body.Close()
	resp.Body = bodyStart{bytes.NewReader(start)}
}

// longAgo is a deadline that makes a call return at once.
var longAgo = time.Unix(1, 0)

// takeOver returns the connection that the handshake was made on, and the bytes
// that came right behind the answer.
func takeOver(body io.ReadCloser, last net.Conn) (net.Conn, []byte, error) {
	stream, ok := body.(io.ReadWriteCloser)
	if !ok {
		return nil, nil, fmt.Errorf("the response body is a %T, which can't be written to; the client's Transport may not support upgrades", body)
	}
	// The body of http.Transport reads the bytes that it has read ahead, and then the
	// net.Conn of the trace. Any other body may transform the bytes.
	if last == nil || fmt.Sprintf("%T", body) != "*http.readWriteCloserBody" {
		nc := streamconn.Bare(stream)
		nc.SetDeadline(time.Time{}) // as NewConn does: that of the handshake would end the connection
		return nc, nil, nil
	}
	// With the deadline in the past, a read returns what was read ahead and nothing
	// more.
	if !transport.Resumes(last) || last.SetReadDeadline(longAgo) != nil {
		return streamconn.NewOf(stream, last), nil, nil
	}
	var early []byte
	chunk := make([]byte, 4096)
	for {
		n, err := stream.Read(chunk)
		early = append(early, chunk[:n]...)
		if err != nil {
			// The deadline has passed, or a TLS stream has ended in the same packet. The
			// next read, after the early frames, returns that end again.
			break
		}
	}
	if err := last.SetReadDeadline(time.Time{}); err != nil {
		return nil, nil, err
	}
	return last, early, nil
}
