package deflate

import "io"

// NoLimit as a limit means that a message may inflate to any length.
const NoLimit = -1

// Decompressor inflates the messages of one direction of one connection. With
// context takeover it owns the window between messages; without, nothing. While
// a message is in progress it also holds tables from a pool, which it gives back
// when the message ends, at the first error, or at Reset.
//
// A message is decoded in one of three ways, not to be mixed within a message:
// AppendMessage takes it whole, Append and Finish take it in pieces and give it
// whole, Inflate takes and gives it in pieces.
//
// A Decompressor is for one goroutine at a time.
type Decompressor struct {
	w        window
	z        *inflater // nil between messages
	size     uint16    // of the window, less one
	takeover bool
	err      Error
}

// NewDecompressor returns a Decompressor for a window of 2^windowBits bytes,
// 8 to 15. With takeover a message may refer to those before it.
func NewDecompressor(windowBits int, takeover bool) *Decompressor {
	d := new(Decompressor)
	d.Init(windowBits, takeover)
	return d
}

// Init makes d what NewDecompressor returns, for a value inside another struct.
func (d *Decompressor) Init(windowBits int, takeover bool) {
	checkWindowBits(windowBits)
	*d = Decompressor{size: uint16(1<<windowBits - 1), takeover: takeover}
}

func checkWindowBits(n int) {
	if n < minWindowBits || n > maxWindowBits {
		panic("deflate: window bits out of range")
	}
}

// AppendMessage appends to dst the message whose whole compressed form is src.
// It fails with ErrTooLong once the message would exceed limit bytes; dst never
// grows further than that. On any error the result is dst as far as it came.
func (d *Decompressor) AppendMessage(dst, src []byte, limit int) ([]byte, error) {
	base := len(dst)
	dst, err := d.Append(dst, src, base, limit)
	if err != nil {
		return dst, err
	}
	return dst, d.Finish(dst, base)
}

// Append inflates src, the next bytes of the compressed message, and appends
// the result to dst. dst[base:] must be all of the message so far, as the
// previous call returned it: it serves as the history. Errors and limit are as
// in AppendMessage.
func (d *Decompressor) Append(dst, src []byte, base, limit int) ([]byte, error) {
	if d.err != 0 {
		return dst, d.err
	}
	z := d.begin()
	for {
		end := cap(dst)
		if limit >= 0 {
			end = max(len(dst), min(end, base+limit))
		}
		o, used, why, err := z.inflate(dst[:end], base, len(dst), src, &d.w, d.window())
		dst, src = dst[:o], src[used:]
		switch {
		case err != nil:
			return dst, d.fail(err)
		case why == needInput:
			return dst, nil
		case limit >= 0 && o-base >= limit:
			return dst, d.fail(ErrTooLong)
		}
		dst = enlarge(dst, base, limit, len(src))
	}
}

// enlarge gives dst more room, in proportion to what it holds already.
func enlarge(dst []byte, base, limit, input int) []byte {
	room := max(512, 3*input, 2*(len(dst)-base))
	if limit >= 0 {
		room = min(room, limit)
	}
	grown := make([]byte, len(dst), base+room+fastOutput)
	copy(grown, dst)
	return grown
}

// Finish ends the message that Append decoded into dst[base:]. It checks that
// this is an end; output there is none, Append has given all. A message without
// a single byte is taken for an empty one.
func (d *Decompressor) Finish(dst []byte, base int) error {
	if d.err != 0 {
		return d.err
	}
	if !d.begin().ended() {
		return d.fail(ErrUnexpectedEnd)
	}
	if d.takeover {
		d.w.write(dst[base:], d.window())
	}
	d.release()
	return nil
}

// Inflate inflates from src, the next bytes of the compressed message, into dst.
// It returns how many bytes it wrote and how many it took; it stops when dst is
// full or src used up. last says that src ends the message; then Inflate is to
// be called, with what is left of src, until it returns io.EOF, which may come
// together with the last bytes.
func (d *Decompressor) Inflate(dst, src []byte, last bool) (n, used int, err error) {
	if d.err != 0 {
		return 0, 0, d.err
	}
	z := d.begin()
	w := &d.w
	if !d.takeover {
		w = z.borrowWindow(d.window())
	}
	n, used, why, err := z.inflate(dst, 0, 0, src, w, d.window())
	ended := last && why == needInput
	if err == nil && ended && !z.ended() {
		err = ErrUnexpectedEnd
	}
	if err != nil {
		return n, used, d.fail(err)
	}
	w.write(dst[:n], d.window())
	if ended {
		d.release()
		return n, used, io.EOF
	}
	return n, used, nil
}

// Reset gives back what a message in progress holds and forgets all history, as
// when the connection ends.
func (d *Decompressor) Reset() {
	d.release()
	d.w = window{}
}

func (d *Decompressor) window() int { return int(d.size) + 1 }

func (d *Decompressor) begin() *inflater {
	if d.z == nil {
		d.z = getInflater()
	}
	return d.z
}

func (d *Decompressor) release() {
	if d.z != nil {
		putInflater(d.z)
		d.z = nil
	}
}

// fail keeps the first error and lets go of everything.
func (d *Decompressor) fail(err error) error {
	d.err = err.(Error)
	d.Reset()
	return err
}

// ended reports whether a message may end here. A sender ends each message with
// an empty stored block and takes off its LEN and NLEN (RFC 7692, section 7.2.1),
// so what is left is the header of that block. Understood as well are a peer that
// sets BFINAL and leaves out the empty block of section 7.2.3.4, one that leaves
// LEN and NLEN in place, and one that sends nothing at all for an empty message.
func (z *inflater) ended() bool {
	return z.bits == 0 && (z.step == stepStoredLen || z.step == stepHeader)
}
