package transport

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/streamconn"
)

// lingerFor is Linger, bounded as its callers do it: by a Close.
func lingerFor(c *Conn, patience time.Duration) {
	giveUp := time.AfterFunc(patience, c.Close)
	defer giveUp.Stop()
	c.Linger()
}

// TestLinger: the peer reads what was written last, although what it wrote itself was not read.
func TestLinger(t *testing.T) {
	for _, w := range wires[:3] {
		t.Run(w.name, func(t *testing.T) {
			for range 20 {
				nc, peer := w.pair(t)
				c := open(nc)
				if _, err := peer.Write(make([]byte, 20<<10)); err != nil {
					t.Fatal(err)
				}
				b := &Buffer{B: []byte("bye")}
				hits := 0
				if err := c.writeAll(nil, b, nil, true, &hits); err != nil {
					t.Fatal(err)
				}
				c.InterruptRead() // left over: it is no reason to stop
				c.InterruptWrite()
				lingered := start(func() error { lingerFor(c, 20*time.Second); return nil })
				got, err := io.ReadAll(peer)
				if string(got) != "bye" || err != nil {
					t.Fatalf("%q came, %v", got, err)
				}
				peer.Write([]byte("still here"))
				peer.Close()
				soon(t, "Linger", lingered)
				if _, err := nc.Write([]byte("x")); err == nil {
					t.Error("it is not closed")
				}
			}
		})
	}
}

// TestLingerInOnePiece: a net.Conn of which one can't close half. What was written last arrives all the same.
func TestLingerInOnePiece(t *testing.T) {
	t.Parallel()           // it waits
	const much = 400 << 10 // more than the peer's system takes: some of it is in ours
	for range 8 {
		nc, peer := socketPair(t, "tcp")
		c := open(struct{ net.Conn }{nc})
		if _, err := peer.Write(make([]byte, 20<<10)); err != nil {
			t.Fatal(err)
		}
		if err := c.Write(nil, &Buffer{B: make([]byte, much)}, nil); err != nil {
			t.Fatal(err)
		}
		c.InterruptWrite() // left over: the context of a Write that was over
		lingered := start(func() error { lingerFor(c, 20*time.Second); return nil })
		select {
		case <-lingered:
			t.Fatal("Linger did not")
		case <-time.After(10 * time.Millisecond):
		}
		if n, err := io.ReadFull(peer, make([]byte, much)); err != nil {
			t.Fatalf("%d bytes came, %v", n, err)
		}
		peer.Write([]byte("still here"))
		peer.Close()
		soon(t, "Linger", lingered)
	}
}

// TestLingerIsBounded: a peer that never closes is not waited for.
func TestLingerIsBounded(t *testing.T) {
	t.Parallel() // it waits
	overClosing(t, func(t *testing.T, c *Conn, peer net.Conn) {
		soon(t, "Linger", start(func() error { lingerFor(c, 20*time.Millisecond); return nil }))
		if _, err := c.nc.Write([]byte("x")); err == nil {
			t.Error("it is not closed")
		}
	})
}

// TestClose: blocked calls return, although nobody reads what is to be written.
func TestClose(t *testing.T) {
	overClosing(t, func(t *testing.T, c *Conn, peer net.Conn) {
		reading := start(func() error {
			for {
				if _, err := c.Read(nil, nil); err != nil {
					return err
				}
			}
		})
		b := &Buffer{B: make([]byte, 2<<20)}
		c.TryWrite(b, nil)
		writing := start(func() error { return c.Write(nil, b, nil) })
		soon(t, "Close", start(func() error { c.Close(); return nil }))
		if err := soon(t, "Read", reading); err == nil || err == ErrInterrupted {
			t.Errorf("Read: %v", err)
		}
		if err := soon(t, "Write", writing); err == nil || err == ErrInterrupted {
			t.Errorf("Write: %v", err)
		}
		io.Copy(io.Discard, peer)
		c.Close()
		c.CloseGently(time.Second)
	})
}

// TestCloseGently: TLS says good-bye.
func TestCloseGently(t *testing.T) {
	overAll(t, func(t *testing.T, c *Conn, peer net.Conn) {
		read := start(func() error { _, err := io.Copy(io.Discard, peer); return err })
		soon(t, "CloseGently", start(func() error { c.CloseGently(20 * time.Second); return nil }))
		if err := soon(t, "the peer", read); err != nil {
			t.Error(err)
		}
	})
}

// TestCloseGentlyDoesNotWait: a peer that does not read delays nobody, and the socket is closed within patience.
func TestCloseGentlyDoesNotWait(t *testing.T) {
	t.Parallel() // it waits
	overClosing(t, func(t *testing.T, c *Conn, peer net.Conn) {
		b := &Buffer{B: make([]byte, 2<<20)}
		c.TryWrite(b, nil)
		writing := start(func() error { return c.Write(nil, b, nil) })
		select {
		case err := <-writing:
			t.Fatalf("Write: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
		c.InterruptWrite()
		if err := soon(t, "Write", writing); err != ErrInterrupted {
			t.Fatal(err)
		}
		began := time.Now()
		soon(t, "CloseGently", start(func() error { c.CloseGently(20 * time.Millisecond); return nil }))
		if took := time.Since(began); took > 4*time.Second { // crypto/tls waits five
			t.Errorf("it took %v", took)
		}
		reading := start(func() error {
			for {
				if _, err := c.nc.Read(make([]byte, 1)); err != nil && !isTimeout(err) {
					return err
				}
			}
		})
		if err := soon(t, "the end", reading); !errors.Is(err, net.ErrClosed) && err != io.ErrClosedPipe && err != io.EOF {
			t.Log(err)
		}
	})
}

// TestCloseAnyTLS: TLS over a net.Conn that is no socket is closed at once, too, though nobody reads its good-bye.
func TestCloseAnyTLS(t *testing.T) {
	for _, gently := range []bool{false, true} {
		a, b := net.Pipe()
		nc, _ := secure(t, a, b)
		c := open(nc)
		began := time.Now()
		if gently {
			c.CloseGently(20 * time.Millisecond)
		} else {
			c.Close()
		}
		if took := time.Since(began); took > 2*time.Second { // crypto/tls waits five
			t.Errorf("gently %v: it took %v", gently, took)
		}
		b.Close()
	}
}

// TestCloseStreamOfTLS: so is TLS of which a stream was made.
func TestCloseStreamOfTLS(t *testing.T) {
	for name, end := range map[string]func(c *Conn){
		"Close":       func(c *Conn) { c.Close() },
		"CloseGently": func(c *Conn) { c.CloseGently(20 * time.Millisecond) },
		"Linger":      func(c *Conn) { lingerFor(c, 20*time.Millisecond) },
	} {
		a, b := net.Pipe()
		nc, _ := secure(t, a, b)
		c := open(streamconn.NewOf(nc, nc))
		began := time.Now()
		end(c)
		if took := time.Since(began); took > 2*time.Second { // crypto/tls waits five
			t.Errorf("%s: it took %v", name, took)
		}
		b.Close()
	}
}
