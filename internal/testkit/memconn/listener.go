package memconn

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// A Listener is a net.Listener for connections in memory, which [Listener.Dial] makes. Its methods may be
// called concurrently.
type Listener struct {
	dialed chan *Conn // the server's end, from Dial to Accept
	closed chan struct{}
	once   sync.Once // closes closed
	dials  atomic.Int64
}

var _ net.Listener = (*Listener)(nil)

// Listen returns a Listener.
func Listen() *Listener {
	return &Listener{dialed: make(chan *Conn), closed: make(chan struct{})}
}

// Dial connects to the listener and returns the client's end. It waits until Accept returns the server's end. If ctx is
// done first, the error wraps ctx.Err(). If the listener is closed, it wraps syscall.ECONNREFUSED.
func (l *Listener) Dial(ctx context.Context) (*Conn, error) {
	client, server := pipe(DefaultBufferSize, Addr(fmt.Sprintf("client:%d", l.dials.Add(1))), l.address())
	select {
	case l.dialed <- server:
		return client, nil
	case <-l.closed:
		return nil, client.opError("dial", syscall.ECONNREFUSED)
	case <-ctx.Done():
		return nil, client.opError("dial", ctx.Err())
	}
}

// DialContext is Dial, in the form that an http.Transport's DialContext field needs. It ignores network and addr.
func (l *Listener) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := l.Dial(ctx)
	if err != nil {
		return nil, err // not a nil *Conn in a net.Conn
	}
	return conn, nil
}

// Accept waits for a Dial and returns the server's end of its connection. After Close the error wraps
// net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.dialed:
		return conn, nil
	case <-l.closed:
		return nil, l.closedError("accept")
	}
}

// Close makes all pending and later calls of Accept and Dial fail. Accepted connections stay open.
func (l *Listener) Close() error {
	err := l.closedError("close")
	l.once.Do(func() {
		close(l.closed)
		err = nil
	})
	return err
}

// Addr returns the local address of the accepted connections.
func (l *Listener) Addr() net.Addr { return l.address() }

func (l *Listener) address() Addr { return "server:80" }

func (l *Listener) closedError(op string) error {
	return &net.OpError{Op: op, Net: l.address().Network(), Addr: l.address(), Err: net.ErrClosed}
}
