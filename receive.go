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

// A receiver takes frames apart: bytes in, frames out. It does no I/O. It belongs to whoever holds the read turn: a call of
// the application's, or the reader goroutine. Either can stop anywhere, even inside a header, and leave it to the other
// to go on.
type receiver struct {
	client   bool // we are; the peer is not
	checking bool // the message on the wire is text, and not compressed
	// inMessage: a fragmented message has begun on the wire and not ended.
	inMessage bool
	// parsingDone: the peer's Close has come, or a violation. What follows is dropped without parsing.
	parsingDone bool
	text        utf8.Validator
	// frames counts the data frames since bytes were last waited for: 0, 1, or 2 for more.
	frames uint8

	inbox   transport.Inbox
	frame   header // the one on the wire
	left    int64  // bytes of its payload that were not taken yet
	ahead   *readAhead
	message message
	fresh   fresh // what was counted lately

	// limit is how many bytes a message may have, decoded; negative: any number. It is set by anybody.
	limit atomic.Int64
}

// A message is how far the application has come in the stream of messages.
type message struct {
	frame  record // the frame it is at
	size   int64  // bytes of payload, as far as headers have announced
	number uint32 // tells a Reader whether it is still its message
	empty  int16  // frames without payload
	typ    uint8
	open   bool // it has begun and was not read to its end
	// resume: a Read gave up in the middle. The next one goes on.
	resume bool

	// If it is compressed. Either it is inflated in one go, by Reads only, or it is streamed.
	compressed bool
	appending  bool // a Read inflated the start of it: held
	streaming  bool // a Reader inflated the start of it
	counted    bool // it was counted when it was inflated

	held *[]byte // what Reads that gave up had of it; nil: none did
}

// A record is a data frame on its way to the application.
type record struct {
	opcode    opcode
	fin, rsv1 bool
	open      bool  // the rest of the payload is still on the wire
	n         int32 // bytes of the payload that are in the read-ahead
	length    int64 // of the payload
}

// maxEmptyFrames bounds the fragments of a message that carry nothing. All others are bounded by the read limit.
const maxEmptyFrames = 4096

// found is what next finds.
type found uint8

const (
	needBytes found = iota
	controlFrame
	dataFrame
)

// next goes to the payload of the next frame on the wire. Of the frame before, nothing is left. A control frame comes with
// its payload, which stays where it is until more bytes come. deflate says that permessage-deflate was agreed on. The error
// is a violation.
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

// cutOff is why the frame under way, or the next one, can't be read.
func (r *receiver) cutOff(err error) error {
	what := "header"
	if r.left > 0 {
		what = "payload"
	}
	if err == io.EOF {
		err = errEnd
		if r.left > 0 || !r.inbox.Empty() {
			err = io.ErrUnexpectedEOF
		}
	}
	return fmt.Errorf("failed to read frame %s: %w", what, err)
}

// simple looks at the header at the front of b, and returns its size if it begins a message and there is nothing else
// about it; then frame has it, and begin goes to its payload. Otherwise it returns 0: it is for next.
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
		r.checking = h.opcode == opText && !h.rsv1
		r.text.Reset()
	}
}

// record is what the application has to know of the frame on the wire.
func (r *receiver) record() record {
	h := &r.frame
	return record{opcode: h.opcode, fin: h.fin, rsv1: h.rsv1, length: h.length, open: true}
}

// enter has the message go to a data frame, and holds it against its limits. The error is a violation, or
// ErrMessageTooBig.
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
	m.size += min(frame.length, math.MaxInt64-m.size) // a lie may be as large as that
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

// maxInflateInput bounds the compressed form of a message of at most limit bytes:
// generously, but a stream of blocks that hold nothing must end.
func maxInflateInput(limit int64) int64 {
	if limit > math.MaxInt64/16 {
		return math.MaxInt64
	}
	return 8*limit + 64<<10
}

// take brings payload of the frame on the wire from src, where it came, to dst, which may be the same memory, or begin
// before it. The error is a violation; then dst counts for nothing.
func (r *receiver) take(dst, src []byte) error {
	inPlace := len(dst) > 0 && &dst[0] == &src[0]
	pos := int(r.frame.length-r.left) & 3 // as far as the masking key is concerned
	switch {
	case r.frame.masked && inPlace && len(dst) >= mask.LargeSize:
		borrowed := transport.Get()
		mask.XORLarge(dst, r.frame.key, pos, (*mask.Block)(borrowed.B[:cap(borrowed.B)]))
		transport.Put(borrowed)
	case r.frame.masked:
		mask.Copy(dst, src[:len(dst)], r.frame.key, pos)
	case !inPlace:
		copy(dst, src)
	}
	if r.checking {
		if err := r.checkText(dst); err != nil {
			return err // left stays above 0: the message never counts as whole
		}
	}
	r.left -= int64(len(dst))
	return nil
}

// checkText follows a text message that is not compressed, and fails at the first byte that can't be UTF-8 (RFC 6455,
// section 8.1). p is about to be taken.
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

// takeBuffered is take for what is in the inbox, and returns how much that was.
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

// skipBuffered forgets payload of the frame on the wire that is in the inbox. The rest of its message is skipped too, and
// not checked any more: text that was followed up to the middle of a character would seem to end there.
func (r *receiver) skipBuffered() {
	r.checking = false
	n := min(r.left, int64(len(r.inbox.Bytes())))
	r.inbox.Take(int(n))
	r.left -= n
}

// announced returns how much payload of the frame that the message is at was not taken yet.
func (r *receiver) announced() int64 {
	f := &r.message.frame
	if f.open {
		return min(r.left, math.MaxInt64-int64(f.n)) + int64(f.n)
	}
	return int64(f.n)
}

// end: the message was read to its end.
func (m *message) end() {
	*m = message{typ: m.typ, number: m.number + 1}
}

// takeHeld moves to p what a Read that gave up had of the message.
func (m *message) takeHeld(p []byte) int {
	if m.held == nil {
		return 0
	}
	n := copy(p, *m.held)
	*m.held = (*m.held)[n:]
	return n
}

// stop: nothing that follows is parsed any more.
func (r *receiver) stop() {
	r.parsingDone = true
	r.inbox.Clear()
}

// reject is stop, and gives the application nothing of the message that it is at either, nor of those behind it.
func (r *receiver) reject() {
	r.stop()
	r.ahead, r.message = nil, message{number: r.message.number + 1}
	r.inbox.Release()
}

// dropAhead forgets what was read ahead, and the message that the application is at: it is for nobody. It reports whether
// there was the start of a message that the application has not seen.
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
	// readAheadLimit is how many bytes the read-ahead holds: half of them in the inbox, the others parsed.
	readAheadLimit = 2 * transport.BufferSize
	parsedLimit    = readAheadLimit - transport.BufferSize
	// recordSize is what a frame costs in it, besides its payload.
	recordSize = 16
)

// A readAhead holds frames that were read before the application asked for them. The bytes of the frame that the
// application is at come first, then those of frames, in order. nil is an empty one, which most connections have.
type readAhead struct {
	bytes  []byte
	r      int // bytes before it were taken
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

// left is how much more may be parsed.
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
