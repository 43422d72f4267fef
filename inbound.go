package websocket

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"github.com/closeonce/websocket/internal/mask"
	"github.com/closeonce/websocket/internal/utf8"
)

// inbound is the read half's state. All of it is owned by whoever holds the
// read turn: a call of the application's, or the reader goroutine. Both run the
// same code, and either can stop anywhere, even inside a header, and leave it
// to the other to go on.
type inbound struct {
	// buf holds bytes [r:w] that came and were not taken yet. nil when there
	// are none: a connection that waits holds no buffer.
	buf  *buffer
	r, w int

	// The frame on the wire.
	frame header
	left  int64 // bytes of its payload not taken yet
	// frames counts the data frames since bytes were last waited for.
	frames int32
	// inMessage: a fragmented message has begun on the wire and not ended.
	inMessage bool
	// over: the peer's Close has come. What follows is not even parsed.
	over bool
	// text checks a text message on the wire, if it is not compressed.
	text     utf8.Validator
	checking bool

	// What the wait for the socket works with.
	dst     []byte // where to read to; nil: to buf
	n       int
	ctx     context.Context // of the call that waits; nil: the reader goroutine
	err     error
	scratch *[128]byte // to wait with, where one can't wait without

	ahead   *ahead
	message message
}

// directRead is from which size on the rest of a payload is read straight into
// the memory it is wanted in, past the buffer.
const directRead = bufferSize

// maxDirectRead is about how much is read so at once: what has just been read is
// unmasked, and checked if it is text, while it is still in the CPU's cache.
const maxDirectRead = 128 << 10

// directPiece returns how much of dst the next such read is for. It leaves no small
// rest: a read for a few bytes costs as much as one for many.
func directPiece(dst []byte) []byte {
	if len(dst) < maxDirectRead+directRead {
		return dst
	}
	return dst[:maxDirectRead]
}

// errYield: the reader goroutine shall let go of the read turn.
var errYield = errors.New("yield")

// buffered returns the bytes that came and were not taken yet.
func (in *inbound) buffered() []byte {
	if in.buf == nil {
		return nil
	}
	return in.buf.b[in.r:in.w]
}

// room returns space for bytes to come, borrowing a buffer if there is none.
func (in *inbound) room() []byte {
	if in.buf == nil {
		in.buf = getBuffer()
		in.buf.b = in.buf.b[:cap(in.buf.b)]
		in.r, in.w = 0, 0
	}
	if in.r == in.w {
		in.r, in.w = 0, 0
	} else if in.r > 0 && len(in.buf.b)-in.w < maxHeader+maxControlPayload {
		in.w = copy(in.buf.b, in.buf.b[in.r:in.w])
		in.r = 0
	}
	return in.buf.b[in.w:cap(in.buf.b)]
}

// put puts bytes that came elsewhere into the buffer, which is empty; into one of
// their size if the usual one does not hold them.
func (in *inbound) put(b []byte) {
	in.letGo()
	if len(b) > bufferSize {
		in.buf = &buffer{b: slices.Clone(b)}
		in.r, in.w = 0, len(b)
		return
	}
	in.w = copy(in.room(), b)
}

// let go of the buffer if it holds nothing.
func (in *inbound) letGo() {
	if in.buf != nil && in.r == in.w {
		putBuffer(in.buf)
		in.buf, in.r, in.w = nil, 0, 0
	}
}

// receive waits for bytes and reads them: into dst, or into the buffer if dst
// is nil. It returns early if ctx ends, or, without ctx, if the reader
// goroutine is to yield; nothing is lost then.
func (c *Conn) receive(ctx context.Context, dst []byte) (int, error) {
	in := &c.in
	// Whoever ends the wait changes the state first and then interrupts, and only we,
	// who have the turn, can miss it: so while nothing has begun to end, waiting is
	// safe, and the lock can be spared.
	unasked := ctx != nil && c.calm.Load() && ctx.Err() == nil
	for {
		if !unasked {
			if err := c.mayWait(ctx); err != nil {
				return 0, err
			}
		}
		unasked = false
		if c.lazy.Load() {
			c.flushLazy()
		}
		in.dst, in.ctx = dst, ctx
		n, err := c.wait()
		in.dst, in.ctx = nil, nil
		if n > 0 {
			if ctx == nil {
				c.heard.Store(now())
			} else if !c.hearing.Load() {
				c.hearing.Store(true)
			}
			return n, nil
		}
		if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
			c.unpokeRead()
			continue
		}
		if err == nil {
			err = io.EOF
		}
		if err == io.EOF && c.halfClosed() {
			return 0, c.awaitEnd(ctx)
		}
		c.end(c.lostReason(err))
		return 0, c.err()
	}
}

// listened notes what hearing says, at t, which is now.
func (c *Conn) listened(t int64) {
	if c.hearing.Load() {
		c.hearing.Store(false)
		c.heard.Store(t)
	}
}

// halfClosed is called at the end of the stream, and reports whether our echo
// of the peer's Close is still to leave: the peer may have closed only its half.
func (c *Conn) halfClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.eof = true
	return (c.state == closeReceived || c.state == closed && !c.out.closeGone) && c.writeErr == nil && !c.ended
}

// lostReason is what the end of the stream means: after both Close frames it
// is the end that was waited for.
func (c *Conn) lostReason(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.both {
		return nil
	}
	return lost(err)
}

// mayWait says why the read turn's holder should not wait for bytes.
func (c *Conn) mayWait(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended, c.failing:
		return c.cause
	case ctx != nil && c.local:
		return c.cause
	case ctx != nil:
		return ctx.Err()
	case c.wantRead > 0:
		return errYield
	}
	return nil
}

// waitPlain is wait on a net.Conn that needs a buffer to wait with.
func (c *Conn) waitPlain() (int, error) {
	in := &c.in
	c.watchRead()
	if in.dst != nil {
		return c.nc.Read(in.dst)
	}
	if in.buf != nil {
		n, err := c.nc.Read(in.room())
		in.w += n
		return n, err
	}
	if in.scratch == nil {
		in.scratch = new([128]byte)
	}
	n, err := c.nc.Read(in.scratch[:])
	if n > 0 {
		in.put(in.scratch[:n])
	}
	return n, err
}

// watchRead makes the end of the waiting call's context interrupt the wait.
func (c *Conn) watchRead() {
	ctx := c.in.ctx
	if ctx == nil || c.ownContext(ctx) || ctx.Done() == nil {
		return
	}
	c.mu.Lock()
	if !c.ended && !c.readWatch.covers(ctx) {
		c.readWatch.set(ctx, c.pokeRead)
	}
	c.mu.Unlock()
}

// pokeRead interrupts whoever waits for bytes. The one who is interrupted finds
// out himself whether he was meant.
func (c *Conn) pokeRead() {
	c.mu.Lock()
	c.pokeReadLocked()
	c.mu.Unlock()
}

func (c *Conn) pokeReadLocked() {
	c.readPoked = true
	c.nc.SetReadDeadline(longAgo)
}

func (c *Conn) unpokeRead() {
	c.mu.Lock()
	if c.readPoked {
		c.readPoked = false
		c.nc.SetReadDeadline(time.Time{})
	}
	c.mu.Unlock()
}

// nextWireFrame reads to the next data frame's payload. Control frames before
// it are dealt with, and data that nobody wants any more is dropped.
func (c *Conn) nextWireFrame(ctx context.Context) error {
	in := &c.in
	if in.over {
		return c.drain(ctx)
	}
	for {
		if in.left > 0 { // the rest of a frame that was not wanted
			if err := c.dropPayload(ctx); err != nil {
				return err
			}
		}
		b := in.buffered()
		h, n, err := parseHeader(b)
		if n > 0 && err == nil {
			err = h.check(legality{fromClient: !c.client, inMessage: in.inMessage, deflate: c.deflate != nil})
		}
		if err != nil {
			c.violated(err)
			return c.awaitEnd(ctx)
		}
		if n == 0 || h.opcode.control() && len(b)-n < int(h.length) {
			if err := c.fill(ctx); err != nil {
				return err
			}
			continue
		}
		in.r += n
		if h.opcode.control() {
			payload := b[n : n+int(h.length)]
			in.r += len(payload)
			if h.masked {
				mask.XOR(payload, h.key, 0)
			}
			if err := c.control(ctx, h.opcode, payload); err != nil {
				return err
			}
			continue
		}
		in.begin(&h)
		if c.calm.Load() || c.wanted() {
			if h.length == 0 {
				if err := c.checkText(ctx, nil); err != nil {
					return err
				}
			}
			return nil
		}
		in.checking = false
	}
}

// begin goes to the payload of a data frame.
func (in *inbound) begin(h *header) {
	in.frames++
	in.frame, in.left = *h, h.length
	in.inMessage = !h.fin
	if h.opcode != opContinuation {
		in.checking = h.opcode == opText && !h.rsv1
		in.text.Reset()
	}
}

// pos is the place in the frame's payload that is next, as far as the masking key
// is concerned.
func (in *inbound) pos() int { return int(in.frame.length-in.left) & 3 }

// record is what the application has to know of the frame on the wire.
func (in *inbound) record() record {
	h := &in.frame
	return record{opcode: h.opcode, fin: h.fin, rsv1: h.rsv1, length: h.length, open: true}
}

// wanted asks the close machine whether a data frame is for the application.
func (c *Conn) wanted() bool {
	c.mu.Lock()
	action := c.state.step(recvData)
	closeRead := c.closeRead
	c.mu.Unlock()
	if action != deliver {
		return false
	}
	if closeRead {
		c.unwanted()
	}
	return !closeRead
}

// fill reads more bytes into the buffer.
func (c *Conn) fill(ctx context.Context) error {
	_, err := c.receive(ctx, nil)
	return err
}

// wirePayload reads at least one byte of the frame's payload, unmasked, into
// dst. The frame has some left.
func (c *Conn) wirePayload(ctx context.Context, dst []byte) (int, error) {
	in := &c.in
	if int64(len(dst)) > in.left {
		dst = dst[:in.left]
	}
	if in.r == in.w && len(dst) >= directRead {
		n, err := c.receive(ctx, directPiece(dst))
		if err != nil {
			return 0, err
		}
		return c.unmask(ctx, dst[:n], dst)
	}
	for in.r == in.w {
		if err := c.fill(ctx); err != nil {
			return 0, err
		}
	}
	b := in.buffered()
	n := min(len(dst), len(b))
	in.r += n
	return c.unmask(ctx, dst[:n], b)
}

// unmask brings payload of the frame from src, where it came, to dst, which may be the
// same memory, or begin before it. It returns how much dst holds then: all, or nothing.
func (c *Conn) unmask(ctx context.Context, dst, src []byte) (int, error) {
	in := &c.in
	inPlace := len(dst) > 0 && &dst[0] == &src[0]
	switch {
	case in.frame.masked && inPlace && len(dst) >= mask.LargeSize:
		borrowed := getBuffer()
		mask.XORLarge(dst, in.frame.key, in.pos(), (*mask.Block)(borrowed.b[:cap(borrowed.b)]))
		putBuffer(borrowed)
	case in.frame.masked:
		mask.Copy(dst, src[:len(dst)], in.frame.key, in.pos())
	case !inPlace:
		copy(dst, src)
	}
	in.left -= int64(len(dst))
	if err := c.checkText(ctx, dst); err != nil {
		return 0, err
	}
	return len(dst), nil
}

// checkText follows a text message that is not compressed, and fails at the
// first byte that can't be UTF-8 (RFC 6455, section 8.1).
func (c *Conn) checkText(ctx context.Context, p []byte) error {
	in := &c.in
	if !in.checking {
		return nil
	}
	_, ok := in.text.Write(p)
	if ok && in.left == 0 && in.frame.fin {
		ok = in.text.Done()
	}
	if ok {
		return nil
	}
	in.left = max(in.left, 0) + 1 // so that the message never counts as whole
	in.r = in.w                   // and what is read already is not taken for the rest
	in.letGo()
	c.violated(violation(StatusInvalidFramePayloadData, "a text message is not UTF-8", "8.1"))
	return c.awaitEnd(ctx)
}

// dropPayload reads the rest of the frame's payload and forgets it.
func (c *Conn) dropPayload(ctx context.Context) error {
	in := &c.in
	for in.left > 0 {
		if in.r == in.w {
			if err := c.fill(ctx); err != nil {
				return err
			}
		}
		n := min(in.left, int64(in.w-in.r))
		in.r += int(n)
		in.left -= n
	}
	return nil
}
