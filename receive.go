package websocket

import (
	"fmt"
	"io"
	"math"
	"sync/atomic"

	"github.com/closeonce/websocket/internal/mask"
	"github.com/closeonce/websocket/internal/transport"
	"github.com/closeonce/websocket/internal/utf8"
)

// A receiver parses frames: bytes in, frames out. It does no I/O. It belongs to the holder of the read turn, which is a call
// of the application's or the reader goroutine. A holder can stop anywhere, even inside a header. The next one continues
// there.
type receiver struct {
	client   bool // we are the client
	anyText  bool // the option, for what is sent as well: text is not checked; never changed
	checking bool // the message on the wire is text, and not compressed
	// inMessage: a fragmented message has begun on the wire and not ended.
	inMessage bool
	// parsingDone: the peer's Close has come, or a violation. What follows is dropped without parsing.
	parsingDone bool
	text        utf8.Validator
	// frames counts the data frames since the last wait for bytes: 0, 1, or 2 for two or more.
	frames uint8

	inbox   transport.Inbox
	frame   header // the one on the wire
	left    int64  // bytes of its payload that are still to be taken
	ahead   *readAhead
	message message
	fresh   fresh // counts that are not published yet

	// limit is how many bytes a message may have, decoded; negative: any number. SetReadLimit sets it without the turn.
	limit atomic.Int64
}

// A message is the state of the message that the application is reading.
type message struct {
	frame  record // the frame it is at
	size   int64  // bytes of payload, as far as headers have announced
	number uint32 // changes with each message, so that a Reader can tell whether this is still its own
	empty  int16  // how many frames without payload it has
	typ    uint8
	open   bool // it has begun and was not read to its end
	// resume: the next Read continues this message, rather than skip it.
	resume bool

	// If it is compressed. It is either inflated as a whole, for Read, or streamed, for a Reader.
	compressed bool
	appending  bool // a Read that gave up has inflated the start of it to held
	streaming  bool // a Reader has inflated the start of it
	counted    bool // it was counted already, when it was inflated

	held *[]byte // the part of it that was read by Reads that gave up; nil: there is none
}

// A record is a data frame that the application is reading or has yet to read.
type record struct {
	opcode    opcode
	fin, rsv1 bool
	open      bool  // the rest of the payload is still on the wire
	n         int32 // bytes of the payload that are in the read-ahead
	length    int64 // of the payload
}

// maxEmptyFrames bounds the empty fragments of a message. The read limit bounds all others.
const maxEmptyFrames = 4096

// found is what next has found in the inbox.
type found uint8

const (
	needBytes found = iota
	controlFrame
	dataFrame
)

// next goes to the payload of the next frame on the wire. The frame before must have been taken whole. For a control frame,
// next returns the payload, which is valid until more bytes are read. deflate says that permessage-deflate was agreed on.
// The error is a violation.
func (r *receiver) next(deflate bool) (found, opcode, []byte, error) {
	b := r.inbox.Bytes()
	h, n, err := parseHeader(b)
	if n > 0 && err == nil {
		err = h.check(legality{fromClient: !r.client, inMessage: r.inMessage, deflate: deflate})
	}
	if err != nil {
		return needBytes, 0, nil, err
	}
	if n == 0 || h.opcode.control() && len(b)-n < int(h.length) {
		return needBytes, 0, nil, nil
	}
	r.inbox.Take(n)
	if h.opcode.control() {
		payload := b[n : n+int(h.length)]
		r.inbox.Take(len(payload))
		if h.masked {
			mask.XOR(payload, h.key, 0)
		}
		r.fresh.frames++
		return controlFrame, h.opcode, payload, nil
	}
	r.frame = h
	r.begin()
	if h.length == 0 {
		err = r.checkText(nil)
	}
	return dataFrame, h.opcode, nil, err
}

// cutOff returns the error for a read that failed in the middle of a frame or between two.
func (r *receiver) cutOff(err error) error {
	what := "header"
	if r.left > 0 {
		what = "payload"
	}
	if err == io.EOF {
		err = errEnd
		if r.left > 0 || !r.inbox.Empty() {
			err = errCutOff
		}
	}
	return fmt.Errorf("failed to read frame %s: %w", what, err)
}

// simple parses the header at the front of b. If it is whole and legal, and begins a message that is not compressed and not
// empty, simple stores it in frame and returns its size; begin then goes to the payload. Otherwise it returns 0, and next
// has to parse it.
func (r *receiver) simple(b []byte) (size int) {
	h, size, err := parseHeader(b)
	if err != nil || size == 0 || h.rsv1 || h.opcode != opText && h.opcode != opBinary || h.length == 0 ||
		h.check(legality{fromClient: !r.client, inMessage: r.inMessage}) != nil {
		return 0
	}
	r.frame = h
	return size
}

// begin goes to the payload of a data frame.
func (r *receiver) begin() {
	h := &r.frame
	r.frames = min(r.frames+1, 2)
	r.fresh.frames++
	r.left = h.length
	r.inMessage = !h.fin
	if h.opcode != opContinuation {
		r.checking = h.opcode == opText && !h.rsv1 && !r.anyText
		r.text.Reset()
	}
}

// record returns the record of the frame on the wire.
func (r *receiver) record() record {
	h := &r.frame
	return record{opcode: h.opcode, fin: h.fin, rsv1: h.rsv1, length: h.length, open: true}
}

// enter makes frame the current frame of the message, and checks the message against its limits. The error is a violation,
// or a sizeError.
func (r *receiver) enter(frame record) error {
	m := &r.message
	m.frame = frame
	if frame.opcode != opContinuation {
		m.open, m.typ, m.size, m.empty = true, uint8(frame.opcode), 0, 0
		m.compressed = frame.rsv1
	}
	if frame.length == 0 {
		if m.empty++; m.empty > maxEmptyFrames {
			return protocolError(StatusPolicyViolation, "a message has too many empty fragments", "10.4")
		}
	}
	m.size += min(frame.length, math.MaxInt64-m.size) // a peer may announce any length
	limit := r.limit.Load()
	if limit < 0 {
		return nil
	}
	most := limit
	if m.compressed {
		most = maxInflateInput(limit)
	}
	if m.size > most {
		return sizeError{limit}
	}
	return nil
}

// maxInflateInput bounds the compressed form of a message of at most limit bytes. The
// bound is generous; it is there to end a stream of empty blocks.
func maxInflateInput(limit int64) int64 {
	if limit > math.MaxInt64/16 {
		return math.MaxInt64
	}
	return 8*limit + 64<<10
}

// take moves payload of the frame on the wire from src to dst, and unmasks and checks it. dst may be the same memory as src,
// or begin before it. The error is a violation; then dst must not be used.
func (r *receiver) take(dst, src []byte) error {
	inPlace := len(dst) > 0 && &dst[0] == &src[0]
	pos := int(r.frame.length-r.left) & 3 // the position in the masking key
	switch {
	case r.frame.masked && inPlace && len(dst) >= mask.LargeSize: // it was read past the inbox, which is empty
		mask.XORLarge(dst, r.frame.key, pos, (*mask.Block)(r.inbox.Room()))
	case r.frame.masked:
		mask.Copy(dst, src[:len(dst)], r.frame.key, pos)
	case !inPlace:
		copy(dst, src)
	}
	if r.checking {
		if err := r.checkText(dst); err != nil {
			return err // left stays above 0, so the message never counts as whole
		}
	}
	r.left -= int64(len(dst))
	return nil
}

// checkText checks p, the next payload of a text message that is not compressed. It fails at the first byte that can't be
// UTF-8 (RFC 6455, section 8.1).
func (r *receiver) checkText(p []byte) error {
	if !r.checking {
		return nil
	}
	_, ok := r.text.Write(p)
	if ok && r.left == int64(len(p)) && r.frame.fin {
		ok = r.text.Done()
	}
	if ok {
		return nil
	}
	r.left = max(r.left, 1)
	return protocolError(StatusInvalidFramePayloadData, "a text message is not UTF-8", "8.1")
}

// takeBuffered is take from the inbox. It returns how many bytes it took.
func (r *receiver) takeBuffered(dst []byte) (int, error) {
	b := r.inbox.Bytes()
	n := min(len(dst), len(b))
	if int64(n) > r.left {
		n = int(r.left)
	}
	r.inbox.Take(n)
	if err := r.take(dst[:n], b); err != nil {
		return 0, err
	}
	return n, nil
}

// skipBuffered skips the payload of the frame on the wire, as far as it is in the inbox. The rest of its message is not
// checked for UTF-8: the check would fail in the middle of a character.
func (r *receiver) skipBuffered() {
	r.checking = false
	n := min(r.left, int64(len(r.inbox.Bytes())))
	r.inbox.Take(int(n))
	r.left -= n
}

// midway reports whether a frame or a message has begun, and its end has not come.
func (r *receiver) midway() bool { return r.left > 0 || r.inMessage || !r.inbox.Empty() }

// announced returns how much payload of the message's current frame is still to be read.
func (r *receiver) announced() int64 {
	f := &r.message.frame
	if f.open {
		return min(r.left, math.MaxInt64-int64(f.n)) + int64(f.n)
	}
	return int64(f.n)
}

// ends reports whether all payload of a message that is not compressed was read, so that its reader needs no turn to learn it.
func (m *message) ends(r *receiver) bool {
	return m.frame.fin && !m.compressed && m.held == nil && r.announced() == 0
}

// end is called when the message was read to its end.
func (m *message) end() {
	*m = message{typ: m.typ, number: m.number + 1}
}

// takeHeld moves held bytes of the message to p.
func (m *message) takeHeld(p []byte) int {
	if m.held == nil {
		return 0
	}
	n := copy(p, *m.held)
	*m.held = (*m.held)[n:]
	return n
}

// stop ends parsing: all bytes that follow are dropped.
func (r *receiver) stop() {
	r.parsingDone = true
	r.inbox.Clear()
}

// reject is stop, and also drops the message that the application is reading and all messages read ahead.
func (r *receiver) reject() {
	r.stop()
	r.ahead, r.message = nil, message{number: r.message.number + 1}
	r.inbox.Release()
}

// dropAhead drops the read-ahead, and the message that the application is reading. It reports whether the read-ahead had the
// start of a message.
func (r *receiver) dropAhead() (some bool) {
	if r.ahead != nil {
		for _, f := range r.ahead.frames {
			some = some || f.opcode != opContinuation
		}
		r.ahead = nil
	}
	if r.message.open {
		r.message = message{number: r.message.number + 1}
	}
	return some
}

const (
	// readAheadLimit is how many bytes the read-ahead holds: half in the inbox, half parsed.
	readAheadLimit = 2 * transport.BufferSize
	parsedLimit    = readAheadLimit - transport.BufferSize
	// recordSize is how much of parsedLimit a frame takes, besides its payload.
	recordSize = 16
)

// A readAhead holds frames that were read before the application asked for them. bytes has the payload of the frame that the
// application is reading, then that of frames, in order. nil is an empty readAhead; most connections have that.
type readAhead struct {
	bytes  []byte
	r      int // bytes[:r] were taken
	frames []record
}

// take moves bytes of the current frame to dst.
func (a *readAhead) take(dst []byte) int {
	n := copy(dst, a.bytes[a.r:])
	a.r += n
	if a.r == len(a.bytes) {
		a.bytes, a.r = nil, 0
	}
	return n
}

// pop returns the first frame.
func (a *readAhead) pop() record {
	first := a.frames[0]
	if a.frames = a.frames[1:]; len(a.frames) == 0 {
		a.frames = nil
	}
	return first
}

// some reports whether there are frames.
func (a *readAhead) some() bool { return a != nil && len(a.frames) > 0 }

// left returns how much more fits.
func (a *readAhead) left() int {
	return parsedLimit - (len(a.bytes) - a.r) - len(a.frames)*recordSize
}

func (a *readAhead) full() bool { return a != nil && a.left() <= 0 }

// room returns space for payload to come, in proportion to what is there. The read-ahead is not full.
func (a *readAhead) room() []byte {
	if a.r > 0 {
		a.bytes = append(a.bytes[:0], a.bytes[a.r:]...)
		a.r = 0
	}
	if n := len(a.bytes); n == cap(a.bytes) {
		grown := make([]byte, n, n+min(max(n, 1024), a.left()))
		copy(grown, a.bytes)
		a.bytes = grown
	}
	return a.bytes[len(a.bytes):cap(a.bytes)]
}

// append appends a frame's record, growing by less than append would.
func (a *readAhead) append(r record) {
	if n := len(a.frames); n == cap(a.frames) {
		grown := make([]record, n, n+max(16, n/4))
		copy(grown, a.frames)
		a.frames = grown
	}
	a.frames = append(a.frames, r)
}
