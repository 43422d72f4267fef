package http2_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/h2test"
)

var (
	stormFor  = flag.Duration("storm.for", time.Second, "how long the storm lasts")
	stormSeed = flag.Uint64("storm.seed", 1, "its seed")
)

// message is number n of a WebSocket, of a random length, with bytes that tell it from others.
func message(r *rand.Rand, id uint32, n uint64) []byte {
	size := r.IntN(200)
	if r.IntN(10) == 0 {
		size = r.IntN(100_000)
	}
	return append(header(id, n), bytes.Repeat([]byte{byte(id), byte(n)}, size)...)
}

func header(id uint32, n uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, id), n)
}

// TestStorm: many WebSockets share one connection. On each, writers and readers give up and come back, and in the
// end it is closed in order or not. Messages come whole, in order and on the right WebSocket; no call
// stays; those that are left are not disturbed.
func TestStorm(t *testing.T) {
	t.Parallel()
	serve := func(ctx context.Context, c *websocket.Conn) {
		for {
			short, cancel := context.WithTimeout(ctx, 2*time.Millisecond)
			typ, p, err := c.Read(short)
			cancel()
			if errors.Is(err, context.DeadlineExceeded) {
				continue
			}
			if err != nil || c.Write(ctx, typ, p) != nil {
				return
			}
		}
	}
	onBoth(t, websocket.Handler(&websocket.AcceptOptions{CompressionMode: websocket.CompressionContextTakeover}, serve), func(s *http.Server) {
		s.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 2 << 20}
	}, func(t *testing.T, s *httptest.Server, transport *http.Transport) {
		ends := time.Now().Add(*stormFor)
		var wg sync.WaitGroup
		var mu sync.Mutex
		opened, echoed := 0, 0
		for id := range uint32(20) {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(*stormSeed, uint64(id)))
				for time.Now().Before(ends) {
					n := stormOne(t, r, id, transport, s.URL)
					mu.Lock()
					opened, echoed = opened+1, echoed+n
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		t.Logf("%d WebSockets, %d messages", opened, echoed)
		if opened < 20 || echoed < 100 {
			t.Error("that is not much")
		}
	})
}

// stormOne plays one WebSocket, and returns how many messages were echoed.
func stormOne(t *testing.T, r *rand.Rand, id uint32, transport *http.Transport, url string) int {
	resp, nc, err := h2test.Open(transport, url, http.Header{"Sec-Websocket-Extensions": {"permessage-deflate"}})
	if err != nil || nc == nil {
		t.Errorf("%v, %v", resp, err)
		return 0
	}
	c, err := websocket.NewConn(nc, &websocket.ConnOptions{Client: true, Extensions: resp.Header.Get("Sec-WebSocket-Extensions"), CloseTimeout: 10 * time.Second})
	if err != nil {
		t.Error(err)
		return 0
	}
	defer c.CloseNow()
	count := uint64(1 + r.IntN(60))
	var sent sync.WaitGroup
	seed := r.Uint64()
	sent.Go(func() {
		w := rand.New(rand.NewPCG(seed, 1))
		for n := range count {
			if err := send(c, w, message(w, id, n)); err != nil {
				t.Errorf("WebSocket %d: %v", id, err)
				return
			}
		}
	})
	sent.Go(func() { // text may come back or not
		w := rand.New(rand.NewPCG(seed, 2))
		for range count / 4 {
			short, cancel := context.WithTimeout(bg, time.Duration(w.IntN(2000))*time.Microsecond)
			c.Write(short, websocket.MessageText, bytes.Repeat([]byte("x"), w.IntN(50_000)))
			cancel()
		}
		if err := c.Ping(bg); err != nil {
			t.Errorf("Ping: %v", err)
		}
	})
	for n := uint64(0); n < count; {
		ctx, cancel := context.WithTimeout(bg, time.Duration(r.IntN(4000))*time.Microsecond)
		typ, p, err := c.Read(ctx)
		cancel()
		switch {
		case errors.Is(err, context.DeadlineExceeded), typ == websocket.MessageText:
			continue
		case err != nil:
			t.Errorf("Read: %v", err)
			return int(n)
		}
		if want := append(header(id, n), bytes.Repeat([]byte{byte(id), byte(n)}, len(p)/2)...)[:len(p)]; !bytes.Equal(p, want) {
			t.Errorf("WebSocket %d got %x, want number %d", id, p[:12], n)
			return int(n)
		}
		n++
	}
	sent.Wait()
	if r.IntN(3) == 0 {
		c.CloseNow()
	} else if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("Close: %v", err)
	}
	return int(count)
}

// send sends a message in one of the ways there are.
func send(c *websocket.Conn, r *rand.Rand, p []byte) error {
	switch r.IntN(3) {
	case 0:
		if err := c.TryWrite(websocket.MessageBinary, p); !errors.Is(err, websocket.ErrQueueFull) {
			return err
		}
	case 1:
		w, err := c.Writer(bg, websocket.MessageBinary)
		if err != nil {
			return err
		}
		half := r.IntN(len(p))
		if _, err := w.Write(p[:half]); err != nil {
			return err
		}
		if _, err := w.Write(p[half:]); err != nil {
			return err
		}
		return w.Close()
	}
	return c.Write(bg, websocket.MessageBinary, p)
}
