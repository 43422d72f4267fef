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

// NetConn returns the net.Conn below the WebSocket, for what the WebSocket does not tell: the state of TLS (a
// [*tls.Conn]), the peer's credentials (a [*net.UnixConn]), a socket's options (a [*net.TCPConn]). It is never nil. It
// may be called at any time; after the connection's end the net.Conn is closed.
//
// Do nothing to it that reads, writes, closes or moves the stream: no Read, Write, Close, CloseRead or CloseWrite, no
// deadlines, no handshake or renegotiation of TLS, no File whose descriptor is used for I/O. The connection would lose
// its place in the stream, or end. To close it, use [Conn.Close] or [Conn.CloseNow].
//
// After [Accept] it is what the http.Server had accepted and Hijack gave. After [Dial] it is what the Transport had
// dialed: through a proxy, the connection to the proxy, or the TLS inside it. With a RoundTripper that is not
// net/http's, it is the response's body, if that is a net.Conn. If it is not (a stream of an HTTP/2 connection, for
// example), NetConn returns a net.Conn that is made of the body and has no addresses.
//
// It is not the function [NetConn], which makes a net.Conn of the WebSocket.
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
// MessageText nor MessageBinary, Read and Write return an error.
//
// It lifts the read limit. ctx bounds the life of the whole: when it is done, the
// connection is closed as by CloseNow, and calls return an error that is both
// [net.ErrClosed] and the context's. After a Close of the peer's with 1000 or 1001,
// Read returns io.EOF; Write returns an error that is net.ErrClosed and holds the
// [CloseError]. Close closes with 1000 and waits as [Conn.Close] does. Deadlines end
// the calls they are for, with os.ErrDeadlineExceeded, and not the connection, with
// the option CloseOnCancel too. When the write deadline passes in the middle of a
// message, the rest of it is still sent, and Write returns len(p) with the error.
//
// The addresses are those of the underlying connection.
func NetConn(ctx context.Context, c *Conn, msgType MessageType) net.Conn {
	c.SetReadLimit(-1)
	n := &netConn{c: c, typ: msgType}
	n.stop = context.AfterFunc(ctx, func() {
		c.end(fmt.Errorf("%w, because NetConn's context is done: %w", errClosedNow, ctx.Err()))
	})
	if ctx.Done() != nil { // which may live on, and hold a connection that others than Close have ended
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

// check returns an error if NetConn was given a type that no message has.
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

var errMessageType = errors.New("websocket: NetConn is for messages of one type, text or binary, and received one of the other; the connection is closed with 1003 (StatusUnsupportedData)")

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
			m.resume = true // another NetConn or Read may go on with it
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

// A callDeadline is a deadline in the form of contexts: calls work under the
// current one, which ends when the deadline passes. Moving an expired deadline
// makes a new one.
type callDeadline struct {
	mu     sync.Mutex
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// init sets no deadline. The context does not end with the connection: what came
// before the end is still to be read, and calls find the reason by themselves.
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
		// It rings at this moment, for calls that are under way.
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
