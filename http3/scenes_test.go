package http3

import (
	"context"
	"errors"
	"flag"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/proof/storm"
	"github.com/closeonce/websocket/internal/streamconn"
	"github.com/closeonce/websocket/internal/testkit/selfsigned"
	"github.com/quic-go/quic-go/http3"
)

var (
	stormFor     = flag.Duration("storm.for", 2*time.Second, "how long TestScenes begins programs")
	stormSeed    = flag.Uint64("storm.seed", 1, "its seed")
	stormScene   = flag.String("storm.scene", "crowd,flood,group,pause,proxy,tunnel", "its scenes")
	stormProgram = flag.Int("storm.program", 0, "run only the program with this number, again and again")
)

// pairs makes connected pairs of streams over one QUIC connection.
type pairs struct {
	server *http3.Server
	dialer *Dialer
	url    string
	opened chan *http3.Stream

	mu sync.Mutex // a stream is opened and accepted before the next
}

func newPairs(t *testing.T) *pairs {
	serverTLS, clientTLS := selfsigned.Pair("127.0.0.1")
	p := &pairs{dialer: &Dialer{TLSClientConfig: clientTLS}, opened: make(chan *http3.Stream)}
	pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	p.url = "wss://" + pc.LocalAddr().String()
	p.server = &http3.Server{TLSConfig: http3.ConfigureTLSConfig(serverTLS), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := take(w, w.(http3.HTTPStreamer), http.StatusOK)
		if err != nil {
			t.Error(err)
		}
		p.opened <- s
	})}
	go p.server.Serve(pc)
	t.Cleanup(func() {
		p.dialer.Close()
		p.server.Close()
		pc.Close()
	})
	return p
}

// pair returns the server's and the client's end of a new stream, in this order if server is true.
func (p *pairs) pair(server bool) (near, far net.Conn, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, _, err := newRequest(ctx, p.url, new(websocket.DialOptions))
	if err != nil {
		return nil, nil, err
	}
	s, requested, err := p.dialer.openStream(ctx, req.URL)
	if err != nil {
		return nil, nil, err
	}
	if _, err := roundTrip(ctx, requested, req); err != nil {
		return nil, nil, err
	}
	select {
	case taken := <-p.opened:
		near, far = streamconn.New(&stream{requestStream: taken}), streamconn.New(s)
	case <-ctx.Done():
		return nil, nil, errors.New("the server has not accepted the stream")
	}
	if !server {
		near, far = far, near
	}
	return near, halves{far}, nil
}

// halves has a CloseWrite even where streamconn hides the stream's.
type halves struct{ net.Conn }

func (h halves) CloseWrite() error {
	if half, ok := h.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return h.Close()
}

// TestScenes plays the scenes of the library's storm over streams of HTTP/3, all on one QUIC connection.
func TestScenes(t *testing.T) {
	p := newPairs(t)
	if a, b, err := p.pair(true); err != nil {
		t.Fatal(err)
	} else { // the connection and its goroutines stay
		a.Close()
		b.Close()
	}
	report, err := storm.Run(storm.Config{
		Seed: *stormSeed, For: *stormFor, Program: *stormProgram, Transports: []string{"given"}, Pair: p.pair,
		Scenes: strings.Split(*stormScene, ","), Dir: t.TempDir(),
		Found: func(v storm.Violation) {
			t.Errorf("%s after %.1f s: %v\n%s\n\tagain: -storm.seed=%d -storm.scene=%s -storm.program=%d -storm.for=1m", v.Kind, v.After.Seconds(),
				v.Program, v.Detail, *stormSeed, *stormScene, v.Program.Number)
		},
		CloseTimeout: 20 * time.Second, Patience: 30 * time.Second, Hearing: 30 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d programs, %d messages, %d frames, %d MB", report.Programs, report.Messages, report.Frames, report.Bytes>>20)
}
