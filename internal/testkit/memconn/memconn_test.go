package memconn

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A result is what a Read or Write in the background returned.
type result struct {
	n   int
	err error
}

// start calls f in a goroutine and returns what it will give, once every goroutine of the bubble waits.
func start(f func([]byte) (int, error), p []byte) <-chan result {
	done := make(chan result, 1)
	go func() {
		n, err := f(p)
		done <- result{n, err}
	}()
	synctest.Wait()
	return done
}

func (r result) want(t *testing.T, why string, n int, err error) {
	t.Helper()
	if r.n != n || !errors.Is(r.err, err) {
		t.Errorf("%s: got %d, %v; want %d, %v", why, r.n, r.err, n, err)
	}
}

func want(t *testing.T, why string, done <-chan result, n int, err error) {
	t.Helper()
	synctest.Wait()
	select {
	case r := <-done:
		r.want(t, why, n, err)
	default:
		t.Errorf("%s: still waiting", why)
	}
}

func wantWaiting(t *testing.T, why string, done <-chan result) {
	t.Helper()
	synctest.Wait()
	select {
	case r := <-done:
		t.Errorf("%s: returned %d, %v; want it to wait", why, r.n, r.err)
	default:
	}
}

func wantRead(t *testing.T, why string, c *Conn, text string) {
	t.Helper()
	p := make([]byte, len(text)+1)
	n, err := c.Read(p)
	if err != nil || string(p[:n]) != text {
		t.Errorf("%s: Read gave %q, %v; want %q", why, p[:n], err, text)
	}
}

func call(f func([]byte) (int, error), p string) result {
	n, err := f([]byte(p))
	return result{n, err}
}

func TestBytesGoBothWays(t *testing.T) {
	a, b := Pipe(8)
	defer a.Close()
	defer b.Close()
	call(a.Write, "to b").want(t, "a writes", 4, nil)
	call(b.Write, "to a").want(t, "b writes", 4, nil)
	wantRead(t, "b reads", b, "to b")
	wantRead(t, "a reads", a, "to a")
	if n, err := a.Read(nil); n != 0 || err != nil {
		t.Errorf("Read of nothing: %d, %v; want 0, nil", n, err)
	}
	if a.LocalAddr() != b.RemoteAddr() || b.LocalAddr() != a.RemoteAddr() || a.LocalAddr() == b.LocalAddr() {
		t.Errorf("addresses: a %v to %v, b %v to %v", a.LocalAddr(), a.RemoteAddr(), b.LocalAddr(), b.RemoteAddr())
	}
	if _, _, err := net.SplitHostPort(a.LocalAddr().String()); err != nil {
		t.Error(err)
	}
}

func TestReadWaitsForBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(8)
		defer a.Close()
		defer b.Close()
		read := start(b.Read, make([]byte, 8))
		wantWaiting(t, "nothing was written", read)
		call(a.Write, "x").want(t, "write", 1, nil)
		want(t, "a byte came", read, 1, nil)
	})
}

func TestFullBufferHoldsTheWriterBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(4)
		defer a.Close()
		defer b.Close()
		write := start(a.Write, []byte("0123456789"))
		wantWaiting(t, "four of ten bytes fit", write)
		wantRead(t, "first", b, "0123")
		wantWaiting(t, "eight of ten bytes fit", write)
		wantRead(t, "second", b, "4567")
		want(t, "the rest fits", write, 10, nil)
		wantRead(t, "third", b, "89")
	})
}

func TestWritesDoNotMix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(3)
		defer a.Close()
		defer b.Close()
		first := start(a.Write, []byte("aaaaaaaa"))
		second := start(a.Write, []byte("bbbbbbbb"))
		all := make([]byte, 16)
		if _, err := io.ReadFull(b, all); err != nil || string(all) != "aaaaaaaabbbbbbbb" {
			t.Errorf("read %q, %v", all, err)
		}
		want(t, "first", first, 8, nil)
		want(t, "second", second, 8, nil)
	})
}

func TestWriterThatGivesUpLetsTheNextOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(3)
		defer a.Close()
		defer b.Close()
		a.SetWriteDeadline(time.Now().Add(time.Second))
		first := start(a.Write, []byte("aaaaaaaa"))
		second := start(a.Write, []byte("bb"))
		time.Sleep(time.Second)
		want(t, "first", first, 3, os.ErrDeadlineExceeded)
		want(t, "second", second, 0, os.ErrDeadlineExceeded)
		a.SetWriteDeadline(time.Time{})
		third := start(a.Write, []byte("cc"))
		wantRead(t, "what the first wrote", b, "aaa")
		want(t, "third", third, 2, nil)
		wantRead(t, "what the third wrote", b, "cc")
	})
}

func TestReadDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(8)
		defer a.Close()
		defer b.Close()
		began := time.Now()
		b.SetReadDeadline(began.Add(time.Minute))
		read := start(b.Read, make([]byte, 8))
		time.Sleep(time.Minute - 1)
		wantWaiting(t, "a nanosecond before the deadline", read)
		time.Sleep(time.Nanosecond)
		want(t, "at the deadline", read, 0, os.ErrDeadlineExceeded)

		call(a.Write, "kept").want(t, "write", 4, nil)
		_, err := b.Read(make([]byte, 8))
		var netErr net.Error
		if !errors.As(err, &netErr) || !netErr.Timeout() {
			t.Errorf("Read after the deadline, with bytes there: %v, want a timeout", err)
		}
		b.SetReadDeadline(time.Now().Add(time.Minute))
		wantRead(t, "a deadline ahead lets reading go on", b, "kept")

		read = start(b.Read, make([]byte, 8))
		b.SetReadDeadline(time.Unix(1, 0))
		want(t, "a deadline long past ends a Read that waits", read, 0, os.ErrDeadlineExceeded)

		b.SetDeadline(time.Time{})
		read = start(b.Read, make([]byte, 8))
		time.Sleep(time.Hour)
		wantWaiting(t, "without a deadline", read)
		call(a.Write, "x").want(t, "write", 1, nil)
		want(t, "a byte came", read, 1, nil)
	})
}

func TestReplacedDeadlineDoesNotFire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(8)
		defer a.Close()
		defer b.Close()
		a.SetReadDeadline(time.Now().Add(time.Second))
		a.SetReadDeadline(time.Now().Add(time.Hour))
		read := start(a.Read, make([]byte, 1))
		time.Sleep(time.Minute)
		wantWaiting(t, "the first deadline was replaced", read)
		time.Sleep(time.Hour)
		want(t, "the second holds", read, 0, os.ErrDeadlineExceeded)
	})
}

func TestWriteDeadlineCountsAndResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(4)
		defer a.Close()
		defer b.Close()
		text := "0123456789"
		a.SetWriteDeadline(time.Now().Add(time.Second))
		write := start(a.Write, []byte(text))
		time.Sleep(time.Second)
		want(t, "at the deadline", write, 4, os.ErrDeadlineExceeded)
		call(a.Write, text[4:]).want(t, "after the deadline", 0, os.ErrDeadlineExceeded)

		a.SetWriteDeadline(time.Time{})
		write = start(a.Write, []byte(text[4:]))
		all := make([]byte, len(text))
		if _, err := io.ReadFull(b, all); err != nil || string(all) != text {
			t.Errorf("read %q, %v; want %q", all, err, text)
		}
		want(t, "the rest", write, 6, nil)
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(4)
		b.SetReadDeadline(time.Now().Add(time.Hour)) // its timer must not outlive b
		call(b.Write, "lost").want(t, "b fills a's buffer", 4, nil)
		blocked := start(b.Write, []byte("never"))
		call(a.Write, "kept").want(t, "a writes", 4, nil)
		stuck := start(a.Write, []byte("x"))
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		want(t, "own Write that waits", stuck, 0, net.ErrClosed)
		want(t, "peer's Write that waits", blocked, 0, syscall.EPIPE)
		call(a.Read, "....").want(t, "own Read", 0, net.ErrClosed)
		call(a.Write, "x").want(t, "own Write", 0, net.ErrClosed)
		call(b.Write, "x").want(t, "peer's Write", 0, syscall.EPIPE)
		wantRead(t, "the peer reads what was written before", b, "kept")
		if _, err := b.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("peer's Read at the end: %v, want io.EOF as it is", err)
		}
		for what, err := range map[string]error{
			"Close again":      a.Close(),
			"CloseWrite":       a.CloseWrite(),
			"SetReadDeadline":  a.SetReadDeadline(time.Now()),
			"SetWriteDeadline": a.SetWriteDeadline(time.Now()),
		} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s after Close: %v, want net.ErrClosed", what, err)
			}
		}
		if err := b.Close(); err != nil {
			t.Errorf("Close of the peer: %v", err)
		}
		call(b.Read, ".").want(t, "Read after both closed", 0, net.ErrClosed)
	})
}

func TestCloseEndsAReadThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(4)
		own := start(a.Read, make([]byte, 1))
		peers := start(b.Read, make([]byte, 1))
		a.Close()
		want(t, "own", own, 0, net.ErrClosed)
		want(t, "peer's", peers, 0, io.EOF)
		b.Close()
	})
}

func TestCloseWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(8)
		defer a.Close()
		defer b.Close()
		call(a.Write, "last").want(t, "write", 4, nil)
		for range 2 {
			if err := a.CloseWrite(); err != nil {
				t.Errorf("CloseWrite: %v", err)
			}
		}
		call(a.Write, "x").want(t, "Write after CloseWrite", 0, syscall.EPIPE)
		wantRead(t, "what was written before", b, "last")
		call(b.Read, ".").want(t, "then the end", 0, io.EOF)
		call(b.Write, "still").want(t, "the other direction", 5, nil)
		wantRead(t, "the other direction", a, "still")
	})
}

func TestReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(4)
		call(a.Write, "lost").want(t, "write", 4, nil)
		write := start(a.Write, []byte("x"))
		read := start(a.Read, make([]byte, 1))
		b.Reset()
		want(t, "Write that waits", write, 0, syscall.ECONNRESET)
		want(t, "Read that waits", read, 0, syscall.ECONNRESET)
		for what, end := range map[string]*Conn{"resetting end": b, "other end": a} {
			call(end.Read, "....").want(t, what+" reads", 0, syscall.ECONNRESET)
			call(end.Write, "x").want(t, what+" writes", 0, syscall.ECONNRESET)
			if err := end.SetDeadline(time.Now().Add(time.Hour)); err != nil {
				t.Errorf("%s sets a deadline: %v", what, err)
			}
			if err := end.CloseWrite(); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%s closes half: %v, want ECONNRESET", what, err)
			}
			if err := end.Close(); err != nil {
				t.Errorf("%s closes: %v", what, err)
			}
			call(end.Read, "....").want(t, what+" reads after Close", 0, net.ErrClosed)
			call(end.Write, "x").want(t, what+" writes after Close", 0, net.ErrClosed)
		}
	})
}

// TestStress sends random bytes in pieces of random size both ways at once, through buffers of awkward
// sizes, while deadlines in the way expire and are moved.
func TestStress(t *testing.T) {
	const total = 100_000
	for _, size := range []int{1, 3, 64, 4099} {
		synctest.Test(t, func(t *testing.T) {
			a, b := Pipe(size)
			var wg sync.WaitGroup
			for i, ends := range [][2]*Conn{{a, b}, {b, a}} {
				seed := uint64(size*2 + i)
				sent := make([]byte, total/max(1, 64/size))
				r := rand.New(rand.NewPCG(seed, 0))
				for i := range sent {
					sent[i] = byte(r.Uint32())
				}
				wg.Go(func() { sendAll(t, ends[0], sent, rand.New(rand.NewPCG(seed, 1))) })
				wg.Go(func() {
					got := receiveAll(t, ends[1], rand.New(rand.NewPCG(seed, 2)))
					if !bytes.Equal(got, sent) {
						t.Errorf("buffer of %d: %d bytes sent, %d received, equal: false", size, len(sent), len(got))
					}
				})
			}
			wg.Wait()
			a.Close()
			b.Close()
		})
	}
}

func sendAll(t *testing.T, c *Conn, p []byte, r *rand.Rand) {
	for len(p) > 0 {
		c.SetWriteDeadline(time.Now().Add(time.Duration(r.IntN(3000))))
		n, err := c.Write(p[:r.IntN(min(len(p), 5000)+1)])
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write: %v", err)
			return
		}
		p = p[n:]
		if r.IntN(10) == 0 {
			time.Sleep(time.Duration(r.IntN(2000)))
		}
	}
	c.CloseWrite()
}

func receiveAll(t *testing.T, c *Conn, r *rand.Rand) (got []byte) {
	p := make([]byte, 5000)
	for {
		c.SetReadDeadline(time.Now().Add(time.Duration(1 + r.IntN(3000))))
		n, err := c.Read(p[:1+r.IntN(len(p))])
		got = append(got, p[:n]...)
		if err == io.EOF {
			return got
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v", err)
			return got
		}
		if r.IntN(10) == 0 {
			time.Sleep(time.Duration(r.IntN(2000)))
		}
	}
}

// TestManyAtOnce lets many goroutines loose on one pair on real time, for the race detector.
func TestManyAtOnce(t *testing.T) {
	a, b := Pipe(100)
	const writers, each = 8, 200
	line := strings.Repeat("x", 63) + "\n"
	var writing, reading sync.WaitGroup
	for range writers {
		writing.Go(func() {
			for range each {
				if n, err := a.Write([]byte(line)); n != len(line) || err != nil {
					t.Errorf("Write: %d, %v", n, err)
				}
				a.SetDeadline(time.Now().Add(time.Hour))
			}
		})
	}
	var mu sync.Mutex
	total := 0
	for range 4 {
		reading.Go(func() {
			p := make([]byte, 50)
			for {
				n, err := b.Read(p)
				mu.Lock()
				total += n
				mu.Unlock()
				if err == io.EOF {
					return
				}
				if err != nil {
					t.Errorf("Read: %v", err)
					return
				}
			}
		})
	}
	writing.Wait()
	a.Close()
	reading.Wait()
	b.Close()
	if want := writers * each * len(line); total != want {
		t.Errorf("read %d bytes, want %d", total, want)
	}
}

func Benchmark(b *testing.B) {
	client, server := Pipe(0)
	defer client.Close()
	defer server.Close()
	p := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		client.Write(p)
		server.Read(p)
	}
}
