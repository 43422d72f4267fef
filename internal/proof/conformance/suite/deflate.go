package suite

import "math/bits"

// Deflater encodes the messages of one direction of permessage-deflate within
// an exact window: compress/flate always uses 32 KiB. It finds matches through
// a table of three-byte prefixes and writes one block of fixed codes.
type Deflater struct {
	window   int
	takeover bool

	last    []int32 // by the hash of three bytes, the position behind their last occurrence
	history []byte
	out     []byte
	acc     uint64
	n       uint
}

// NewDeflater returns a Deflater whose distances are at most 1<<windowBits and
// which, with takeover, refers back to earlier messages.
func NewDeflater(windowBits int, takeover bool) *Deflater {
	return &Deflater{window: 1 << windowBits, takeover: takeover}
}

// Message returns one message's payload, without the tail 00 00 FF FF
// (RFC 7692, section 7.2.1).
func (d *Deflater) Message(p []byte) []byte {
	if !d.takeover {
		d.history = nil
	}
	d.out, d.acc, d.n = nil, 0, 0
	data := append(append(make([]byte, 0, len(d.history)+len(p)), d.history...), p...)
	d.put(0b010, 3) // not final, fixed codes
	d.matches(data, len(d.history))
	d.end()
	d.history = data[max(0, len(data)-d.window):]
	return d.out
}

// end ends a block of fixed codes and the message.
func (d *Deflater) end() {
	d.literal(256)
	d.flush()
}

// flush writes the header of an empty stored block up to the byte boundary.
func (d *Deflater) flush() {
	d.put(0, 3)
	d.put(0, (8-d.n%8)%8)
}

func (d *Deflater) put(v uint64, k uint) {
	d.acc |= v << d.n
	for d.n += k; d.n >= 8; d.n -= 8 {
		d.out = append(d.out, byte(d.acc))
		d.acc >>= 8
	}
}

func (d *Deflater) matches(data []byte, from int) {
	if d.last == nil {
		d.last = make([]int32, 1<<15)
	}
	clear(d.last)
	slot := func(i int) *int32 {
		h := uint32(data[i]) | uint32(data[i+1])<<8 | uint32(data[i+2])<<16
		return &d.last[h*0x9E3779B1>>17]
	}
	note := func(i int) {
		if i+3 <= len(data) {
			*slot(i) = int32(i) + 1
		}
	}
	for i := range from {
		note(i)
	}
	for i := from; i < len(data); {
		length, at := 0, 0
		if i+3 <= len(data) {
			if j := int(*slot(i)) - 1; j >= 0 && i-j <= d.window {
				at = j
				for length < 258 && i+length < len(data) && data[j+length] == data[i+length] {
					length++
				}
			}
		}
		if length < 3 {
			d.literal(int(data[i]))
			note(i)
			i++
			continue
		}
		d.match(length, i-at)
		for range length {
			note(i)
			i++
		}
	}
}

// literal writes a symbol of the fixed literal and length code; codes go out
// with their most significant bit first.
func (d *Deflater) literal(sym int) {
	switch {
	case sym < 144:
		d.code(0x30+sym, 8)
	case sym < 256:
		d.code(0x190+sym-144, 9)
	case sym < 280:
		d.code(sym-256, 7)
	default:
		d.code(0xC0+sym-280, 8)
	}
}

func (d *Deflater) code(v int, k uint) {
	d.put(uint64(bits.Reverse16(uint16(v))>>(16-k)), k)
}

func (d *Deflater) match(length, distance int) {
	i := len(lengthBase) - 1
	for lengthBase[i] > length {
		i--
	}
	d.literal(257 + i)
	d.put(uint64(length-lengthBase[i]), uint(lengthExtra[i]))
	i = len(distanceBase) - 1
	for distanceBase[i] > distance {
		i--
	}
	d.code(i, 5)
	d.put(uint64(distance-distanceBase[i]), uint(distanceExtra[i]))
}
