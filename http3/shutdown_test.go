package http3_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// TestShutdownEnds: a server shuts down while Go clients and one that does not answer a Close have WebSockets. The clients that
// answer see 1001, and both calls end within their context.
func TestShutdownEnds(t *testing.T) {
	const polite, patience = 10, time.Second
	var group websocket.Group
	joined := make(chan struct{}, polite+1)
	s := serve(t, nil, accept(nil, func(c *websocket.Conn) {
		group.Add(c)
		joined <- struct{}{}
	}))
	d := dialer(t)
	codes := make(chan websocket.StatusCode, polite)
	for range polite {
		c := dial(t, d, s.url, nil)
		go func() {
			_, _, err := c.Read(bg)
			codes <- websocket.CloseStatus(err)
		}()
	}
	q, err := quic.DialAddr(bg, s.addr.String(), clientTLS(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer q.CloseWithError(0, "")
	deaf := rawStream(t, (&http3.Transport{DisableCompression: true}).NewClientConn(q), s.url)
	for range polite + 1 {
		<-joined
	}

	told := make(chan []byte, 1)
	go func() { // before the connection is closed
		b := make([]byte, 4)
		io.ReadFull(deaf, b)
		told <- b
	}()

	began := time.Now()
	ctx, cancel := context.WithTimeout(bg, patience)
	defer cancel()
	closed, err := group.Shutdown(ctx)
	if err == nil {
		t.Errorf("with a client that does not answer, the group's Shutdown closes %d and returns nil", closed)
	}
	d.Close()
	if err := s.server.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) { // it waits for the deaf client's connection
		t.Errorf("the server's Shutdown returns %v", err)
	}
	if took := time.Since(began); took > patience+4*time.Second {
		t.Errorf("it took %v, with %v to do it in", took, patience)
	}
	for range polite {
		if code := <-codes; code != websocket.StatusGoingAway {
			t.Errorf("a client saw %v", code)
		}
	}
	if b := <-told; b[0] != 0x88 || uint16(b[2])<<8|uint16(b[3]) != 1001 {
		t.Errorf("the deaf client got % x", b)
	}
}
