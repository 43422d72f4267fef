package loss

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	ws3 "github.com/closeonce/websocket/http3"
	"github.com/closeonce/websocket/internal/testkit/selfsigned"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

var (
	bg    = context.Background()
	table = flag.Bool("table", false, "measure latencies")
)

// A road is a way of WebSockets over a link. dial opens one more.
type road struct {
	name string
	open func(t testing.TB, l *link) (dial func() (*websocket.Conn, error))
}

var roads = []road{{"TCP", overTCP}, {"HTTP/3", overHTTP3}}

// certificate returns the TLS configurations of the server and of its clients.
var certificate = sync.OnceValues(func() (server, client *tls.Config) { return selfsigned.Pair(addrs[1].String()) })

const port = 443

// overTCP: each WebSocket has a TCP connection of its own, with TLS.
func overTCP(t testing.TB, l *link) func() (*websocket.Conn, error) {
	ln, err := l.nets[1].ListenTCP(&net.TCPAddr{Port: port})
	if err != nil {
		t.Fatal(err)
	}
	serverTLS, clientTLS := certificate()
	server := &http.Server{Handler: websocket.Handler(nil, echo), ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(tls.NewListener(ln, serverTLS))
	}()
	t.Cleanup(func() { server.Close(); <-served })
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: clientTLS, DialContext: l.nets[0].DialContext}}
	return func() (*websocket.Conn, error) {
		c, _, err := websocket.Dial(bg, fmt.Sprintf("wss://%s", net.JoinHostPort(addrs[1].String(), fmt.Sprint(port))), &websocket.DialOptions{HTTPClient: client})
		return c, err
	}
}

// overHTTP3: all WebSockets share one QUIC connection.
func overHTTP3(t testing.TB, l *link) func() (*websocket.Conn, error) {
	there, err := l.nets[1].ListenUDP(&net.UDPAddr{IP: addrs[1].AsSlice(), Port: port})
	if err != nil {
		t.Fatal(err)
	}
	here, err := l.nets[0].ListenUDP(&net.UDPAddr{IP: addrs[0].AsSlice(), Port: 9})
	if err != nil {
		t.Fatal(err)
	}
	serverTLS, clientTLS := certificate()
	server := &http3.Server{TLSConfig: http3.ConfigureTLSConfig(serverTLS), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := ws3.Accept(w, r, nil); err == nil {
			go echo(bg, c)
		}
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(there)
	}()
	transport := &quic.Transport{Conn: here}
	d := &ws3.Dialer{TLSClientConfig: clientTLS, DialQUIC: func(ctx context.Context, _ string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error) {
		return transport.Dial(ctx, &net.UDPAddr{IP: addrs[1].AsSlice(), Port: port}, tlsConfig, config)
	}}
	t.Cleanup(func() {
		d.Close()
		server.Close()
		transport.Close()
		here.Close()
		there.Close()
		<-served
	})
	return func() (*websocket.Conn, error) {
		c, _, err := d.Dial(bg, fmt.Sprintf("wss://%s", net.JoinHostPort(addrs[1].String(), fmt.Sprint(port))), nil)
		return c, err
	}
}

func echo(ctx context.Context, c *websocket.Conn) {
	defer c.CloseNow()
	for m, err := range c.Messages(ctx) {
		if err != nil || c.Write(ctx, m.Type, m.Data) != nil {
			return
		}
	}
}

// TestLoss: whatever is lost, late or out of order, every message arrives once, whole and in order, and connections close well.
func TestLoss(t *testing.T) {
	for _, r := range roads {
		for _, loss := range []float64{0.001, 0.01, 0.05} {
			t.Run(fmt.Sprintf("%s/%.1f%%", r.name, 100*loss), func(t *testing.T) {
				t.Parallel()
				l := newLink(t, weather{delay: 2 * time.Millisecond, loss: loss, late: 0.05}, 7)
				dial := r.open(t, l)
				const conns, messages, size = 4, 150, 2000
				errs := make(chan error, conns)
				for range conns {
					go func() { errs <- bounce(dial, messages, size) }()
				}
				for range conns {
					if err := <-errs; err != nil {
						t.Error(err)
					}
				}
				t.Logf("%d packets came, %d of them late, %d were lost", l.passed.Load(), l.delayed.Load(), l.dropped.Load())
				if l.delayed.Load() == 0 || l.dropped.Load() == 0 && loss > 0.001 {
					t.Error("nothing happened to the packets")
				}
			})
		}
	}
}

// bounce sends messages without waiting for each, and wants them back in order.
func bounce(dial func() (*websocket.Conn, error), messages, size int) error {
	c, err := dial()
	if err != nil {
		return err
	}
	defer c.CloseNow()
	ctx, cancel := context.WithTimeout(bg, time.Minute)
	defer cancel()
	sent := make(chan error, 1)
	message := func(i int) []byte { return binary.BigEndian.AppendUint64(make([]byte, size, size+8), uint64(i)) }
	go func() {
		for i := range messages {
			if err := c.Write(ctx, websocket.MessageBinary, message(i)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for i := range messages {
		_, p, err := c.Read(ctx)
		if err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		if !slices.Equal(p, message(i)) {
			return fmt.Errorf("message %d is another", i)
		}
	}
	if err := <-sent; err != nil {
		return err
	}
	return c.Close(websocket.StatusNormalClosure, "")
}

// TestLatency measures round trips of small messages, as a chat or a game has them.
func TestLatency(t *testing.T) {
	if !*table {
		t.Skip("it measures; use -table")
	}
	const conns, every, lasts = 8, 20 * time.Millisecond, 12 * time.Second
	fmt.Println("| loss | road | p50 | p90 | p99 | worst |\n| ---: | --- | ---: | ---: | ---: | ---: |")
	for _, loss := range []float64{0, 0.001, 0.01, 0.02, 0.05} {
		for _, r := range roads {
			t.Run(fmt.Sprintf("%s/%.1f%%", r.name, 100*loss), func(t *testing.T) {
				l := newLink(t, weather{delay: 10 * time.Millisecond, loss: loss, late: 0.01}, 7)
				dial := r.open(t, l)
				var mu sync.Mutex
				var all []time.Duration
				var running sync.WaitGroup
				for range conns {
					running.Go(func() {
						took, err := roundTrips(dial, every, lasts)
						if err != nil {
							t.Error(err)
						}
						mu.Lock()
						all = append(all, took...)
						mu.Unlock()
					})
				}
				running.Wait()
				slices.Sort(all)
				at := func(q float64) time.Duration {
					return all[min(int(q*float64(len(all))), len(all)-1)].Round(100 * time.Microsecond)
				}
				fmt.Printf("| %.1f %% | %s | %v | %v | %v | %v |\n", 100*loss, r.name, at(.5), at(.9), at(.99), at(1))
			})
		}
	}
}

// roundTrips sends a message of 100 bytes at each tick, and returns how long each took to come back.
func roundTrips(dial func() (*websocket.Conn, error), every, lasts time.Duration) ([]time.Duration, error) {
	c, err := dial()
	if err != nil {
		return nil, err
	}
	defer c.CloseNow()
	n := int(lasts / every)
	sent := make(chan time.Time, n)
	go func() {
		ticks := time.NewTicker(every)
		defer ticks.Stop()
		for range n {
			<-ticks.C
			sent <- time.Now()
			if c.Write(bg, websocket.MessageBinary, make([]byte, 100)) != nil {
				return
			}
		}
	}()
	var took []time.Duration
	for range n {
		if _, _, err := c.Read(bg); err != nil {
			return took, err
		}
		took = append(took, time.Since(<-sent))
	}
	return took, nil
}
