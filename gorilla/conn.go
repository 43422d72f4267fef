package websocket

import (
	"cmp"
	"context"
	"errors"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/turn"
)

// A Conn is a WebSocket connection with the methods of gorilla/websocket. One goroutine may read from it. Any number may call
// WriteMessage, WriteJSON, WritePreparedMessage, WriteControl and Close. While a writer of NextWriter is open, only its own goroutine
// may call WriteMessage, WriteJSON and NextWriter: they end its message.
type Conn struct {
	c    *websocket.Conn
	size int // what a writer of NextWriter keeps

	closed       atomic.Bool
	uncompressed atomic.Bool // EnableWriteCompression(false) was called

	// unasked is the subprotocol that the server has chosen though the client did not offer it.
	unasked string

	// Reading belongs to the goroutine that reads.
	reads   deadline
	reader  *messageReader // nil: none is open
	readErr error
	held    *messageReader // a message that came with a handler's panic; nil: none
	// trouble is what a handler has left for the call that reads.
	trouble atomic.Pointer[trouble]

	mu       sync.Mutex // guards handlers; held where trouble and the interruption of reads change together
	handlers handlers

	writes   atomic.Pointer[deadline]       // nil: nobody has needed it
	writeErr atomic.Pointer[permanentError] // nil: there is none

	turn   turn.Turn      // the right to write: what is written leaves whole, one after the other
	writer *messageWriter // belongs to the write turn; nil: none is open
}

// A permanentError is the error of everything that is written from now on.
type permanentError struct{ error }

// From returns a Conn for a connection of the core. Its handlers for Pings and Pongs are never called, Pings and
// the peer's Close are answered by the connection itself, and options keep their values: text is checked for UTF-8, and there is a read
// limit, unless [Conn.SetReadLimit] lifts it. ([Conn.EnableWriteCompression] sets the threshold of compression to its default.)
func From(c *websocket.Conn) *Conn {
	return &Conn{c: c, size: defaultWriteBuffer}
}

// Modern returns the connection that c is made of. Both may be used at once: messages of both stay whole. After the connection
// was read by one of them, the other continues with the next message.
func (c *Conn) Modern() *websocket.Conn { return c.c }

// Close closes TCP, without a closing handshake, and does not wait. What the kernel has taken before arrives. Of small messages
// that wait for more to share their system call (see above) Close makes one attempt to send them.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return c.opError("close", net.ErrClosed)
	}
	c.reads.stop()
	if d := c.writes.Load(); d != nil {
		d.stop()
	}
	return c.c.CloseNow()
}

// LocalAddr returns the local address.
func (c *Conn) LocalAddr() net.Addr { return c.c.LocalAddr() }

// RemoteAddr returns the peer's address.
func (c *Conn) RemoteAddr() net.Addr { return c.c.RemoteAddr() }

// Subprotocol returns the subprotocol that was agreed on.
func (c *Conn) Subprotocol() string { return cmp.Or(c.unasked, c.c.Subprotocol()) }

// NetConn returns the connection below. Do not read from it, and do not write to it.
func (c *Conn) NetConn() net.Conn { return c.c.NetConn() }

// UnderlyingConn is NetConn.
//
// Deprecated: Use NetConn.
func (c *Conn) UnderlyingConn() net.Conn { return c.NetConn() }

// EnableWriteCompression says whether messages that begin from now on are compressed, if compression was agreed on.
func (c *Conn) EnableWriteCompression(enable bool) {
	c.uncompressed.Store(!enable)
	c.setCompression(enable)
}

func (c *Conn) setCompression(on bool) {
	if on {
		c.c.SetCompressionThreshold(0)
	} else {
		c.c.SetCompressionThreshold(math.MaxInt)
	}
}

// SetCompressionLevel returns an error if level is not one of compress/flate.
func (c *Conn) SetCompressionLevel(level int) error {
	if level < -2 || level > 9 {
		return errors.New("websocket: invalid compression level")
	}
	return nil
}

// options are those of a handshake that concern the connection.
type options struct {
	autoControl, compress bool
	writeBuffer           int
}

const defaultWriteBuffer = 4096

// closeTimeout is the option of that name: a close handler may leave the answer to the application, which gives it when it likes.
func closeTimeout(autoControl bool) time.Duration {
	if autoControl {
		return 0
	}
	return math.MaxInt64
}

// prepare returns a Conn that waits for its connection, and the functions that the connection calls.
func prepare(o options) (c *Conn, onPing func(context.Context, []byte) bool, onPong func(context.Context, []byte), mode websocket.CompressionMode) {
	c = &Conn{size: o.writeBuffer}
	if c.size <= 0 {
		c.size = defaultWriteBuffer
	}
	if o.compress {
		mode = websocket.CompressionNoContextTakeover
	}
	return c, c.pinged, c.ponged, mode
}
