package storm

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/closeonce/websocket"
)

// A message says in its first bytes all that is needed to know the rest: who sends
// it, its number, its size and its type, "c3.17.5000.2;". What follows is cut out
// of one of three pools. So nothing has to be kept to check it.

const (
	largestLetter  = 1 << 20
	smallestLetter = 32
)

var pools = [3][]byte{textPool(), noisePool(), wordPool()}

// textPool is text with characters of one to four bytes.
func textPool() []byte {
	r := newRandom(1, 1)
	words := []string{"a", "é", "€", "😀", "websocket ", "日本", "{\"key\":", "close once ", "\u0000", "\uFFFD"}
	var b []byte
	for len(b) < 2*largestLetter {
		b = append(b, one(r, words...)...)
	}
	return b
}

// noisePool does not compress.
func noisePool() []byte {
	r := newRandom(2, 2)
	b := make([]byte, 2*largestLetter)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// wordPool compresses.
func wordPool() []byte {
	r := newRandom(3, 3)
	var b []byte
	for len(b) < 2*largestLetter {
		b = append(b, fmt.Sprintf(`{"id":%d,"price":%d.%02d,"side":"buy"},`, r.IntN(1000), r.IntN(100), r.IntN(100))...)
	}
	return b
}

// compose makes the message that a tag announces.
func compose(from string, number, size int, typ websocket.MessageType) []byte {
	b := make([]byte, 0, size)
	b = fmt.Appendf(b, "%s.%d.%d.%d;", from, number, size, typ)
	h := fnv.New32a()
	h.Write(b)
	pool := pools[0]
	if typ == websocket.MessageBinary {
		pool = pools[1+number%2]
	}
	at := int(h.Sum32() % uint32(len(pool)-size))
	for typ == websocket.MessageText && !utf8.RuneStart(pool[at]) {
		at++
	}
	b = append(b, pool[at:at+size-len(b)]...)
	if typ == websocket.MessageText { // the last character may be cut
		for i := len(b) - 1; i >= max(0, len(b)-utf8.UTFMax) && !utf8.Valid(b[i:]); i-- {
			if utf8.RuneStart(b[i]) {
				for j := i; j < len(b); j++ {
					b[j] = '.'
				}
				break
			}
		}
	}
	return b
}

// A tag is what a message says of itself.
type tag struct {
	from         string
	number, size int
	typ          websocket.MessageType
}

// readTag reads the tag that data begins with.
func readTag(data []byte) (t tag, ok bool) {
	head, _, found := bytes.Cut(data[:min(len(data), smallestLetter)], []byte(";"))
	fields := strings.Split(string(head), ".")
	if !found || len(fields) != 4 {
		return t, false
	}
	var n [3]int
	for i := range n {
		v, err := strconv.Atoi(fields[i+1])
		if err != nil || v < 0 || v > largestLetter {
			return t, false
		}
		n[i] = v
	}
	t = tag{fields[0], n[0], n[1], websocket.MessageType(n[2])}
	return t, t.size >= smallestLetter && (t.typ == websocket.MessageText || t.typ == websocket.MessageBinary)
}

// check holds data, which may end early, against what its tag promises.
func (t tag) check(data []byte, typ websocket.MessageType) error {
	want := compose(t.from, t.number, t.size, t.typ)
	switch {
	case typ != t.typ:
		return fmt.Errorf("%s.%d is %v, and was %v", t.from, t.number, typ, t.typ)
	case len(data) > len(want):
		return fmt.Errorf("%s.%d has %d bytes, and had %d", t.from, t.number, len(data), len(want))
	case !bytes.Equal(data, want[:len(data)]):
		at := 0
		for data[at] == want[at] {
			at++
		}
		return fmt.Errorf("%s.%d differs from byte %d of %d on: %.40q, want %.40q", t.from, t.number, at, len(data), data[at:], want[at:])
	}
	return nil
}
