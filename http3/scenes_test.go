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
	"github.com/quic-go/quic-go"
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

// newPairs allows so many streams at once.
func newPairs(t *testing.T, most int64) *pairs {
	serverTLS, clientTLS := selfsigned.Pair("127.0.0.1")
	// A stream that nobody reads must not stall the others.
	config := &quic.Config{
		InitialStreamReceiveWindow: 64 << 10, MaxStreamReceiveWindow: 64 << 10,
		InitialConnectionReceiveWindow: 64 << 20, MaxConnectionReceiveWindow: 64 << 20, MaxIncomingStreams: most, KeepAlivePeriod: 10 * time.Second,
	}
	p := &pairs{dialer: &Dialer{TLSClientConfig: clientTLS, QUICConfig: config}, opened: make(chan *http3.Stream)}
	pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	p.url = "wss://" + pc.LocalAddr().String()
	p.server = &http3.Server{QUICConfig: config, TLSConfig: http3.ConfigureTLSConfig(serverTLS), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := send(layers(w), w.(http3.HTTPStreamer), nil)
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
	theirs, ours, err := p.streams()
	if err != nil {
		return nil, nil, err
	}
	near, far = streamconn.New(theirs), streamconn.New(ours)
	if !server {
		near, far = far, near
	}
	return near, halves{far}, nil
}

// streams returns the server's and the client's end of a new stream.
func (p *pairs) streams() (server, client *stream, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, _, err := newRequest(ctx, p.url, new(websocket.DialOptions))
	if err != nil {
		return nil, nil, err
	}
	s, _, err := p.dialer.request(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	select {
	case taken := <-p.opened:
		return &stream{requestStream: taken}, s, nil
	case <-ctx.Done():
		return nil, nil, errors.New("the server has not accepted the stream")
	}
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
	storm.Over(t, storm.Config{Seed: *stormSeed, For: *stormFor, Program: *stormProgram, Scenes: strings.Split(*stormScene, ",")}, newPairs(t, 1000).pair)
}
