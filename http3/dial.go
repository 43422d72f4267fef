package http3

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/closeonce/websocket"
)

// Dial opens a WebSocket with a Dialer that all of the program shares, see [Dialer.Dial]. That has the default configuration of
// crypto/tls and is never closed; make a [Dialer] for anything else.
func Dial(ctx context.Context, u string, opts *websocket.DialOptions) (*websocket.Conn, *http.Response, error) {
	return defaultDialer.Dial(ctx, u, opts)
}

var defaultDialer Dialer

// Dial opens a WebSocket. The scheme of u is wss or https. opts may be nil; the options are those of [websocket.Dial], with two
// exceptions: of HTTPClient, which is [http.DefaultClient] if nil, only Jar and Timeout are used, so redirects are not followed; and HTTP2
// is ignored. ctx bounds the handshake, as there. If the server answers with anything but a valid handshake, [errors.As] finds a
// [*websocket.HandshakeError], and Dial also returns the response, with up to 1024 bytes of its body.
//
// If the QUIC connection has as many streams as the server allows, Dial waits until one ends. If the server rejects the request without
// having processed it, by H3_REQUEST_REJECTED for example as it shuts down (RFC 9114, section 4.1.1), Dial sends it again over a new
// connection, up to ten times with growing pauses.
func (d *Dialer) Dial(ctx context.Context, u string, opts *websocket.DialOptions) (*websocket.Conn, *http.Response, error) {
	if ctx == nil {
		return nil, nil, errors.New("websocket: Dial was called with a nil context")
	}
	if opts == nil {
		opts = &websocket.DialOptions{}
	}
	client := clientOf(opts)
	if client.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, client.Timeout)
		defer cancel()
	}
	req, offered, err := newRequest(ctx, u, opts)
	if err != nil {
		return nil, nil, err
	}
	s, resp, err := d.request(ctx, req)
	if err != nil {
		return nil, nil, fmt.Errorf("websocket: %w", err)
	}
	if client.Jar != nil {
		client.Jar.SetCookies(req.URL, resp.Cookies())
	}
	c, failed := newConn(ctx, s, resp, offered, opts)
	if failed != nil {
		keepStart(ctx, resp, s)
		return nil, resp, failed
	}
	resp.Body = http.NoBody
	return c, resp, nil
}

// newConn checks the response, and returns the Conn on the stream.
func newConn(ctx context.Context, s *stream, resp *http.Response, offered string, opts *websocket.DialOptions) (*websocket.Conn, *websocket.HandshakeError) {
	fail := func(format string, args ...any) *websocket.HandshakeError {
		return &websocket.HandshakeError{Response: resp, Reason: fmt.Sprintf(format, args...)}
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fail("expected handshake response status code 200 but got %d", resp.StatusCode)
	}
	if packed := resp.Header.Get("Content-Encoding"); packed != "" {
		return nil, fail("the answer has Content-Encoding: %.64q, which must not be there", packed)
	}
	subprotocol, err := chosenSubprotocol(resp.Header, opts)
	if err != nil {
		return nil, fail("%v", err)
	}
	extensions := strings.Join(resp.Header.Values("Sec-WebSocket-Extensions"), ", ")
	if extensions != "" && offered == "" {
		return nil, fail("the answer has the extension %.64q, which was not offered", extensions)
	}
	if length := resp.Header.Get("Content-Length"); length != "" {
		return nil, fail("the answer to the CONNECT has Content-Length: %.64q, which must not be there (RFC 9110, section 9.3.6): quic-go reads no more than that", length)
	}
	o := connOptions(opts)
	o.Context, o.Subprotocol, o.Extensions, o.Offered = ctx, subprotocol, extensions, offered
	c, err := websocket.NewConn(s, &o)
	if err != nil {
		// To NewConn the server's extensions are an option.
		if wrong, ok := strings.CutPrefix(err.Error(), "websocket: the option Extensions has "); ok {
			return nil, fail("the answer has %s", wrong)
		}
		return nil, fail("%v", err)
	}
	return c, nil
}

// connOptions returns the options that hold for the connection, however it is made.
func connOptions(opts *websocket.DialOptions) websocket.ConnOptions {
	return websocket.ConnOptions{
		Client:               true,
		CompressionThreshold: opts.CompressionThreshold, CompressionTuning: opts.CompressionTuning,
		ReadLimit: opts.ReadLimit, QueueLimit: opts.QueueLimit, CloseTimeout: opts.CloseTimeout, KeepAlive: opts.KeepAlive,
		CloseOnCancel: opts.CloseOnCancel, Passive: opts.Passive, AnyText: opts.AnyText,
		OnPingReceived: opts.OnPingReceived, OnPongReceived: opts.OnPongReceived, Trace: opts.Trace,
	}
}

// maxBodyStart is how much of the body of a failed handshake is kept, and bodyTime how long it may take.
const (
	maxBodyStart = 1024
	bodyTime     = 3 * time.Second
)

// keepStart replaces the response's body by its first bytes, and ends the stream.
func keepStart(ctx context.Context, resp *http.Response, s *stream) {
	defer s.Close()
	giveUp := time.AfterFunc(bodyTime, func() { s.CancelRead(requestCancelled) })
	defer giveUp.Stop()
	defer context.AfterFunc(ctx, func() { s.CancelRead(requestCancelled) })()
	var start []byte
	if resp.StatusCode != http.StatusOK {
		start, _ = io.ReadAll(io.LimitReader(resp.Body, maxBodyStart))
	}
	resp.Body = bodyStart{bytes.NewReader(start)}
}

// A bodyStart is the start of a response's body, in memory: it can be read again.
type bodyStart struct{ *bytes.Reader }

func (bodyStart) Close() error { return nil }

// requestFields are header fields that HTTPHeader can't set: the request has its own, or must not have them.
var requestFields = map[string]bool{
	"Connection": true, "Upgrade": true, "Sec-Websocket-Key": true, "Sec-Websocket-Version": true, "Sec-Websocket-Protocol": true,
	"Sec-Websocket-Extensions": true, "Host": true, "Content-Length": true, "Transfer-Encoding": true, "Trailer": true,
	"Keep-Alive": true, "Proxy-Connection": true, "Te": true, // RFC 9114, section 4.2
}

// newRequest makes the extended CONNECT, and returns what it offers as extensions.
func newRequest(ctx context.Context, rawURL string, opts *websocket.DialOptions) (req *http.Request, offered string, err error) {
	u, err := url.Parse(rawURL)
	switch {
	case err != nil:
		return nil, "", errors.New("websocket: the URL is malformed (it is not shown, because it may contain a password)")
	case u.Scheme == "wss":
		u.Scheme = "https"
	case u.Scheme != "https":
		return nil, "", fmt.Errorf("websocket: the URL has the scheme %q; HTTP/3 needs wss or https", u.Scheme)
	}
	if u.Hostname() == "" {
		return nil, "", errors.New("websocket: the URL has no Host")
	}
	u.Fragment, u.RawFragment = "", ""
	u.RawPath, u.RawQuery = encoded(u.RawPath, "\"<>\\^`{|}"), encoded(u.RawQuery, "\"<>'")
	if offered, err = websocket.OfferDeflate(opts.CompressionMode, opts.CompressionTuning); err != nil {
		return nil, "", err
	}
	h := make(http.Header)
	host := opts.Host
	for name, values := range opts.HTTPHeader {
		if name = http.CanonicalHeaderKey(name); !requestFields[name] {
			h[name] = append(h[name], values...)
		} else if name == "Host" && host == "" && len(values) > 0 {
			host = values[0]
		}
	}
	h.Set("Sec-WebSocket-Version", "13")
	subprotocols := offeredSubprotocols(opts)
	for _, p := range subprotocols {
		if !isSubprotocol(p) {
			return nil, "", fmt.Errorf("websocket: the subprotocol %q has a comma, a space, or a character that is not printable ASCII", p)
		}
	}
	if len(subprotocols) > 0 {
		h.Set("Sec-WebSocket-Protocol", strings.Join(subprotocols, ", "))
	}
	if offered != "" {
		h.Set("Sec-WebSocket-Extensions", offered)
	}
	req = &http.Request{Method: http.MethodConnect, Proto: "websocket", ProtoMajor: 3, URL: u, Host: host, Header: h}
	if u.User != nil && h.Get("Authorization") == "" {
		password, _ := u.User.Password()
		req.SetBasicAuth(u.User.Username(), password)
	}
	if jar := clientOf(opts).Jar; jar != nil {
		for _, cookie := range jar.Cookies(u) {
			req.AddCookie(cookie)
		}
	}
	return req.WithContext(ctx), offered, nil
}

// encoded percent-encodes spaces, control characters, all outside ASCII, and what is in more: what no request may have (RFC 3986,
// section 2.1), and what would make net/url forget the path's own percent-encoding.
func encoded(s, more string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7F || strings.IndexByte(more, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// offeredSubprotocols returns the subprotocols to offer: the option's, then those of HTTPHeader.
func offeredSubprotocols(opts *websocket.DialOptions) []string {
	offered := slices.DeleteFunc(slices.Clone(opts.Subprotocols), func(p string) bool { return p == "" })
	for name := range maps.Keys(opts.HTTPHeader) {
		if !equalFold("Sec-WebSocket-Protocol", name) {
			continue
		}
		for _, line := range opts.HTTPHeader[name] {
			for p := range strings.SplitSeq(line, ",") {
				if p = strings.Trim(p, " \t"); p != "" && !slices.Contains(offered, p) {
					offered = append(offered, p)
				}
			}
		}
	}
	return offered
}

// chosenSubprotocol returns the subprotocol that the server chose of those that were offered, as websocket.Dial does: the case of
// ASCII letters does not matter, and some servers send an empty field if they choose none.
func chosenSubprotocol(h http.Header, opts *websocket.DialOptions) (string, error) {
	var chosen []string
	for _, line := range h.Values("Sec-WebSocket-Protocol") {
		if line = strings.TrimSpace(line); line != "" {
			chosen = append(chosen, line)
		}
	}
	switch {
	case len(chosen) == 0:
		return "", nil
	case len(chosen) > 1:
		return "", fmt.Errorf("the answer has %d subprotocols", len(chosen))
	case !slices.ContainsFunc(offeredSubprotocols(opts), func(p string) bool { return equalFold(p, chosen[0]) }):
		return "", fmt.Errorf("the answer has the subprotocol %.64q, which was not offered", chosen[0])
	}
	return chosen[0], nil
}

func clientOf(opts *websocket.DialOptions) *http.Client {
	return cmp.Or(opts.HTTPClient, http.DefaultClient)
}
