//go:build unix

package websocket

import (
	"bytes"
	"io"
	"math/rand/v2"
	"syscall"
	"testing"
)

// TestSendNow: whatever is sent at once, of one slice or of two, and however much of it
// the socket takes, the peer has exactly that; a socket that is full says so.
func TestSendNow(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300<<10)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	nc, peer := tcpPair(t)
	raw := rawConn(nc)
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
			case nil:
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

	heads, tails := []int{1, 14, 200, 9000}, []int{0, 1, 8<<10 + 1, 16 << 10, 64 << 10, quickSizeOrSo - 14, quickSizeOrSo}
	for _, head := range heads {
		for _, tail := range tails {
			a, b := noise[:head], noise[head:head+tail]
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
			if b != nil {
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
		a := noise[:1+random.IntN(30_000)]
		b := noise[len(a) : len(a)+1+random.IntN(30_000)]
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
	nc, peer := tcpPair(t)
	raw := rawConn(nc)
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
				if err != nil {
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
		if n != 0 || err != nil {
			t.Errorf("at the end %d bytes, %v", n, err)
		}
		return true
	})
}

// quickSizeOrSo is from which size on bytes go another way on some systems.
const quickSizeOrSo = maxHeader + 256<<10
