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
// is needed first, and closed half a minute after its last WebSocket. Dials that come while it is being opened wait for it, each within its
// own context. The zero value is ready. Its methods may be called by
// several goroutines at once; its fields must not be changed after the first call.
type Dialer struct {
	// TLSClientConfig is for the QUIC connections. Default: that of crypto/tls.
	TLSClientConfig *tls.Config

	// QUICConfig is for the QUIC connections. A KeepAlivePeriod of 0 becomes 10 s. Default: that of quic-go.
	QUICConfig *quic.Config

	// DialQUIC, if not nil, opens the QUIC connections, with configurations that are ready to use. Its context has the values of the first
	// Dial's, and ends when no Dial waits for the connection any more. Default: [quic.DialAddr].
	DialQUIC func(ctx context.Context, addr string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error)

	mu     sync.Mutex
	closed bool
	hosts  map[string]*host // by host and port
	open   map[*connection]bool
}

const (
	keepAlivePeriod = 10 * time.Second
	idleTime        = 30 * time.Second
	retiredTime     = time.Second // in which the last bytes of a connection's last WebSocket can leave
)

// A host is a server to which there is a connection, or to which one is being made. Dialer.mu guards it.
type host struct {
	conn     *connection // nil: there is none
	dialling *dialling   // nil: none is being made
}

// A dialling is a connection that is being made, for all Dials that wait for it.
type dialling struct {
	addr    string
	cancel  context.CancelFunc
	waiting int // Dials; Dialer.mu guards it

	done chan struct{} // closed when one of these is set
	conn *connection   // used by each Dial that waits
	err  error
}

// A connection is a QUIC connection with WebSockets. Dialer.mu guards what is below done.
type connection struct {
	dialer  *Dialer
	addr    string
	http    *http3.ClientConn
	quic    *quic.Conn
	done    <-chan struct{} // closed when it has ended
	used    int
	joined  int // how often it was used again
	retired bool
	idle    *time.Timer // ends the connection; nil: it is in use
}

var errClosed = fmt.Errorf("the Dialer is closed: %w", net.ErrClosed)

// Close closes the QUIC connections, and so all WebSockets on them: close those first. Dial fails from then on.
func (d *Dialer) Close() error {
	d.mu.Lock()
	d.closed = true
	for _, h := range d.hosts {
		if h.dialling != nil {
			d.finish(h.dialling, nil, errClosed)
		}
	}
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

// connect returns a connection to the URL's host that speaks RFC 9220. The caller releases it.
func (d *Dialer) connect(ctx context.Context, u *url.URL) (*connection, error) {
	addr := u.Host
	if u.Port() == "" {
		addr = net.JoinHostPort(u.Hostname(), "443")
	}
	c, making, err := d.join(ctx, addr, u.Hostname())
	if making != nil {
		c, err = d.await(ctx, making)
	}
	if err != nil {
		return nil, err
	}
	if err := c.supports(ctx); err != nil {
		c.release()
		return nil, err
	}
	return c, nil
}

// join returns the host's connection, or the one that is being made: from now on, if there was none.
func (d *Dialer) join(ctx context.Context, addr, name string) (*connection, *dialling, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, nil, errClosed
	}
	h := d.hosts[addr]
	switch {
	case h == nil:
		if d.hosts == nil {
			d.hosts = make(map[string]*host)
		}
		h = &host{}
		d.hosts[addr] = h
	case h.conn != nil && !h.conn.over():
		h.conn.used++
		h.conn.joined++
		h.conn.stopIdle()
		return h.conn, nil, nil
	}
	if h.dialling == nil {
		ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // others may wait longer than the first
		making := &dialling{addr: addr, cancel: cancel, done: make(chan struct{})}
		h.dialling = making
		go d.establish(ctx, making, name)
	}
	h.dialling.waiting++
	return nil, h.dialling, nil
}

// await waits for a connection that is being made. If nobody waits any more, it is given up.
func (d *Dialer) await(ctx context.Context, making *dialling) (*connection, error) {
	select {
	case <-making.done:
		return making.conn, making.err
	case <-ctx.Done():
	}
	d.mu.Lock()
	select {
	case <-making.done: // just now
		d.mu.Unlock()
		if making.conn != nil {
			making.conn.release()
		}
	default:
		if making.waiting--; making.waiting == 0 {
			d.finish(making, nil, ctx.Err())
		}
		d.mu.Unlock()
	}
	return nil, ctx.Err()
}

// establish makes a connection.
func (d *Dialer) establish(ctx context.Context, making *dialling, name string) {
	var c *connection
	err := errors.New("DialQUIC has not returned")
	defer func() { // it may have panicked, or ended the goroutine
		if v := recover(); v != nil {
			err = fmt.Errorf("DialQUIC panicked: %v", v)
		}
		d.mu.Lock()
		kept := d.finish(making, c, err)
		d.mu.Unlock()
		if c != nil && !kept {
			c.end()
		}
	}()
	q, err := d.dialQUIC(ctx, making.addr, name)
	if err == nil && q == nil {
		err = errors.New("DialQUIC returned no connection")
	}
	if err == nil {
		transport := &http3.Transport{DisableCompression: true}
		c = &connection{dialer: d, addr: making.addr, http: transport.NewClientConn(q), quic: q, done: q.Context().Done()}
	}
}

// finish gives the result to all who wait, unless they have one. It reports whether c is the host's connection now. The caller holds
// mu.
func (d *Dialer) finish(making *dialling, c *connection, err error) (kept bool) {
	h := d.hosts[making.addr]
	if h == nil || h.dialling != making {
		return false
	}
	h.dialling = nil
	if c != nil {
		c.used = making.waiting
		h.conn = c // the one before is over
		if d.open == nil {
			d.open = make(map[*connection]bool)
		}
		d.open[c] = true
	} else if h.conn == nil {
		delete(d.hosts, making.addr)
	}
	making.conn, making.err = c, err
	close(making.done)
	making.cancel()
	return c != nil
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
	case c.used > 0 || c.dialer.closed:
	case c.over():
		c.forget()
		delete(c.dialer.open, c)
	default:
		c.stopIdle()
		after := idleTime
		if c.retired {
			after = retiredTime
		}
		joined := c.joined
		c.idle = time.AfterFunc(after, func() { c.endIdle(joined) })
	}
}

// endIdle ends a connection that has had no WebSocket for long, unless it has been joined since.
func (c *connection) endIdle(joined int) {
	c.dialer.mu.Lock()
	unused := c.joined == joined
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
	h := c.dialer.hosts[c.addr]
	if h == nil || h.conn != c {
		return
	}
	if h.conn = nil; h.dialling == nil {
		delete(c.dialer.hosts, c.addr)
	}
}

// retire lets the next Dial open another connection. The WebSockets on this one go on.
func (c *connection) retire() {
	c.dialer.mu.Lock()
	defer c.dialer.mu.Unlock()
	c.retired = true
	c.forget()
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
