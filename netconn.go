package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/closeonce/websocket/internal/streamconn"
)

// NetConn returns the net.Conn below the WebSocket. It gives access to the state of TLS (a [*tls.Conn]), the peer's
// credentials (a [*net.UnixConn]), and a socket's options (a [*net.TCPConn]). The result is never nil. NetConn may be called
// at any time; after the connection's end the net.Conn is closed.
//
// Do nothing with the net.Conn that reads, writes or closes the stream: no Read, Write, Close, CloseRead or CloseWrite, no
// deadlines, no handshake or renegotiation of TLS, no File whose descriptor is used for I/O. The WebSocket would lose its
// place in the stream, or end. To close it, use [Conn.Close] or [Conn.CloseNow].
//
// After [Accept], the result is the connection that the http.Server accepted, as Hijack returned it. After [Dial], it is the
// connection that the Transport dialed: through a proxy, the connection to the proxy, or the TLS inside it. With a
// RoundTripper that is not net/http's, it is the response's body, if that is a net.Conn; otherwise NetConn returns a net.Conn
// that wraps the body and has no addresses. Over HTTP/2 it stands for the stream, and has the HTTP/2 connection's addresses.
// After [NewConn], it is the stream if that is a net.Conn, and a net.Conn that wraps it otherwise.
//
// Do not confuse this method with the function [NetConn], which turns a WebSocket into a net.Conn.
func (c *Conn) NetConn() net.Conn {
	nc := c.transport.NetConn()
	if s, ok := nc.(*streamconn.Conn); ok {
		return s.Below()
	}
	return nc
}

// NetConn turns a Conn into a net.Conn, to tunnel a byte stream through it. Each
// Write sends one message of type msgType; Read reads the messages' payloads one
// after the other. When a message of the other type comes, Read closes the connection
// with 1003 (StatusUnsupportedData) and returns an error. If msgType is neither
// MessageText nor MessageBinary, Read and Write return an error. Each Write of MessageText must be UTF-8 by itself.
//
// NetConn lifts the read limit. ctx bounds the life of the connection: when it is done,
// the connection is closed as by CloseNow, and calls return an error that wraps both
// [net.ErrClosed] and ctx.Err(). After the peer's Close with 1000 or 1001, Read returns
// io.EOF, and Write returns an error that wraps net.ErrClosed and the [CloseError].
// Close closes with 1000 and waits as [Conn.Close] does. A deadline ends the calls that it
// is for, with os.ErrDeadlineExceeded. It does not end the connection, even with the option
// CloseOnCancel. If the write deadline passes in the middle of a message, the rest is still
// sent, and Write returns len(p) with the error.
//
// The addresses are those of the underlying connection.
func NetConn(ctx context.Context, c *Conn, msgType MessageType) net.Conn {
	if ctx == nil {
		ctx = context.Background()
	}
	c.SetReadLimit(-1)
	n := &netConn{c: c, typ: msgType}
	end := func() {
		c.end((*closing).abandon, fmt.Errorf("%w, because NetConn's context is done: %w", errClosedNow, ctx.Err()))
	}
	n.stop = context.AfterFunc(ctx, end)
	if ctx.Err() != nil {
		end() // before any call, and not only soon
	}
	if ctx.Done() != nil { // ctx may outlive the connection: it must not keep that in memory
		context.AfterFunc(c.Context(), func() { n.stop() })
	}
	n.read.init()
	n.write.init()
	return n
}

type netConn struct {
	c    *Conn
	typ  MessageType
	stop func() bool

	read, write callDeadline
}

func (n *netConn) LocalAddr() net.Addr  { return n.c.LocalAddr() }
func (n *netConn) RemoteAddr() net.Addr { return n.c.RemoteAddr() }

func (n *netConn) Close() error {
	n.stop()
	defer n.read.stop()
	defer n.write.stop()
	return n.c.Close(StatusNormalClosure, "")
}

// check returns an error if NetConn was given an invalid message type.
func (n *netConn) check() error {
	if n.typ != MessageText && n.typ != MessageBinary {
		return fmt.Errorf("websocket: NetConn was called with the message type %v; use MessageText or MessageBinary", n.typ)
	}
	return nil
}

func (n *netConn) Write(p []byte) (int, error) {
	if err := n.check(); err != nil {
		return 0, err
	}
	ctx := n.write.context()
	if ctx.Err() != nil {
		return 0, netFailure(ctx, ctx.Err())
	}
	sent, err := n.c.write(ctx, n.typ, p, false)
	if sent {
		return len(p), netFailure(ctx, err)
	}
	return 0, netFailure(ctx, err)
}

func (n *netConn) Read(p []byte) (int, error) {
	if err := n.check(); err != nil {
		return 0, err
	}
	ctx := n.read.context()
	if err := ctx.Err(); err != nil {
		return 0, netFailure(ctx, err)
	}
	k, err := n.c.readStream(ctx, n.typ, p)
	switch CloseStatus(err) {
	case StatusNormalClosure, StatusGoingAway:
		return k, io.EOF
	}
	return k, netFailure(ctx, err)
}

var errMessageType = errors.New("websocket: NetConn received a message of the other type, text or binary; the connection was closed with 1003 (StatusUnsupportedData)")

// readStream reads into p from messages of one type, as if they were a stream.
func (c *Conn) readStream(ctx context.Context, typ MessageType, p []byte) (int, error) {
	if err := c.takeRead(ctx); err != nil {
		return 0, c.explain(ctx, err)
	}
	n, err := c.streamPayload(ctx, typ, p)
	c.leaveRead()
	if err == errMessageType {
		c.CloseContext(ctx, StatusUnsupportedData, "unexpected message type")
	}
	return n, c.explain(ctx, err)
}

// streamPayload is readStream's work, with the read turn.
func (c *Conn) streamPayload(ctx context.Context, typ MessageType, p []byte) (int, error) {
	m := &c.receiver.message
	for {
		if !m.open {
			if err := c.nextFrame(ctx); err != nil {
				return 0, err
			}
			m.resume = true // a later call of this or of Conn.Read continues it
		}
		if MessageType(m.typ) != typ {
			return 0, errMessageType
		}
		if m.appending {
			if err := c.inflateRest(ctx); err != nil {
				return 0, err
			}
		}
		if len(p) == 0 {
			return 0, nil
		}
		if n := m.takeHeld(p); n > 0 {
			return n, nil
		}
		n, done, err := c.produce(ctx, p)
		if done {
			c.endMessage()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// netFailure translates an error of a call under ctx into those of a net.Conn.
func netFailure(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) && !errors.Is(err, net.ErrClosed) && context.Cause(ctx) == os.ErrDeadlineExceeded {
		return os.ErrDeadlineExceeded
	}
	return err
}

func (n *netConn) SetDeadline(t time.Time) error {
	n.read.set(t)
	n.write.set(t)
	return nil
}

func (n *netConn) SetReadDeadline(t time.Time) error {
	n.read.set(t)
	return nil
}

func (n *netConn) SetWriteDeadline(t time.Time) error {
	n.write.set(t)
	return nil
}

// A callDeadline implements a deadline by a context. Calls use the current context, which
// is cancelled when the deadline passes. Moving an expired deadline makes a new context.
type callDeadline struct {
	mu     sync.Mutex
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// init makes a context without a deadline. It is not cancelled when the connection ends,
// because messages that came before can still be read. Calls find the reason themselves.
func (d *callDeadline) init() {
	d.ctx, d.cancel = context.WithCancelCause(context.Background())
}

func (d *callDeadline) context() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ctx
}

func (d *callDeadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		// The timer fires at this moment, for calls that have begun.
		d.cancel(os.ErrDeadlineExceeded)
	}
	d.timer = nil
	if d.ctx.Err() != nil {
		d.init()
	}
	if t.IsZero() {
		return
	}
	cancel := d.cancel
	if wait := time.Until(t); wait > 0 {
		d.timer = time.AfterFunc(wait, func() { cancel(os.ErrDeadlineExceeded) })
	} else {
		cancel(os.ErrDeadlineExceeded)
	}
}

// stop stops the timer.
func (d *callDeadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
}
