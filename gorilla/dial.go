package websocket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/closeonce/websocket"
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
	case err != nil:
		return nil, nil, err
	case u.Scheme != "ws" && u.Scheme != "wss", u.User != nil:
		return nil, nil, errMalformedURL
	}
	if err := d.checkHeader(requestHeader); err != nil {
		return nil, nil, err
	}
	if d.HandshakeTimeout != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.HandshakeTimeout)
		defer cancel()
	}
	var dialled net.Conn
	c, onPing, onPong, mode := prepare(options{d.AutoControl, d.EnableCompression, d.WriteBufferSize})
	core, resp, err := websocket.Dial(ctx, urlStr, &websocket.DialOptions{
		HTTPClient: &http.Client{
			Transport:     d.transport(ctx, &dialled),
			Jar:           d.Jar,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		HTTPHeader:      requestHeader,
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
	if err != nil {
		return nil, resp, d.failure(resp, err)
	}
	if _, bounded := ctx.Deadline(); bounded && dialled != nil {
		dialled.SetDeadline(time.Time{})
	}
	c.c = core
	return c, resp, nil
}

// checkHeader refuses the fields that the handshake has itself.
func (d *Dialer) checkHeader(h http.Header) error {
	for name := range h {
		switch name {
		case "Sec-Websocket-Protocol":
			if len(d.Subprotocols) == 0 {
				continue
			}
		case "Upgrade", "Connection", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions":
		default:
			continue
		}
		return errors.New("websocket: duplicate header not allowed: " + name)
	}
	return nil
}

// transport makes the transport for one handshake. It stores the connection that it dials in dialled.
func (d *Dialer) transport(ctx context.Context, dialled *net.Conn) *http.Transport {
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
			*dialled = c
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
func (d *Dialer) failure(resp *http.Response, err error) error {
	var refused *websocket.HandshakeError
	var request *url.Error
	switch {
	case errors.As(err, &refused) && resp.StatusCode == http.StatusSwitchingProtocols && resp.Header.Get("Sec-Websocket-Extensions") != "":
		return errInvalidCompression
	case errors.As(err, &refused):
		return ErrBadHandshake
	case !errors.As(err, &request):
		return err
	}
	err = request.Err
	if d.TLSClientConfig != nil {
		if i := slices.IndexFunc(d.TLSClientConfig.NextProtos, func(p string) bool { return p != "http/1.1" }); i >= 0 {
			return fmt.Errorf("websocket: TLSClientConfig.NextProtos has %q, which is not supported; is the tls.Config shared with a Transport of net/http?: %w",
				d.TLSClientConfig.NextProtos[i], err)
		}
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
