package websocket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/handshake"
	"github.com/closeonce/websocket/internal/tunnel"
)

// A Dialer opens WebSockets. It may be used by several goroutines at once.
type Dialer struct {
	// NetDial dials TCP, if NetDialContext is nil. If both are, a net.Dialer does.
	NetDial func(network, addr string) (net.Conn, error)

	// NetDialContext dials TCP.
	NetDialContext func(ctx context.Context, network, addr string) (net.Conn, error)

	// NetDialTLSContext dials TLS for wss URLs, handshake included. If nil, TCP is dialled and TLSClientConfig used.
	NetDialTLSContext func(ctx context.Context, network, addr string) (net.Conn, error)

	// Proxy returns the proxy for a request. nil, or a nil URL: none.
	Proxy func(*http.Request) (*url.URL, error)

	// TLSClientConfig is the configuration of TLS. nil is the default one.
	TLSClientConfig *tls.Config

	// HandshakeTimeout bounds dialling and the handshake. 0: nothing does.
	HandshakeTimeout time.Duration

	// WriteBufferSize is as in Upgrader. ReadBufferSize has no effect.
	ReadBufferSize, WriteBufferSize int

	// WriteBufferPool has no effect.
	WriteBufferPool BufferPool

	// Subprotocols are offered to the server, the preferred first.
	Subprotocols []string

	// EnableCompression offers permessage-deflate, without context takeover.
	EnableCompression bool

	// Jar has the cookies. nil: none are sent or kept.
	Jar http.CookieJar

	// AutoControl is as in Upgrader. It is an addition to gorilla/websocket.
	AutoControl bool
}

// DefaultDialer uses the proxies of the environment, and a time-out of 45 s.
var DefaultDialer = &Dialer{
	Proxy:            http.ProxyFromEnvironment,
	HandshakeTimeout: 45 * time.Second,
}

var (
	errMalformedURL       = errors.New("malformed ws or wss URL")
	errInvalidCompression = errors.New("websocket: invalid compression negotiation")
)

// Dial is DialContext without a context.
func (d *Dialer) Dial(urlStr string, requestHeader http.Header) (*Conn, *http.Response, error) {
	return d.DialContext(context.Background(), urlStr, requestHeader)
}

// DialContext opens a WebSocket. requestHeader is sent with the request: an Origin, a Sec-WebSocket-Protocol, cookies. ctx bounds
// the handshake. If the server does not answer with a valid handshake, the error is ErrBadHandshake, and the response has
// up to 1024 bytes of its body, which need not be closed.
func (d *Dialer) DialContext(ctx context.Context, urlStr string, requestHeader http.Header) (*Conn, *http.Response, error) {
	if d == nil {
		d = DefaultDialer
	}
	u, err := url.Parse(urlStr)
	switch {
	case ctx == nil:
		return nil, nil, errors.New("websocket: DialContext was called with a nil context")
	case err != nil:
		return nil, nil, err
	case u.Scheme != "ws" && u.Scheme != "wss", u.User != nil:
		return nil, nil, errMalformedURL
	}
	header, err := d.fields(requestHeader)
	if err != nil {
		return nil, nil, err
	}
	if d.HandshakeTimeout != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.HandshakeTimeout)
		defer cancel()
	}
	once := &exchange{transport: tunnel.RoundTripper{Transport: d.transport(ctx)}, cookies: header["Cookie"]}
	c, onPing, onPong, mode := prepare(options{d.AutoControl, d.EnableCompression, d.WriteBufferSize})
	core, resp, err := websocket.Dial(ctx, urlStr, &websocket.DialOptions{
		HTTPClient:      &http.Client{Transport: once, Jar: d.Jar},
		HTTPHeader:      header,
		Subprotocols:    d.Subprotocols,
		CompressionMode: mode,
		CompressionTuning: websocket.CompressionTuning{
			OmitClientWindowBits: true,
		},
		ReadLimit:      -1,
		KeepAlive:      -1,
		CloseTimeout:   closeTimeout(d.AutoControl),
		Passive:        !d.AutoControl,
		AnyText:        true,
		OnPingReceived: onPing,
		OnPongReceived: onPong,
	})
	if resp != nil {
		maps.Copy(resp.Header, once.hidden)
	}
	if err != nil {
		return nil, resp, d.failure(once, err)
	}
	if _, bounded := ctx.Deadline(); bounded && once.conn != nil {
		once.conn.SetDeadline(time.Time{})
	}
	c.c, c.unasked = core, once.hidden.Get("Sec-Websocket-Protocol")
	return c, resp, nil
}

// fields returns the header fields to send. It refuses those that the handshake has itself. What can't be sent is left out or
// becomes a space, as in a Request's method Write; a Transport would refuse it.
func (d *Dialer) fields(given http.Header) (http.Header, error) {
	h := http.Header{}
	for name, values := range given {
		switch name {
		case "Sec-Websocket-Protocol":
			if len(d.Subprotocols) == 0 {
				break
			}
			fallthrough
		case "Upgrade", "Connection", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions":
			return nil, errors.New("websocket: duplicate header not allowed: " + name)
		}
		if !handshake.IsToken(name) {
			continue
		}
		h[name] = make([]string, len(values))
		for i, value := range values {
			h[name][i] = strings.TrimSpace(lineBreaks.Replace(value))
		}
	}
	return h, nil
}

var lineBreaks = strings.NewReplacer("\r", " ", "\n", " ")

// An exchange sends the request of one handshake. It hides from net/http and from the core what they would not accept of an answer
// and gorilla/websocket does: a Location that is not a URL, and a subprotocol that was not offered.
type exchange struct {
	transport http.RoundTripper
	cookies   []string    // the application's, which take the place of the jar's
	conn      net.Conn    // nil: there was none to send the request on
	hidden    http.Header // what was hidden of the answer
	valid     bool        // the answer accepts the handshake, but for its extensions
}

// RoundTrip implements [http.RoundTripper].
func (e *exchange) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { e.conn = info.Conn },
	}))
	if e.cookies != nil {
		r.Header = maps.Clone(r.Header)
		r.Header["Cookie"] = e.cookies
	}
	resp, err := e.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	e.hidden = http.Header{}
	//lint:ignore SA1008 this is how the core spells the names
	key, offered := r.Header["Sec-WebSocket-Key"][0], handshake.Tokens(r.Header["Sec-WebSocket-Protocol"])
	if resp.StatusCode != http.StatusSwitchingProtocols {
		e.hide(resp, "Location")
	} else if _, err := handshake.CheckStreamResponse(resp.Header, key, offered); err != nil {
		e.hide(resp, "Sec-Websocket-Protocol")
	}
	_, err = handshake.CheckResponse(resp.Header, key, offered)
	e.valid = err == nil && resp.StatusCode == http.StatusSwitchingProtocols
	return resp, nil
}

// hide takes a field out of the answer.
func (e *exchange) hide(resp *http.Response, name string) {
	if values, ok := resp.Header[name]; ok {
		e.hidden[name] = values
		delete(resp.Header, name)
	}
}

// transport makes the transport for one handshake.
func (d *Dialer) transport(ctx context.Context) *http.Transport {
	dial := d.NetDialContext
	if dial == nil && d.NetDial != nil {
		dial = func(_ context.Context, network, addr string) (net.Conn, error) { return d.NetDial(network, addr) }
	}
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	bounded := func(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
		return func(dialCtx context.Context, network, addr string) (net.Conn, error) {
			c, err := dial(dialCtx, network, addr)
			if err != nil {
				return nil, err
			}
			if t, ok := ctx.Deadline(); ok {
				if err := c.SetDeadline(t); err != nil {
					c.Close()
					return nil, err
				}
			}
			return c, nil
		}
	}
	t := &http.Transport{
		Proxy:              d.Proxy,
		DialContext:        bounded(dial),
		TLSClientConfig:    d.TLSClientConfig.Clone(),
		DisableCompression: true,
		DisableKeepAlives:  true,
		TLSNextProto:       map[string]func(string, *tls.Conn) http.RoundTripper{}, // no HTTP/2
	}
	if d.NetDialTLSContext != nil {
		t.DialTLSContext = bounded(d.NetDialTLSContext)
	}
	return t
}

// failure returns what gorilla/websocket returns for an error of the core.
func (d *Dialer) failure(e *exchange, err error) error {
	var refused *websocket.HandshakeError
	var request *url.Error
	switch {
	case errors.As(err, &refused) && e.valid:
		return errInvalidCompression
	case errors.As(err, &refused):
		return ErrBadHandshake
	case !errors.As(err, &request):
		return err
	}
	if err = e.unanswered(request.Err); e.conn == nil || d.TLSClientConfig == nil {
		return err
	}
	if i := slices.IndexFunc(d.TLSClientConfig.NextProtos, func(p string) bool { return p != "http/1.1" }); i >= 0 {
		return fmt.Errorf("websocket: TLSClientConfig.NextProtos has %q, which is not supported; is the tls.Config shared with a Transport of net/http?: %w",
			d.TLSClientConfig.NextProtos[i], err)
	}
	return err
}

// unanswered returns the error that net/http has wrapped when there was no answer.
func (e *exchange) unanswered(err error) error {
	if e.conn == nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "proxyconnect" {
			return op.Err
		}
		return err
	}
	switch cause := errors.Unwrap(err); {
	case errors.Is(err, context.DeadlineExceeded): // which is also the connection's deadline
		err = &net.OpError{Op: "read", Net: "tcp", Source: e.conn.LocalAddr(), Addr: e.conn.RemoteAddr(), Err: os.ErrDeadlineExceeded}
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	case cause != nil && strings.HasPrefix(err.Error(), "net/http: "):
		err = cause
	}
	return err
}

// NewClient opens a WebSocket on a connection.
//
// Deprecated: Use Dialer.
func NewClient(netConn net.Conn, u *url.URL, requestHeader http.Header, readBufSize, writeBufSize int) (c *Conn, response *http.Response, err error) {
	d := Dialer{
		ReadBufferSize:  readBufSize,
		WriteBufferSize: writeBufSize,
		NetDial:         func(string, string) (net.Conn, error) { return netConn, nil },
	}
	return d.Dial(u.String(), requestHeader)
}
