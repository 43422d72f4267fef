package streamconn_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/streamconn"
	"github.com/closeonce/websocket/internal/testkit/memconn"
)

// A plain stream knows no deadlines.
type plain struct{ io.ReadWriteCloser }

// over runs a test of a Conn over a plain stream in a bubble; peer is the stream's other end, which holds size bytes.
func over(t *testing.T, size int, f func(t *testing.T, c *streamconn.Conn, peer *memconn.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a, b := memconn.Pipe(size)
		c := streamconn.New(plain{a})
		f(t, c, b)
		c.Close()
		b.Close()
	})
}

func wantTimeout(t *testing.T, why string, err error) {
	t.Helper()
	var ne net.Error
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("%s: %v, want a time-out", why, err)
	}
}

func TestReadAndWrite(t *testing.T) {
	over(t, 1<<10, func(t *testing.T, c *streamconn.Conn, peer *memconn.Conn) {
		go peer.Write([]byte("hello world"))
		var got []byte
		for b := make([]byte, 4); len(got) < len("hello world"); {
			n, err := c.Read(b)
			if n == 0 || err != nil {
				t.Fatal(n, err)
			}
			got = append(got, b[:n]...)
		}
		if string(got) != "hello world" {
			t.Errorf("read %q", got)
		}
		if n, err := c.Read(nil); n != 0 || err != nil {
			t.Errorf("a Read of nothing: %d, %v", n, err)
		}

		large := []byte(strings.Repeat("0123456789", 10000)) // many chunks
		written := make(chan error, 1)
		go func() {
			n, err := c.Write(large)
			if n != len(large) {
				t.Errorf("wrote %d", n)
			}
			clear(large) // it is the caller's again
			written <- err
		}()
		arrived := make([]byte, len(large))
		if _, err := io.ReadFull(peer, arrived); err != nil {
			t.Fatal(err)
		}
		if err := <-written; err != nil || string(arrived) != strings.Repeat("0123456789", 10000) {
			t.Errorf("something else arrived, %v", err)
		}
		if n, err := c.Write(nil); n != 0 || err != nil {
			t.Errorf("a Write of nothing: %d, %v", n, err)
		}
	})
}

func TestReadToTheEnd(t *testing.T) {
	over(t, 0, func(t *testing.T, c *streamconn.Conn, peer *memconn.Conn) {
		peer.Write([]byte("last"))
		peer.CloseWrite()
		if got, err := io.ReadAll(c); string(got) != "last" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the end stays: %v", err)
		}
		if _, err := c.Write([]byte("x")); err != nil {
			t.Errorf("the other direction lives: %v", err)
		}
	})
}

func TestReadDeadline(t *testing.T) {
	over(t, 0, func(t *testing.T, c *streamconn.Conn, peer *memconn.Conn) {
		b := make([]byte, 10)
		began := time.Now()
		c.SetReadDeadline(began.Add(time.Second))
		_, err := c.Read(b)
		wantTimeout(t, "while waiting", err)
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
		}
		peer.Write([]byte("late")) // the goroutine that was left at it has it now
		synctest.Wait()
		_, err = c.Read(b)
		wantTimeout(t, "afterwards, though something has come", err)
		c.SetReadDeadline(time.Time{})
		if n, err := c.Read(b); string(b[:n]) != "late" || err != nil {
			t.Errorf("nothing is lost: %q, %v", b[:n], err)
		}

		c.SetReadDeadline(time.Now().Add(time.Hour))
		waits := make(chan error, 1)
		go func() {
			_, err := c.Read(b)
			waits <- err
		}()
		synctest.Wait()
		began = time.Now()
		c.SetReadDeadline(began.Add(time.Second))
		wantTimeout(t, "moved to earlier while waiting", <-waits)
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
		}

		c.SetReadDeadline(time.Now().Add(time.Second))
		go func() {
			n, err := c.Read(b)
			if n != 4 {
				t.Errorf("read %d", n)
			}
			waits <- err
		}()
		synctest.Wait()
		c.SetReadDeadline(time.Now().Add(time.Hour))
		time.Sleep(time.Minute)
		peer.Write([]byte("more"))
		if err := <-waits; err != nil {
			t.Errorf("moved to later while waiting: %v", err)
		}

		c.SetReadDeadline(time.Now().Add(-time.Second))
		_, err = c.Read(b)
		wantTimeout(t, "in the past", err)
		c.SetReadDeadline(time.Now().Add(time.Second))
		peer.Write([]byte("on"))
		if n, err := c.Read(b); string(b[:n]) != "on" || err != nil {
			t.Errorf("a new deadline: %q, %v", b[:n], err)
		}
	})
}

func TestWriteDeadline(t *testing.T) {
	over(t, 1<<10, func(t *testing.T, c *streamconn.Conn, peer *memconn.Conn) {
		large := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
		began := time.Now()
		c.SetWriteDeadline(began.Add(time.Second))
		n, err := c.Write(large)
		wantTimeout(t, "while waiting", err)
		if took := time.Since(began); took != time.Second || n >= len(large) {
			t.Errorf("it took %v for %d bytes", took, n)
		}
		m, err := c.Write(large[n:])
		wantTimeout(t, "afterwards", err)
		if m != 0 {
			t.Errorf("%d bytes were taken after the deadline", m)
		}
		arrived := make(chan []byte, 1)
		go func() {
			b := make([]byte, len(large))
			io.ReadFull(peer, b)
			arrived <- b
		}()
		c.SetWriteDeadline(time.Time{})
		if m, err := c.Write(large[n:]); m != len(large)-n || err != nil {
			t.Errorf("the rest: %d, %v", m, err)
		}
		if got := <-arrived; !bytes.Equal(got, large) {
			t.Error("what was counted as written is not what arrived")
		}
	})
}

func TestClose(t *testing.T) {
	over(t, 1<<10, func(t *testing.T, c *streamconn.Conn, peer *memconn.Conn) {
		read, written := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 1))
			read <- err
		}()
		go func() {
			_, err := c.Write(make([]byte, 64<<10))
			written <- err
		}()
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		for name, err := range map[string]error{
			"the Read that waited":  <-read,
			"the Write that waited": <-written,
			"Read":                  func() error { _, err := c.Read(make([]byte, 1)); return err }(),
			"Write":                 func() error { _, err := c.Write([]byte("x")); return err }(),
			"SetDeadline":           c.SetDeadline(time.Now()),
			"SetReadDeadline":       c.SetReadDeadline(time.Time{}),
			"Close":                 c.Close(),
		} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s: %v, want net.ErrClosed", name, err)
			}
		}
		if _, err := io.Copy(io.Discard, peer); err != nil {
			t.Errorf("the stream is closed: %v", err)
		}
	})
}

func TestStreamErrorsStay(t *testing.T) {
	over(t, 0, func(t *testing.T, c *streamconn.Conn, peer *memconn.Conn) {
		peer.Reset()
		for range 2 {
			if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF || errors.Is(err, net.ErrClosed) {
				t.Errorf("Read: %v", err)
			}
			if _, err := c.Write([]byte("x")); err == nil || errors.Is(err, net.ErrClosed) {
				t.Errorf("Write: %v", err)
			}
		}
	})
}

// TestConcurrentReads: two that read get different bytes, and each has its deadline.
func TestConcurrentReads(t *testing.T) {
	over(t, 0, func(t *testing.T, c *streamconn.Conn, peer *memconn.Conn) {
		got := make(chan string, 2)
		for range 2 {
			go func() {
				b := make([]byte, 1)
				n, err := c.Read(b)
				if err != nil {
					t.Error(err)
				}
				got <- string(b[:n])
			}()
		}
		synctest.Wait()
		peer.Write([]byte("ab"))
		if one, two := <-got, <-got; one+two != "ab" && one+two != "ba" {
			t.Errorf("read %q and %q", one, two)
		}

		c.SetDeadline(time.Now().Add(time.Second))
		failed := make(chan error, 4)
		for range 2 {
			go func() {
				_, err := c.Read(make([]byte, 1))
				failed <- err
			}()
			go func() {
				_, err := c.Write(make([]byte, 256<<10))
				failed <- err
			}()
		}
		for range 4 {
			wantTimeout(t, "one of two", <-failed)
		}
		c.SetReadDeadline(time.Time{})
		go func() {
			time.Sleep(time.Second)
			c.Close()
		}()
		for range 2 {
			go func() {
				_, err := c.Read(make([]byte, 1))
				failed <- err
			}()
		}
		for range 2 {
			if err := <-failed; !errors.Is(err, net.ErrClosed) {
				t.Errorf("one of two, when it is closed: %v", err)
			}
		}
	})
}

// TestDeadlineRace moves deadlines while they pass.
func TestDeadlineRace(t *testing.T) {
	a, b := memconn.Pipe(0)
	defer b.Close()
	c := streamconn.New(plain{a})
	defer c.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 2000 {
			c.SetReadDeadline(time.Now().Add(time.Microsecond))
			c.SetReadDeadline(time.Now().Add(-1))
			c.SetReadDeadline(time.Now().Add(2 * time.Microsecond))
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
			_, err := c.Read(make([]byte, 1))
			wantTimeout(t, "nothing comes", err)
		}
	}
	c.SetReadDeadline(time.Time{})
	b.Write([]byte("x"))
	if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("afterwards: %d, %v", n, err)
	}
}

func TestAddresses(t *testing.T) {
	over(t, 0, func(t *testing.T, c *streamconn.Conn, peer *memconn.Conn) {
		for _, addr := range []net.Addr{c.LocalAddr(), c.RemoteAddr()} {
			if addr.Network() != "stream" || addr.String() != "stream" {
				t.Errorf("%v of %v", addr, addr.Network())
			}
		}
		c.WriteDeadlineResumes()
	})
}
