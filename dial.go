//go:build !js

package websocket

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"

	"github.com/closeonce/websocket/internal/handshake"
	"github.com/closeonce/websocket/internal/streamconn"
)

// Dial opens a WebSocket (RFC 6455, section 4.1). u has the scheme ws or wss, or
// http or https for the same.
//
// The handshake's request goes through opts.HTTPClient, so proxies, TLS settings,
// cookies and redirects work as they do for any other request. ctx bounds the
// handshake; afterwards it has no effect on the connection.
//
// The response's body never needs closing. If the server answered, but not with
// a proper handshake, the error is a [*HandshakeError], and the response is
// returned too, with up to 1024 bytes of its body.
func Dial(ctx context.Context, u string, opts *DialOptions) (*Conn, *http.Response, error) {
	if opts == nil {
		opts = &DialOptions{}
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

	var nonce [16]byte
	rand.Read(nonce[:])
	key := handshake.Key(nonce)
	var offer handshake.Params
	compress := opts.CompressionMode != CompressionDisabled
	if compress {
		wish, err := opts.CompressionTuning.wish(opts.CompressionMode)
		if err != nil {
			return nil, nil, err
		}
		offer = handshake.Offer(wish)
	}
	var last net.Conn // the one that the last request went over
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { last = info.Conn }}
	req, err := newRequest(httptrace.WithClientTrace(ctx, trace), rawURL, key, opts)
	if err != nil {
		return nil, nil, err
	}

	if compress {
		req.Header.Set("Sec-WebSocket-Extensions", offer.String())
	}

	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("websocket: no answer to the handshake: %w", err)
	}
	body := resp.Body
	resp.Body = http.NoBody
	if reason := checkResponse(resp, key, opts.Subprotocols); reason != "" {
		keepStart(resp, body)
		return nil, resp, &HandshakeError{Response: resp, reason: reason}
	}
	agreed, accepted, err := handshake.CheckAnswer(resp.Header["Sec-Websocket-Extensions"], compress, offer)
	if err != nil {
		keepStart(resp, body)
		return nil, resp, &HandshakeError{Response: resp, reason: "the answer has " + err.Error()}
	}
	nc, early, err := takeOver(body, last)
	if err != nil {
		body.Close()
		return nil, resp, &HandshakeError{Response: resp, reason: err.Error()}
	}

	s := newSettings(opts.QueueLimit, opts.CloseTimeout, opts.KeepAlive)
	s.onPing, s.onPong = opts.OnPingReceived, opts.OnPongReceived
	var z *compression
	if accepted {
		z = newCompression(agreed, true, opts.CompressionThreshold)
	}
	return newConn(nc, config{
		client:      true,
		deflate:     z,
		subprotocol: resp.Header.Get("Sec-Websocket-Protocol"),
		early:       early,
		parent:      ctx,
		readLimit:   orDefault(opts.ReadLimit, defaultReadLimit, -1),
		settings:    s,
	}), resp, nil
}

// handshakeClient returns a client that follows redirects to ws and wss URLs
// too. Its time-out is moved to the context: it is for the handshake, and would
// otherwise end the connection.
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
	check := client.CheckRedirect
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		httpScheme(req.URL)
		if check != nil {
			return check(req, via)
		}
		if len(via) >= 10 {
			return errors.New("websocket: stopped after 10 redirects")
		}
		return nil
	}
	return &client, cancel, ctx
}

// httpScheme turns a ws or wss URL into what net/http knows.
func httpScheme(u *url.URL) {
	switch u.Scheme {
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	}
}

// newRequest makes the handshake's request (section 4.1).
func newRequest(ctx context.Context, rawURL, key string, opts *DialOptions) (*http.Request, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("websocket: %w", err)
	}
	httpScheme(u)
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("websocket: the URL %q has the scheme %q; it must be ws, wss, http or https", rawURL, u.Scheme)
	}
	for _, p := range opts.Subprotocols {
		if !handshake.IsToken(p) {
			return nil, fmt.Errorf("websocket: the subprotocol %q is no token (RFC 6455, section 4.1)", p)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("websocket: %w", err)
	}
	if opts.HTTPHeader != nil {
		req.Header = opts.HTTPHeader.Clone()
	}
	if opts.Host != "" {
		req.Host = opts.Host
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	req.Header.Set("Sec-WebSocket-Version", "13")
	req.Header.Set("Sec-WebSocket-Key", key)
	req.Header.Del("Sec-WebSocket-Extensions")
	if len(opts.Subprotocols) > 0 {
		req.Header.Set("Sec-WebSocket-Protocol", strings.Join(opts.Subprotocols, ", "))
	}
	return req, nil
}

// checkResponse holds the answer against RFC 6455, section 4.1, and says what
// is wrong with it.
func checkResponse(resp *http.Response, key string, offered []string) string {
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Sprintf("the server answered %.64q, not 101", resp.Status)
	}
	if !handshake.HasToken(resp.Header["Upgrade"], "websocket") {
		return fmt.Sprintf("the answer has Upgrade: %.64q, not websocket", resp.Header.Get("Upgrade"))
	}
	if !handshake.HasToken(resp.Header["Connection"], "upgrade") {
		return fmt.Sprintf("the answer has Connection: %.64q, not Upgrade", resp.Header.Get("Connection"))
	}
	if got := resp.Header["Sec-Websocket-Accept"]; len(got) != 1 || strings.TrimSpace(got[0]) != string(handshake.AppendAccept(nil, key)) {
		return fmt.Sprintf("the answer has Sec-WebSocket-Accept: %.64q, which does not belong to the key %q", strings.Join(got, ", "), key)
	}
	// "the client MUST _Fail the WebSocket Connection_" if there is a subprotocol
	// "that was not present in the client's handshake".
	chosen := resp.Header["Sec-Websocket-Protocol"]
	if len(chosen) > 1 {
		return fmt.Sprintf("the answer has %d subprotocols", len(chosen))
	}
	if len(chosen) == 1 {
		for _, p := range offered {
			if strings.EqualFold(p, chosen[0]) {
				return ""
			}
		}
		return fmt.Sprintf("the answer has the subprotocol %.64q, which was not offered", chosen[0])
	}
	return ""
}

// A HandshakeError says why the server's answer was no proper handshake.
type HandshakeError struct {
	// Response is the server's answer, with up to 1024 bytes of its body.
	Response *http.Response
	reason   string
}

// Error says what was wrong, and quotes the start of the body.
func (e *HandshakeError) Error() string {
	msg := "websocket: the handshake failed: " + e.reason
	if body, ok := e.Response.Body.(*bodyStart); ok && len(body.text) > 0 {
		msg += fmt.Sprintf(": %q", firstLine(body.text))
	}
	return msg
}

// firstLine returns the first line of a body, and not too much of it.
func firstLine(body string) string {
	line, _, _ := strings.Cut(body, "\n")
	if len(line) > 200 {
		line = line[:200]
	}
	return line
}

// bodyStart is the start of a response's body, in memory.
type bodyStart struct {
	*bytes.Reader
	text string
}

func (*bodyStart) Close() error { return nil }

// maxBodyStart is how much of the body of a failed handshake is kept.
const maxBodyStart = 1024

// keepStart replaces the response's body by its start, and lets go of the
// connection. It waits a moment for a body that does not come.
func keepStart(resp *http.Response, body io.ReadCloser) {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		body.Close() // what follows is no body
		return
	}
	giveUp := time.AfterFunc(3*time.Second, func() { body.Close() })
	defer giveUp.Stop()
	start, _ := io.ReadAll(io.LimitReader(body, maxBodyStart))
	body.Close()
	resp.Body = &bodyStart{bytes.NewReader(start), string(start)}
}

// takeOver returns the connection that the handshake was made on, and the bytes
// that came right behind the answer.
func takeOver(body io.ReadCloser, last net.Conn) (net.Conn, []byte, error) {
	stream, ok := body.(io.ReadWriteCloser)
	if !ok {
		return nil, nil, fmt.Errorf("the response body is a %T, which can't be written to: does the client's Transport support upgrades?", body)
	}
	// http.Transport's own body is the net.Conn that the trace has seen, with the
	// bytes read ahead before it. Any other may do more to the bytes.
	if last == nil || fmt.Sprintf("%T", body) != "*http.readWriteCloserBody" {
		return streamconn.New(stream), nil, nil
	}
	// With the deadline in the past, reading gives what was read ahead, and no
	// byte more.
	if err := last.SetReadDeadline(longAgo); err != nil {
		return streamconn.New(stream), nil, nil
	}
	var early []byte
	chunk := make([]byte, 4096)
	for {
		n, err := stream.Read(chunk)
		early = append(early, chunk[:n]...)
		if err != nil {
			// The deadline; or the end of a TLS stream that came in the same packet:
			// whoever reads next finds it there again, behind the early frames.
			break
		}
	}
	if err := last.SetReadDeadline(time.Time{}); err != nil {
		return nil, nil, err
	}
	return last, early, nil
}
