package h2test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/closeonce/websocket/internal/connect"
	"github.com/closeonce/websocket/internal/handshake"
)

// Pairs makes connected pairs of streams over one HTTP/2 connection, which know nothing of WebSockets.
type Pairs struct {
	server    *httptest.Server
	transport *http.Transport
	opened    chan net.Conn

	mu sync.Mutex // a stream is opened and accepted before the next
}

// NewPairs starts the server. Close ends it.
func NewPairs(secured bool) *Pairs {
	p := &Pairs{opened: make(chan net.Conn)}
	p.server = Start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := connect.Accept(w, r, new(handshake.Answer))
		if err != nil {
			close(p.opened)
			return
		}
		p.opened <- c
		<-c.Released()
	}), secured, func(s *http.Server) { // a stream that nobody reads must not stall the others
		s.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 64 << 20}
	})
	p.transport = Transport(p.server)
	return p
}

// Pair returns the server's and the client's end of a new stream, in this order if server is true.
func (p *Pairs) Pair(server bool) (near, far net.Conn, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, far, err = Open(p.transport, p.server.URL, nil)
	if err != nil {
		return nil, nil, err
	}
	near, ok := <-p.opened
	switch {
	case !ok || far == nil:
		return nil, nil, errors.New("the server has not accepted the stream")
	case !server:
		return far, handlers{near}, nil
	}
	return near, far, nil
}

// handlers is the end of a handler. It can't end one direction: net/http does that when the handler returns.
type handlers struct{ net.Conn }

func (h handlers) CloseWrite() error { return h.Close() }

// Close ends the server and the client.
func (p *Pairs) Close() {
	p.transport.CloseIdleConnections()
	p.server.Close()
}
