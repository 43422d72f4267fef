package websocket

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/closeonce/websocket/internal/deflate"
	"github.com/closeonce/websocket/internal/transport"
)

// A shared is a message framed for many connections.
type shared struct {
	plain form

	mu     sync.Mutex           // held while a form is added
	packed atomic.Pointer[form] // the compressed forms, a list
}

// A form is a whole frame of a server.
type form struct {
	frame []byte
	start int // where the payload begins

	packed bool // it is compressed
	bits   int  // with this window
	effort deflate.Effort
	useful bool // and shorter than the message
	next   *form
}

func (f *form) first() firstByte { return firstByte(f.frame[0]) }
func (f *form) payload() []byte  { return f.frame[f.start:] }

func (m *shared) payload() []byte { return m.plain.payload() }

func (m *shared) init(op opcode, p []byte) { m.plain = newForm(finBit|firstByte(op), p) }

// newForm makes a frame with a copy of p.
func newForm(first firstByte, p []byte) form {
	var head [maxHeader]byte
	h := appendHeader(head[:0], header{fin: first.fin(), rsv1: first.rsv1(), opcode: first.opcode(), length: int64(len(p))})
	return form{frame: slices.Concat(h, p), start: len(h)}
}

// form returns the form in which a connection with this compressor sends the message; nil: it has to be packed first.
func (m *shared) form(z *deflate.Compressor, threshold int) *form {
	if z == nil || len(m.payload()) < threshold {
		return &m.plain
	}
	bits, effort := m.window(z)
	for f := m.packed.Load(); f != nil; f = f.next {
		switch {
		case f.bits != bits || f.effort != effort:
		case f.useful:
			return f
		default:
			return &m.plain
		}
	}
	return nil
}

// window returns with which window, as the exponent of 2, and which effort the compressor would compress the message alone.
// Windows that are larger than the message make no difference.
func (m *shared) window(z *deflate.Compressor) (int, deflate.Effort) {
	window, effort := z.Settings()
	return min(window, max(minWindowBits, bits.Len(uint(max(len(m.payload()), 1)-1)))), effort
}

// pack makes the form for a connection with this compressor. Others who need it meanwhile wait.
func (m *shared) pack(z *deflate.Compressor) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.form(z, 0) != nil {
		return
	}
	bits, effort := m.window(z)
	b := transport.Get()
	defer transport.Put(b)
	f := new(form)
	var useful bool
	if b.B, useful = deflate.NewCompressor(bits, false, effort).AppendMessage(b.B, m.payload()); useful {
		*f = newForm(m.plain.first()|rsv1Bit, b.B)
	}
	f.packed, f.bits, f.effort, f.useful, f.next = true, bits, effort, useful, m.packed.Load()
	m.packed.Store(f)
}
