//go:build unix

package transport

import (
	"bytes"
	"io"
	"math/rand/v2"
	"syscall"
	"testing"
)

// quickSizeOrSo is from which size on bytes go another way on some systems.
const quickSizeOrSo = 14 + 32<<10

// TestSendNow: whatever is sent at once, of one slice or of two, and however much of it
// the socket takes, the peer has exactly that; a socket that is full says so.
func TestSendNow(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) { testSendNow(t, network) })
	}
}

func testSendNow(t *testing.T, network string) {
	random := rand.New(rand.NewPCG(1, 2))
	stuff := noise(300 << 10)
	nc, peer := socketPair(t, network)
	raw := RawConn(nc)
	var want []byte
	read := func() {
		got := make([]byte, len(want))
		if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("of %d bytes others came, %v", len(want), err)
		}
		want = want[:0]
	}
	attempt := func(a, b []byte) (n int, full bool) {
		if err := raw.Control(func(fd uintptr) {
			sent, err := send(fd, a, b)
			switch err {
			case 0:
				n = sent
			case syscall.EAGAIN:
				full = true
			default:
				t.Error(err)
			}
		}); err != nil {
			t.Fatal(err)
		}
		both := append(append([]byte(nil), a...), b...)
		want = append(want, both[:n]...)
		return n, full
	}

	heads := []int{1, 14, 200, 9000}
	tails := []int{0, 1, 8<<10 + 1, 16 << 10, quickSizeOrSo - 14, quickSizeOrSo, quickSizeOrSo + 1, 64 << 10, 256 << 10}
	for _, head := range heads {
		for _, tail := range tails {
			a, b := stuff[:head], stuff[head:head+tail]
			if tail == 0 {
				b = nil
			}
			n, full := attempt(a, b)
			if full && b == nil {
				t.Fatalf("an empty socket takes nothing of %d bytes", head)
			}
			if n < head { // two slices at once are not for everybody
				attempt(a[n:], nil)
				n = head
			}
			if b != nil && n < head+tail {
				attempt(b[n-head:], nil)
			}
			read()
		}
	}

	var fulls int
	for rounds := 0; fulls < 40; rounds++ {
		if rounds > 100_000 {
			t.Fatal("the socket is never full")
		}
		a := stuff[:1+random.IntN(50_000)]
		b := stuff[len(a) : len(a)+1+random.IntN(50_000)]
		if rounds%2 == 0 {
			b = nil
		}
		n, full := attempt(a, b)
		if full && b != nil { // two slices at once are not for everybody
			n, full = attempt(a, nil)
		}
		if full || n < len(a) {
			fulls++
			if fulls%4 == 0 {
				read()
			}
		}
	}
	read()
}

// TestReceiveNow: what is there is read, and nothing is waited for.
func TestReceiveNow(t *testing.T) {
	nc, peer := socketPair(t, "tcp")
	raw := RawConn(nc)
	for _, size := range []int{1, 100, quickSizeOrSo, quickSizeOrSo + 1} {
		p := make([]byte, size)
		raw.Control(func(fd uintptr) {
			if n, err := recv(fd, p); err != syscall.EAGAIN {
				t.Errorf("%d bytes of nothing, %v", n, err)
			}
		})
		if _, err := io.WriteString(peer, "hello"); err != nil {
			t.Fatal(err)
		}
		var got []byte
		if err := raw.Read(func(fd uintptr) bool {
			for len(got) < len("hello") {
				n, err := recv(fd, p)
				if err != 0 {
					break
				}
				got = append(got, p[:n]...)
			}
			return len(got) == len("hello")
		}); err != nil || string(got) != "hello" {
			t.Errorf("%q came, %v", got, err)
		}
	}
	peer.Close()
	raw.Read(func(fd uintptr) bool {
		n, err := recv(fd, make([]byte, 10))
		if err == syscall.EAGAIN {
			return false
		}
		if n != 0 || err != 0 {
			t.Errorf("at the end %d bytes, %v", n, err)
		}
		return true
	})
}

// TestLargeRead: more than is read without telling the runtime comes in one piece.
func TestLargeRead(t *testing.T) {
	nc, peer := socketPair(t, "unix")
	c := open(nc)
	want := noise(100 << 10)
	wrote := start(func() error { _, err := peer.Write(want); return err })
	var got []byte
	hits := 0
	for len(got) < len(want) {
		var err error
		if got, err = c.readSome(nil, make([]byte, quickSizeOrSo+1), got, &hits); err != nil {
			t.Fatal(err)
		}
	}
	if err := soon(t, "the peer", wrote); err != nil || !bytes.Equal(got, want) {
		t.Errorf("something else came, %v", err)
	}
}

// TestWriteNow is for sockets that no Conn owns.
func TestWriteNow(t *testing.T) {
	for _, w := range wires {
		nc, peer := w.pair(t)
		b := Get()
		b.B = append(b.B, "now"...)
		switch ok := WriteNow(nc, b); {
		case RawConn(nc) == nil:
			if ok || b.N != 0 {
				t.Errorf("%s: %d bytes were written, %v", w.name, b.N, ok)
			}
		case !ok || b.N != 3 || b.Err != nil:
			t.Errorf("%s: %d bytes were written, %v", w.name, b.N, b.Err)
		default:
			got := make([]byte, 3)
			if _, err := io.ReadFull(peer, got); err != nil || string(got) != "now" {
				t.Errorf("%s: %q came, %v", w.name, got, err)
			}
			nc.Close()
			if WriteNow(nc, b) || b.Err == nil || b.N != 0 {
				t.Errorf("%s: after Close %d bytes were written, %v", w.name, b.N, b.Err)
			}
		}
		Put(b)
		hangUp(peer)
	}
}

// TestLastBuffer: what is the last arrives, in whatever way it is written.
func TestLastBuffer(t *testing.T) {
	nc, peer := socketPair(t, "tcp")
	c := open(nc)
	b := &Buffer{B: []byte("bye"), Last: true}
	hits := 0
	if err := c.writeAll(nil, b, nil, true, &hits); err != nil {
		t.Fatal(err)
	}
	c.CloseGently(0)
	if got, err := io.ReadAll(peer); string(got) != "bye" || err != nil {
		t.Errorf("%q came, %v", got, err)
	}
}
