package websocket

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"sync/atomic"

	"github.com/closeonce/websocket/internal/deflate"
	"github.com/closeonce/websocket/internal/handshake"
	"github.com/closeonce/websocket/internal/transport"
	"github.com/closeonce/websocket/internal/utf8"
)

// This file has the options of permessage-deflate (RFC 7692), what a connection keeps for
// it, and its use for messages (section 6). Package internal/handshake negotiates it.

// The bounds of a window's size, as the exponent of 2 (RFC 7692, section 7.1.2).
const (
	minWindowBits = handshake.MinWindowBits
	maxWindowBits = handshake.MaxWindowBits
)

// CompressionTuning refines a CompressionMode that is not CompressionDisabled.
// The zero value is the default.
type CompressionTuning struct {
	// ServerWindowBits and ClientWindowBits are the largest windows that the
	// server and the client compress with, 8 to 15: a window has 2 to the power
	// of it bytes. With context takeover each end keeps both windows for as long
	// as the connection lives, as far as they have been filled: up to 64 KiB with
	// the default of 15, 8 KiB with 12. A peer that can't be told about a smaller
	// window is asked to do without takeover in that direction.
	ServerWindowBits, ClientWindowBits int

	// ServerNoContextTakeover and ClientNoContextTakeover switch context takeover
	// off for what the server and the client sends, if CompressionMode is
	// CompressionContextTakeover.
	ServerNoContextTakeover, ClientNoContextTakeover bool

	// OmitClientWindowBits makes Dial offer no client_max_window_bits: a server then
	// can't ask for a smaller window of ours, and may not answer with that parameter.
	// It is for servers that refuse, or do not understand, an offer that has it.
	// ClientWindowBits is obeyed all the same. Accept takes no notice of it.
	OmitClientWindowBits bool

	// Effort is how hard this end tries to make what it sends short: 0 is the
	// default, -1 (or less) the least effort and 3 the most. The least spends little
	// on small messages and is no different from 4 KiB on. From 1 KiB on 1 comes to
	// within 1 % of the size that zlib's default level gives, 2 and 3 below it. With
	// context takeover a positive effort costs some 40 µs more for each message,
	// however small, since the window is indexed anew. A connection owns as much
	// memory with any effort; while a message is being compressed a positive one
	// borrows 192 KiB.
	//
	// Measured on messages of JSON, CPU and size as multiples of the default's:
	//
	//	                       256 B         4 KiB        64 KiB
	//	                     CPU  size     CPU  size     CPU  size
	//	-1  no takeover     0.18  1.32    1.00  1.00    1.00  1.00
	//	    takeover        0.71  1.05    1.00  1.00    1.00  1.00
	//	 1  no takeover     1.5   0.99    2.3   0.93    3.8   0.84
	//	    takeover       36     0.83    4.2   0.83    4.0   0.82
	//	 2  no takeover     1.5   0.99    2.7   0.92    6.7   0.82
	//	    takeover       39     0.82    6.2   0.81    7.5   0.79
	//	 3  no takeover     1.5   0.99    2.8   0.92   12     0.80
	//	    takeover       42     0.80    9.5   0.79   14     0.77
	Effort int
}

// wish is what one end wants of permessage-deflate: its options, checked.
func (t CompressionTuning) wish(mode CompressionMode) (p handshake.Params, err error) {
	p = handshake.Params{
		ServerNoTakeover: t.ServerNoContextTakeover || mode == CompressionNoContextTakeover,
		ClientNoTakeover: t.ClientNoContextTakeover || mode == CompressionNoContextTakeover,
		ServerBits:       orDefault(t.ServerWindowBits, maxWindowBits, -1),
		ClientBits:       orDefault(t.ClientWindowBits, maxWindowBits, -1),

		ClientBitsOffered: !t.OmitClientWindowBits,
	}
	if t.Effort > int(deflate.MostEffort) {
		return p, fmt.Errorf("websocket: a compression effort of %d; the most is %d", t.Effort, deflate.MostEffort)
	}
	p.Effort = deflate.Effort(orDefault(t.Effort, 0, int(deflate.LeastEffort)))
	if mode != CompressionContextTakeover && mode != CompressionNoContextTakeover {
		return p, fmt.Errorf("websocket: CompressionMode %d does not exist", int(mode))
	}
	for _, bits := range []int{p.ServerBits, p.ClientBits} {
		if bits < minWindowBits || bits > maxWindowBits {
			return p, fmt.Errorf("websocket: a compression window of %d bits; 8 to 15 are possible", bits)
		}
	}
	return p, nil
}

// compression is what a connection with permessage-deflate has more.
type compression struct {
	out       deflate.Compressor   // belongs to the holder of the write turn
	in        deflate.Decompressor // belongs to the holder of the read turn
	message   inflating            // too
	threshold int
	saved     atomic.Int64 // by how much what was compressed is larger; written with the write turn
}

// newCompression sets up what was agreed on, for one end.
func newCompression(agreed handshake.Params, client bool, threshold int) *compression {
	outBits, outTakeover := agreed.ServerBits, !agreed.ServerNoTakeover
	inBits, inTakeover := agreed.ClientBits, !agreed.ClientNoTakeover
	if client {
		outBits, inBits = inBits, outBits
		outTakeover, inTakeover = inTakeover, outTakeover
	}
	z := &compression{}
	z.out.Init(outBits, outTakeover, agreed.Effort)
	z.in.Init(inBits, inTakeover)
	if outTakeover {
		z.threshold = orDefault(threshold, 128, 0)
	} else {
		z.threshold = orDefault(threshold, 512, 0)
	}
	return z
}

// writeCompressed sends one message compressed, if that makes it smaller. With
// context takeover messages must leave in the order in which they were compressed:
// so it compresses with the write turn.
func (c *Conn) writeCompressed(ctx context.Context, first firstByte, p []byte) (sent bool, err error) {
	if err := c.takeWrite(ctx); err != nil {
		return false, err
	}
	if err := c.clearTheWay(ctx); err != nil {
		return false, err
	}
	packed := transport.Get()
	defer transport.Put(packed)
	var smaller bool
	saved := int64(0)
	if packed.B, smaller = c.deflate.out.AppendMessage(packed.B, p); smaller {
		saved = int64(len(p) - len(packed.B))
		first, p = first|rsv1Bit, packed.B
	}
	if c.supervisor.unread.Load()&framesUnread != 0 && c.enqueueCorked(first, p) {
		c.deflate.saved.Add(saved)
		c.leaveWrite()
		return true, nil
	}
	if sent, err = c.writeFrame(ctx, first, p, smaller && c.deflate.out.Takeover()); sent {
		c.deflate.saved.Add(saved)
	}
	return sent, err
}

// clearTheWay writes what is left of frames before, with the write turn, which it gives back if it fails. What moves the
// compressor's window must leave, and so is not compressed before its turn has surely come.
func (c *Conn) clearTheWay(ctx context.Context) error {
	err := c.writeErr(ctx)
	if err == nil {
		err = c.flushRest(ctx, untilContext)
	}
	if err == nil {
		err = c.writeErr(ctx)
	}
	if err != nil {
		c.leaveWrite()
	}
	return err
}

// tryWriteCompressed leaves a message compressed in the queue. It reports whether it dealt with the message: not if
// somebody writes at this moment, because then it can't know the order. Room is reserved before the compressor's window
// moves.
func (c *Conn) tryWriteCompressed(first firstByte, p []byte) (bool, error) {
	if !c.tryTakeWrite() {
		return false, nil
	}
	defer c.leaveWrite()
	room := len(p) + maxHeader + deflateSlack
	c.mu.Lock()
	stopped := c.closing.stopped()
	reserved := !stopped && c.sender.reserve(room)
	c.unlock()
	switch {
	case stopped:
		return true, errOver
	case !reserved:
		return true, ErrQueueFull
	}
	packed := transport.Get()
	defer transport.Put(packed)
	var smaller bool
	saved := int64(0)
	if packed.B, smaller = c.deflate.out.AppendMessage(packed.B, p); smaller {
		saved = int64(len(p) - len(packed.B))
		first, p = first|rsv1Bit, packed.B
	}
	if err := c.enqueue(first, p, room); err != nil {
		return true, err
	}
	c.deflate.saved.Add(saved)
	if c.transport.Tries() {
		c.flush(nil, nil, tryOnce)
	}
	return true, nil
}

// deflateSlack is by how much a compressed message may be longer than it was.
const deflateSlack = 16

// maxInflateInput bounds the compressed form of a message of at most limit bytes:
// generously, but a stream of blocks that hold nothing must end.
func maxInflateInput(limit int64) int64 {
	if limit > math.MaxInt64/16 {
		return math.MaxInt64
	}
	return 8*limit + 64<<10
}

// readInflated is readMessage for a compressed message that nobody has begun to
// stream: it is inflated in one go behind buf, where matches find their history; or
// behind what calls before have had of it, which gave up.
func (c *Conn) readInflated(ctx context.Context, buf []byte, base int) (MessageType, []byte, error) {
	m := &c.receiver.message
	z := &c.deflate.in
	work, start, held := buf, base, m.appending
	if held {
		work, start = *m.held, 0
	}
	m.resume, m.appending, m.held = false, false, nil
	packed := transport.Get()
	defer transport.Put(packed)
	for {
		more, err := c.morePayload(ctx)
		if err == nil && !more {
			if err = c.checkInflated(nil, z.Finish(work, start), true); err == nil {
				typ := MessageType(m.typ)
				c.deflate.message.size = int64(len(work) - start)
				c.endMessage()
				if held {
					work = append(buf, work...)
				}
				return typ, work, nil
			}
		}
		var n int
		if err == nil {
			n, err = c.payload(ctx, packed.B[:cap(packed.B)])
		}
		if err == nil {
			before := len(work)
			var bad error
			work, bad = z.Append(work, packed.B[:n], start, c.inflateLimit())
			err = c.checkInflated(work[before:], bad, false)
		}
		if err != nil {
			if m.open {
				if !held {
					work = slices.Clone(work[start:])
				}
				m.resume, m.appending, m.held = true, true, new([]byte)
				*m.held = work
			}
			return 0, nil, err
		}
	}
}

// inflateRest reads the rest of a compressed message that a Read gave up in the
// middle, so that it can be streamed from memory.
func (c *Conn) inflateRest(ctx context.Context) error {
	m := &c.receiver.message
	number := m.number
	typ, all, err := c.readInflated(ctx, nil, 0)
	if err != nil {
		return err
	}
	*m = message{typ: uint8(typ), open: true, resume: true, counted: true, held: &all, frame: record{fin: true}, number: number}
	return nil
}

// inflating is how far a compressed message was inflated.
type inflating struct {
	text     utf8.Validator
	size     int64             // of what a Reader had of it
	packedIn *transport.Buffer // holds packed
	packed   []byte            // payload that was taken, but not inflated yet
}

// end: the message was read to its end.
func (z *inflating) end() {
	if z.packedIn != nil {
		transport.Put(z.packedIn)
	}
	*z = inflating{}
}

// inflateSome is produce for a compressed message: it streams it into dst.
func (c *Conn) inflateSome(ctx context.Context, dst []byte) (n int, done bool, err error) {
	m := &c.receiver.message
	m.streaming = true
	z := &c.deflate.message
	for {
		last := false
		if len(z.packed) == 0 {
			more, err := c.morePayload(ctx)
			if err != nil {
				return 0, false, err
			}
			if last = !more; more {
				if z.packedIn == nil {
					z.packedIn = transport.Get()
				}
				b := z.packedIn.B[:cap(z.packedIn.B)]
				n, err := c.payload(ctx, b)
				if err != nil {
					return 0, false, err
				}
				z.packed = b[:n]
			}
		}
		n, used, bad := c.deflate.in.Inflate(dst, z.packed, last)
		z.packed = z.packed[used:]
		if done = bad == io.EOF; done {
			bad = nil
		}
		z.size += int64(n)
		if limit := c.receiver.limit.Load(); bad == nil && limit >= 0 && z.size > limit {
			bad = deflate.ErrTooLong
		}
		if err := c.checkInflated(dst[:n], bad, done); err != nil {
			return 0, false, err
		}
		if n > 0 || done {
			return n, done, nil
		}
	}
}

// inflateLimit is the read limit as the decompressor wants it.
func (c *Conn) inflateLimit() int {
	limit := c.receiver.limit.Load()
	if limit < 0 || limit > math.MaxInt/2 {
		return deflate.NoLimit
	}
	return int(limit)
}

// checkInflated checks what came out of the decompressor: its error, and
// whether text is UTF-8. RFC 7692 leaves open with which code a message that
// can't be inflated is refused; 1007 is what others send.
func (c *Conn) checkInflated(p []byte, bad error, last bool) error {
	m := &c.receiver.message
	ok := true
	if MessageType(m.typ) == MessageText {
		if _, ok = c.deflate.message.text.Write(p); ok && last && bad == nil {
			ok = c.deflate.message.text.Done()
		}
	}
	switch {
	case !ok: // what came before the decompressor's error counts first
		return c.refuse(protocolError(StatusInvalidFramePayloadData, "a text message is not UTF-8", "8.1"))
	case bad == deflate.ErrTooLong:
		return c.refuse(sizeError{c.receiver.limit.Load()})
	case bad != nil:
		return c.refuse(ProtocolError{StatusInvalidFramePayloadData, "a compressed message can't be inflated: " + bad.Error()})
	}
	return nil
}
