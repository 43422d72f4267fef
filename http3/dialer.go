package http3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// A Dialer opens WebSockets over HTTP/3 (RFC 9220). Those to the same host and port share one QUIC connection, which is opened when it
// is needed first, and closed half a minute after its last WebSocket. The zero value is ready. Its methods may be called by
// several goroutines at once; its fields must not be changed after the first call.
type Dialer struct {
	// TLSClientConfig is for the QUIC connections. Default: that of crypto/tls.
	TLSClientConfig *tls.Config

	// QUICConfig is for the QUIC connections. A KeepAlivePeriod of 0 becomes 10 s. Default: that of quic-go.
	QUICConfig *quic.Config

	// DialQUIC, if not nil, opens the QUIC connections, with configurations that are ready to use. Default: [quic.DialAddr].
	DialQUIC func(ctx context.Context, addr string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error)

	mu     sync.Mutex
	closed bool
	hosts  map[string]*host // by host and port
	open   map[*connection]bool
}

const (
	keepAlivePeriod = 10 * time.Second
	idleTime        = 30 * time.Second
)

// A host is a server that a Dialer knows.
type host struct {
	turn chan struct{} // has room for one: who makes the connection
	conn *connection   // nil: there is none. Dialer.mu guards it
}

// A connection is a QUIC connection with WebSockets. Dialer.mu guards used and idle.
type connection struct {
	dialer *Dialer
	addr   string
	http   *http3.ClientConn
	quic   *quic.Conn
	done   <-chan struct{} // closed when it has ended
	used   int
	idle   *time.Timer // ends the connection; nil: it is in use
}

var errClosed = fmt.Errorf("the Dialer is closed: %w", net.ErrClosed)

// Close closes the QUIC connections, and so all WebSockets on them: close those first. Dial fails from then on.
func (d *Dialer) Close() error {
	d.mu.Lock()
	d.closed = true
	left := d.open
	d.open, d.hosts = nil, nil
	for c := range left {
		c.stopIdle()
	}
	d.mu.Unlock()
	for c := range left {
		c.end()
	}
	return nil
}

// openStream opens a stream to the URL's host, on the connection that is there or on a new one.
func (d *Dialer) openStream(ctx context.Context, u *url.URL) (*stream, *http3.RequestStream, error) {
	for again := false; ; again = true {
		c, err := d.connect(ctx, u)
		if err != nil {
			return nil, nil, err
		}
		str, err := c.http.OpenRequestStream(ctx)
		if err == nil {
			return &stream{requestStream: str, local: c.quic.LocalAddr(), remote: c.quic.RemoteAddr(), onClose: c.release}, str, nil
		}
		if ctx.Err() == nil {
			c.retire()
		}
		c.release()
		if again || ctx.Err() != nil {
			return nil, nil, err
		}
		// The connection has just ended, or the server wants no new streams on it. Nothing was sent.
	}
}

// connect returns a connection to the URL's host that speaks RFC 9220. The caller releases it.
func (d *Dialer) connect(ctx context.Context, u *url.URL) (*connection, error) {
	addr := u.Host
	if u.Port() == "" {
		addr = net.JoinHostPort(u.Hostname(), "443")
	}
	h := d.host(addr)
	if h == nil {
		return nil, errClosed
	}
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c := d.use(h)
	if c == nil {
		q, err := d.dialQUIC(ctx, addr, u.Hostname())
		if err != nil {
			d.unreached(addr, h)
			return nil, err
		}
		transport := &http3.Transport{DisableCompression: true}
		c = &connection{dialer: d, addr: addr, http: transport.NewClientConn(q), quic: q, done: q.Context().Done(), used: 1}
		kept, before := d.keep(h, c)
		if before != nil {
			before.end() // it is over
		}
		if !kept {
			c.end()
			return nil, errClosed
		}
	}
	if err := c.supports(ctx); err != nil {
		c.release()
		return nil, err
	}
	return c, nil
}

// supports waits for the server's settings, and returns an error if it does not speak RFC 9220.
func (c *connection) supports(ctx context.Context) error {
	select { // without them, a client must not send a :protocol (RFC 8441, section 3)
	case <-c.http.ReceivedSettings():
	case <-c.done:
		return context.Cause(c.quic.Context())
	case <-ctx.Done():
		return ctx.Err()
	}
	if !c.http.Settings().EnableExtendedConnect {
		return errors.New("the server does not support extended CONNECT (RFC 9220)")
	}
	return nil
}

// host returns the host with this address, or nil if the Dialer is closed.
func (d *Dialer) host(addr string) *host {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	h := d.hosts[addr]
	if h == nil {
		if d.hosts == nil {
			d.hosts = make(map[string]*host)
		}
		h = &host{turn: make(chan struct{}, 1)}
		d.hosts[addr] = h
	}
	return h
}

// use returns the host's connection, if it has one that lives.
func (d *Dialer) use(h *host) *connection {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := h.conn
	if c == nil || c.over() {
		return nil
	}
	c.used++
	c.stopIdle()
	return c
}

// keep makes c the host's connection, unless the Dialer is closed. It returns the one before, which has ended.
func (d *Dialer) keep(h *host, c *connection) (kept bool, before *connection) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false, nil
	}
	before, h.conn = h.conn, c
	if d.open == nil {
		d.open = make(map[*connection]bool)
	}
	d.open[c] = true
	d.hosts[c.addr] = h // it may have been forgotten meanwhile
	return true, before
}

// over reports whether the connection has ended.
func (c *connection) over() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// release is called when a WebSocket has ended.
func (c *connection) release() {
	c.dialer.mu.Lock()
	defer c.dialer.mu.Unlock()
	switch c.used--; {
	case c.used > 0:
	case c.over():
		c.forget()
		delete(c.dialer.open, c)
	default:
		c.stopIdle()
		c.idle = time.AfterFunc(idleTime, c.endIdle)
	}
}

// endIdle ends a connection that has had no WebSocket for long.
func (c *connection) endIdle() {
	c.dialer.mu.Lock()
	unused := c.used == 0
	if unused {
		c.forget()
		delete(c.dialer.open, c)
	}
	c.dialer.mu.Unlock()
	if unused {
		c.end()
	}
}

// forget takes the connection out of the Dialer, whose mu the caller holds.
func (c *connection) forget() {
	if h := c.dialer.hosts[c.addr]; h != nil && h.conn == c {
		h.conn = nil // for who has found the host already
		delete(c.dialer.hosts, c.addr)
	}
}

// retire lets the next Dial open another connection. The WebSockets on this one go on.
func (c *connection) retire() {
	c.dialer.mu.Lock()
	defer c.dialer.mu.Unlock()
	c.forget()
}

// unreached forgets a host that has no connection.
func (d *Dialer) unreached(addr string, h *host) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if h.conn == nil && d.hosts[addr] == h {
		delete(d.hosts, addr)
	}
}

// stopIdle is called when the connection is in use again, or ends. The caller holds Dialer.mu.
func (c *connection) stopIdle() {
	if c.idle != nil {
		c.idle.Stop()
		c.idle = nil
	}
}

// end closes the connection. quic-go waits in it, so no lock is held.
func (c *connection) end() {
	c.http.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
}

func (d *Dialer) dialQUIC(ctx context.Context, addr, name string) (*quic.Conn, error) {
	tlsConfig := &tls.Config{}
	if d.TLSClientConfig != nil {
		tlsConfig = d.TLSClientConfig.Clone()
	}
	if tlsConfig.ServerName == "" {
		tlsConfig.ServerName = name
	}
	tlsConfig.NextProtos = []string{http3.NextProtoH3}
	config := &quic.Config{}
	if d.QUICConfig != nil {
		config = d.QUICConfig.Clone()
	}
	if config.KeepAlivePeriod == 0 {
		config.KeepAlivePeriod = keepAlivePeriod
	}
	dial := d.DialQUIC
	if dial == nil {
		dial = quic.DialAddr
	}
	return dial(ctx, addr, tlsConfig, config)
}
