package websocket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/closeonce/websocket/internal/mask"
)

// legalHere is a place in which the header, as far as its opcode goes, may stand.
func legalHere(h header) legality {
	return legality{fromClient: h.masked, inMessage: h.opcode == opContinuation, deflate: h.rsv1}
}

var headerVectors = []struct {
	name   string
	wire   string
	header header
}{
	{"rfc6455_5.7_unmasked_hello", "\x81\x05Hello", header{fin: true, opcode: opText, length: 5}},
	{"rfc6455_5.7_masked_hello", "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
		header{fin: true, opcode: opText, masked: true, key: mask.Key{0x37, 0xfa, 0x21, 0x3d}, length: 5}},
	{"rfc6455_5.7_first_fragment", "\x01\x03Hel", header{opcode: opText, length: 3}},
	{"rfc6455_5.7_last_fragment", "\x80\x02lo", header{fin: true, opcode: opContinuation, length: 2}},
	{"rfc6455_5.7_unmasked_ping", "\x89\x05Hello", header{fin: true, opcode: opPing, length: 5}},
	{"rfc6455_5.7_masked_pong", "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
		header{fin: true, opcode: opPong, masked: true, key: mask.Key{0x37, 0xfa, 0x21, 0x3d}, length: 5}},
	{"rfc6455_5.7_256_bytes", "\x82\x7e\x01\x00", header{fin: true, opcode: opBinary, length: 256}},
	{"rfc6455_5.7_64_KiB", "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", header{fin: true, opcode: opBinary, length: 65536}},
	{"rfc7692_7.2.3.1_compressed_hello", "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", header{fin: true, rsv1: true, opcode: opText, length: 7}},
	{"rfc7692_7.2.3.1_first_compressed_fragment", "\x41\x03\xf2\x48\xcd", header{rsv1: true, opcode: opText, length: 3}},
	{"a Close without payload", "\x88\x00", header{fin: true, opcode: opClose}},
	{"the largest control frame", "\x88\x7d", header{fin: true, opcode: opClose, length: 125}},
	{"length 0", "\x82\x00", header{fin: true, opcode: opBinary}},
	{"length 125, the largest in 7 bits", "\x82\x7d", header{fin: true, opcode: opBinary, length: 125}},
	{"length 126, the smallest in 7+16 bits", "\x82\x7e\x00\x7e", header{fin: true, opcode: opBinary, length: 126}},
	{"length 65535, the largest in 7+16 bits", "\x82\x7e\xff\xff", header{fin: true, opcode: opBinary, length: 65535}},
	{"length 65536, the smallest in 7+64 bits", "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", header{fin: true, opcode: opBinary, length: 65536}},
	{"length 2^63-1, the largest of all", "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", header{fin: true, opcode: opBinary, length: math.MaxInt64}},
	{"length 2^63-1, masked", "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04",
		header{fin: true, opcode: opBinary, masked: true, key: mask.Key{1, 2, 3, 4}, length: math.MaxInt64}},
	{"a masking key of zeros", "\x82\x80\x00\x00\x00\x00", header{fin: true, opcode: opBinary, masked: true}},
}

// headSize is how many bytes of the wire are header, by the picture in section 5.2.
func headSize(wire string) int {
	size := 2 + map[byte]int{126: 2, 127: 8}[wire[1]&0x7f]
	if wire[1]&0x80 != 0 {
		size += 4
	}
	return size
}

func TestHeaderVectors(t *testing.T) {
	for _, tt := range headerVectors {
		t.Run(tt.name, func(t *testing.T) {
			size := headSize(tt.wire)
			for cut := range size {
				if h, n, err := parseHeader([]byte(tt.wire[:cut])); n != 0 || err != nil || h != (header{}) {
					t.Errorf("of %d bytes of %d: %+v, %d, %v; want nothing yet", cut, size, h, n, err)
				}
			}
			for _, behind := range []string{"", "\x00", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
				h, n, err := parseHeader([]byte(tt.wire[:size] + behind))
				if h != tt.header || n != size || err != nil {
					t.Errorf("with %d bytes behind: %+v, %d, %v\nwant %+v, %d", len(behind), h, n, err, tt.header, size)
				}
			}
			if got := appendHeader([]byte("before"), tt.header); string(got) != "before"+tt.wire[:size] {
				t.Errorf("appended %q, want %q behind what was there", got, tt.wire[:size])
			}
			if err := tt.header.check(legalHere(tt.header)); err != nil {
				t.Errorf("it is legal, but: %v", err)
			}
		})
	}
}

func TestHeaderViolations(t *testing.T) {
	client := legality{fromClient: true}
	server := legality{}
	clientInMessage := legality{fromClient: true, inMessage: true}
	key := "\x00\x00\x00\x00"
	for _, tt := range []struct {
		name    string
		wire    string
		where   legality
		section string
		says    string
	}{
		{"126 bytes announced in 7+64 bits", "\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x7e", server, "5.2", "shortest"},
		{"65535 bytes announced in 7+64 bits", "\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", server, "5.2", "shortest"},
		{"125 bytes announced in 7+16 bits", "\x82\x7e\x00\x7d", server, "5.2", "shortest"},
		{"0 bytes announced in 7+16 bits", "\x82\xfe\x00\x00" + key, client, "5.2", "shortest"},
		{"a length of 2^63", "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", server, "5.2", "top bit"},
		{"a length of 2^64-1", "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff" + key, client, "5.2", "top bit"},
		{"RSV1 without an extension", "\xc1\x80" + key, client, "5.2", "RSV1"},
		{"RSV2", "\xa1\x80" + key, client, "5.2", "RSV2"},
		{"RSV3", "\x91\x80" + key, client, "5.2", "RSV3"},
		{"RSV2, though deflate was negotiated", "\xa1\x80" + key, legality{fromClient: true, deflate: true}, "5.2", "RSV2"},
		{"RSV3 on a ping, though deflate was negotiated", "\x99\x80" + key, legality{fromClient: true, deflate: true}, "5.2", "RSV3"},
		{"RSV1 on a ping", "\xc9\x80" + key, client, "5.2", "RSV1"},
		{"RSV1 on a ping, though deflate was negotiated", "\xc9\x80" + key, legality{fromClient: true, deflate: true}, "5.5", "RSV1"},
		{"RSV1 on a continuation, though deflate was negotiated", "\xc0\x80" + key, legality{fromClient: true, inMessage: true, deflate: true}, "5.4", "RSV1"},
		{"opcode 3", "\x83\x80" + key, client, "5.2", "reserved opcode"},
		{"opcode 7", "\x87\x80" + key, client, "5.2", "reserved opcode"},
		{"opcode 0xB", "\x8b\x80" + key, client, "5.2", "reserved opcode"},
		{"opcode 0xF", "\x8f\x80" + key, client, "5.2", "reserved opcode"},
		{"a client that does not mask", "\x81\x00", client, "5.1", "not masked"},
		{"a client that does not mask its Close", "\x88\x00", client, "5.1", "not masked"},
		{"a server that masks", "\x81\x80" + key, server, "5.1", "from the server is masked"},
		{"a server that masks with a key of zeros", "\x82\x81" + key, server, "5.1", "from the server is masked"},
		{"a ping of 126 bytes", "\x89\x7e\x00\x7e", server, "5.5", "125"},
		{"a Close of 65536 bytes", "\x88\x7f\x00\x00\x00\x00\x00\x01\x00\x00", server, "5.5", "125"},
		{"a ping without FIN", "\x09\x80" + key, client, "5.5", "fragmented"},
		{"a pong without FIN", "\x0a\x00", server, "5.5", "fragmented"},
		{"a Close without FIN inside a message", "\x08\x80" + key, clientInMessage, "5.5", "fragmented"},
		{"a continuation without a start", "\x80\x80" + key, client, "5.4", "without a message"},
		{"a middle fragment without a start", "\x00\x00", server, "5.4", "without a message"},
		{"text inside a message", "\x81\x80" + key, clientInMessage, "5.4", "inside"},
		{"another first fragment inside a message", "\x02\x80" + key, clientInMessage, "5.4", "inside"},
		{"compressed text inside a message", "\xc1\x80" + key, legality{fromClient: true, inMessage: true, deflate: true}, "5.4", "inside"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for cut := range headSize(tt.wire) {
				// What a part shows to be wrong may be said before the rest is there, but no part is taken for a header.
				if _, n, _ := parseHeader([]byte(tt.wire[:cut])); n != 0 {
					t.Fatalf("%d bytes of %d were taken for a header", cut, len(tt.wire))
				}
			}
			h, _, err := parseHeader([]byte(tt.wire))
			if err == nil {
				err = h.check(tt.where)
			}
			var p ProtocolError
			if !errors.As(err, &p) {
				t.Fatalf("got %v, want a ProtocolError", err)
			}
			if p.Code != StatusProtocolError {
				t.Errorf("code %v, want 1002", p.Code)
			}
			if !strings.Contains(p.Reason, tt.says) || !strings.Contains(p.Reason, "section "+tt.section+")") {
				t.Errorf("%q does not say %q of section %s", p.Reason, tt.says, tt.section)
			}
			if len(p.Reason) > maxCloseReason {
				t.Errorf("the reason has %d bytes and does not fit into a Close frame: %q", len(p.Reason), p.Reason)
			}
			if want := "websocket: the peer broke the protocol: " + p.Reason + "; closed with 1002"; p.Error() != want {
				t.Errorf("it says %q, want %q", p, want)
			}
		})
	}
}

// TestAllFirstBytes holds every value that the first two bytes can have, in every place, against lists.
func TestAllFirstBytes(t *testing.T) {
	control := "\x88\x89\x8a"
	allowed := map[[2]bool]string{ // by inMessage and deflate
		{false, false}: control + "\x01\x81\x02\x82",
		{true, false}:  control + "\x00\x80",
		{false, true}:  control + "\x01\x81\x02\x82" + "\x41\xc1\x42\xc2",
		{true, true}:   control + "\x00\x80",
	}
	legal := 0
	for first := range 256 {
		for second := range 256 {
			wire := []byte{byte(first), byte(second)}
			switch second & 0x7f {
			case 126:
				wire = append(wire, 0x12, 0x34)
			case 127:
				wire = append(wire, 0, 0, 0, 0x12, 0x34, 0x56, 0x78, 0x9a)
			}
			if second >= 0x80 {
				wire = append(wire, 0xa, 0xb, 0xc, 0xd)
			}
			h, n, err := parseHeader(wire)
			if n != len(wire) || err != nil {
				t.Fatalf("%x: %d, %v", wire, n, err)
			}
			if again := appendHeader(nil, h); !bytes.Equal(again, wire) {
				t.Fatalf("%x became %x", wire, again)
			}
			for place, firsts := range allowed {
				for _, fromClient := range []bool{false, true} {
					want := strings.Contains(firsts, string(byteString(first))) && fromClient == (second >= 0x80)
					if strings.Contains(control, string(byteString(first))) && second&0x7f > 125 {
						want = false
					}
					err := h.check(legality{fromClient: fromClient, inMessage: place[0], deflate: place[1]})
					if (err == nil) != want {
						t.Errorf("%x, from the client %t, in a message %t, deflate %t: %v; legal is %t", wire, fromClient, place[0], place[1], err, want)
					}
					if want {
						legal++
					}
				}
			}
		}
	}
	// 3 control frames of 0 to 125 bytes in 4 places; 4, 2, 8 and 2 data frames of any length; from either side.
	if want := 2 * (3*126*4 + (4+2+8+2)*128); legal != want {
		t.Errorf("%d legal ones, want %d", legal, want)
	}
}

func byteString(b int) []byte { return []byte{byte(b)} }

// TestAllLengths16 holds every 16-bit length against arithmetic.
func TestAllLengths16(t *testing.T) {
	for length := range 1 << 16 {
		wire := binary.BigEndian.AppendUint16([]byte{0x82, 126}, uint16(length))
		h, n, err := parseHeader(wire)
		if length < 126 {
			if err == nil || n != 0 {
				t.Fatalf("%d in 16 bits was taken", length)
			}
		} else if err != nil || n != 4 || h.length != int64(length) {
			t.Fatalf("%d became %+v, %d, %v", length, h, n, err)
		}
	}
}

func TestHeaderAllocatesNothing(t *testing.T) {
	h := header{fin: true, opcode: opText, masked: true, length: 1 << 20}
	b := make([]byte, 0, maxHeader)
	allocs := testing.AllocsPerRun(100, func() {
		b = appendHeader(b[:0], h)
		got, n, err := parseHeader(b)
		if n != maxHeader || err != nil || got != h || got.check(legality{fromClient: true}) != nil {
			t.Fatalf("%+v, %d, %v", got, n, err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// FuzzHeader: what is parsed is what stands there, and no more is taken than that.
func FuzzHeader(f *testing.F) {
	for _, tt := range headerVectors {
		f.Add([]byte(tt.wire), byte(0))
	}
	f.Add([]byte("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), byte(7))
	f.Fuzz(func(t *testing.T, b []byte, place byte) {
		given := bytes.Clone(b)
		h, n, err := parseHeader(b)
		if !bytes.Equal(b, given) {
			t.Fatal("it wrote on what it was to read")
		}
		if n == 0 {
			if h != (header{}) {
				t.Fatalf("no header, but %+v", h)
			}
			if err == nil && len(b) >= maxHeader {
				t.Fatalf("%d bytes are not enough", len(b))
			}
			return
		}
		if err != nil || n > len(b) || n > maxHeader || h.length < 0 {
			t.Fatalf("%+v, %d of %d, %v", h, n, len(b), err)
		}
		if again := appendHeader(nil, h); !bytes.Equal(again, b[:n]) {
			t.Fatalf("%x became %x", b[:n], again)
		}
		for cut := range n {
			if _, n, _ := parseHeader(b[:cut]); n != 0 {
				t.Fatalf("%d bytes of %x were taken for a header", cut, b[:n])
			}
		}
		where := legality{fromClient: place&1 != 0, inMessage: place&2 != 0, deflate: place&4 != 0}
		if err := h.check(where); err != nil && !errors.As(err, new(ProtocolError)) {
			t.Fatalf("%T: %v", err, err)
		}
	})
}

// FuzzHeaderRoundTrip: whatever header is appended is parsed as the same.
func FuzzHeaderRoundTrip(f *testing.F) {
	f.Add(byte(0x81), true, uint32(0x37fa213d), int64(5), []byte("Hello"))
	f.Add(byte(0xff), false, uint32(0), int64(math.MaxInt64), []byte{})
	for _, length := range []int64{0, 125, 126, 65535, 65536} {
		f.Add(byte(0x02), length%2 == 0, uint32(length), length, []byte{0xff})
	}
	f.Fuzz(func(t *testing.T, first byte, masked bool, key uint32, length int64, behind []byte) {
		h := header{
			fin: first&0x80 != 0, rsv1: first&0x40 != 0, rsv2: first&0x20 != 0, rsv3: first&0x10 != 0,
			opcode: opcode(first & 0xf), masked: masked, length: length & math.MaxInt64,
		}
		if masked {
			binary.NativeEndian.PutUint32(h.key[:], key)
		}
		wire := appendHeader(nil, h)
		got, n, err := parseHeader(append(wire, behind...))
		if got != h || n != len(wire) || err != nil {
			t.Fatalf("%+v became %+v, %d, %v (%x)", h, got, n, err, wire)
		}
	})
}
