package websocket_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"unsafe"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// The tripwires: what a message and a connection may cost, counted and not timed. A change that costs more
// fails here before anybody measures it.
const (
	limitConnSize = 760 // bytes of a Conn: with the 8 that the runtime adds, it has a size class of 768

	limitEchoAllocs = 0.0  // per echo, of both ends together
	limitReadAllocs = 2.0  // per Read of a large message
	limitReadBytes  = 1.25 // allocated by it, per byte of the message

	limitWritesPerMessage = 1.0  // system calls of a Write that finds room in the socket
	limitWritesPerBurst   = 1.25 // and of all answers to what came at once; they wait a millisecond for each other, and on a busy machine it passes
	limitReadsPerMessage  = 2.0  // one that finds nothing, one that finds the message
)

func TestConnSize(t *testing.T) {
	if size := unsafe.Sizeof(websocket.Conn{}); size > limitConnSize {
		t.Errorf("a Conn has %d bytes, more than %d", size, limitConnSize)
	}
}

// A wire is one TCP connection between the library and a raw peer.
type wire struct {
	peer  *wiretest.Peer
	conn  *websocket.Conn
	under *net.TCPConn // conn's
}

// newWire connects the library, in the given role, to a peer that plays the other one.
func newWire(t *testing.T, role wiretest.Role) wire {
	t.Helper()
	if role == wiretest.Server {
		return newServerWire(t)
	}
	return newClientWire(t)
}

func newServerWire(t *testing.T) wire {
	t.Helper()
	under, conns := make(chan net.Conn, 1), make(chan *websocket.Conn, 1)
	srv := httptest.NewUnstartedServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		conns <- c
		<-ctx.Done()
	}))
	srv.Config.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		under <- nc
		return ctx
	}
	srv.Start()
	t.Cleanup(srv.Close)
	nc, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w := wire{peer: wiretest.NewPeer(t, nc, wiretest.Client)}
	w.peer.ClientHandshake("/", nil)
	w.under, w.conn = (<-under).(*net.TCPConn), <-conns
	t.Cleanup(func() { w.conn.CloseNow() })
	return w
}

func newClientWire(t *testing.T) wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var under net.Conn
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, address)
		under = nc
		return nc, err
	}}
	dialled := make(chan error, 1)
	var w wire
	go func() {
		var err error
		w.conn, _, err = websocket.Dial(context.Background(), "ws://"+ln.Addr().String(),
			&websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
		dialled <- err
	}()
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	w.peer = wiretest.NewPeer(t, nc, wiretest.Server)
	w.peer.ServeHandshake(nil)
	if err := <-dialled; err != nil {
		t.Fatal(err)
	}
	w.under = under.(*net.TCPConn)
	t.Cleanup(func() { w.conn.CloseNow() })
	return w
}

// echoInto answers each message with itself, reading into a buffer of its own.
func echoInto(ctx context.Context, c *websocket.Conn) {
	var buf []byte
	for {
		typ, message, err := c.AppendRead(ctx, buf[:0])
		if err != nil || c.Write(ctx, typ, message) != nil {
			return
		}
		buf = message
	}
}

// allocated returns how many objects and bytes one of n calls of f allocates. Whatever else runs in the
// process adds to it, so the least of some attempts counts.
func allocated(n int, f func()) (objects, size float64) {
	for range 2 * n { // buffers grow, pools fill
		f()
	}
	for attempt := range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range n {
			f()
		}
		runtime.ReadMemStats(&after)
		if o := float64(after.Mallocs-before.Mallocs) / float64(n); attempt == 0 || o < objects {
			objects = o
		}
		if s := float64(after.TotalAlloc-before.TotalAlloc) / float64(n); attempt == 0 || s < size {
			size = s
		}
	}
	return objects, size
}

// underRace says whether the race detector is on. It makes sync.Pool forget things at random, and keeps
// memory of its own.
func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// TestEchoAllocations: a message that is read into the application's memory, and its answer, allocate nothing.
// Both ends are the library's, so it is true of a server and of a client.
func TestEchoAllocations(t *testing.T) {
	if underRace() {
		t.Skip("under the race detector sync.Pool drops what it holds at random")
	}
	for mode, name := range map[websocket.CompressionMode]string{
		websocket.CompressionDisabled:          "plain",
		websocket.CompressionNoContextTakeover: "compressed",
		websocket.CompressionContextTakeover:   "compressed with context takeover",
	} {
		for _, size := range []int{64, 1 << 10, 16 << 10} {
			t.Run(fmt.Sprintf("%s, %d bytes", name, size), func(t *testing.T) {
				srv := httptest.NewServer(websocket.Handler(&websocket.AcceptOptions{CompressionMode: mode}, echoInto))
				defer srv.Close()
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				c, _, err := websocket.Dial(ctx, srv.URL, &websocket.DialOptions{CompressionMode: mode})
				if err != nil {
					t.Fatal(err)
				}
				defer c.CloseNow()
				message := bytes.Repeat([]byte(`{"id":17,"side":"buy"} `), size/23+1)[:size]
				var buf []byte
				objects, _ := allocated(100, func() {
					if err := c.Write(ctx, websocket.MessageText, message); err != nil {
						t.Fatal(err)
					}
					if _, buf, err = c.AppendRead(ctx, buf[:0]); err != nil || len(buf) != size {
						t.Fatalf("%d bytes came back, %v", len(buf), err)
					}
				})
				const noise = 0.1 // a pool that was emptied by a collection
				if objects > limitEchoAllocs+noise {
					t.Errorf("an echo allocates %.2f objects, more than %v", objects, limitEchoAllocs)
				}
			})
		}
	}
}

// TestReadAllocations: a large message that Read returns in memory of its own costs little more than that memory.
func TestReadAllocations(t *testing.T) {
	if underRace() {
		t.Skip("under the race detector sync.Pool drops what it holds at random")
	}
	for _, role := range []wiretest.Role{wiretest.Server, wiretest.Client} {
		for _, size := range []int{64 << 10, 256 << 10, 1 << 20} {
			t.Run(fmt.Sprintf("%d KiB, as %s", size>>10, role), func(t *testing.T) {
				w := newWire(t, role)
				frame := w.peer.Encode(wiretest.Frame{FIN: true, Opcode: wiretest.OpBinary, Payload: make([]byte, size)})
				next := make(chan bool)
				defer close(next)
				go func() { // a large message leaves as it is read
					for range next {
						if _, err := w.peer.Conn.Write(frame); err != nil {
							return
						}
					}
				}()
				objects, bytes := allocated(10, func() {
					next <- true
					if _, p, err := w.conn.Read(context.Background()); err != nil || len(p) != size {
						t.Fatalf("%d bytes came, %v", len(p), err)
					}
				})
				if objects > limitReadAllocs {
					t.Errorf("a Read allocates %.2f objects, more than %v", objects, limitReadAllocs)
				}
				if each := bytes / float64(size); each > limitReadBytes {
					t.Errorf("a Read allocates %.2f times the size of the message, more than %v", each, limitReadBytes)
				}
			})
		}
	}
}

// TestEndedCloseAllocations: a Close of a connection that has ended, as a deferred one mostly is, costs nothing.
func TestEndedCloseAllocations(t *testing.T) {
	for _, role := range []wiretest.Role{wiretest.Server, wiretest.Client} {
		t.Run(fmt.Sprint(role), func(t *testing.T) {
			w := newWire(t, role)
			w.conn.CloseNow()
			each := testing.AllocsPerRun(100, func() { w.conn.Close(websocket.StatusNormalClosure, "") })
			if each > 0 {
				t.Errorf("Close allocates %v objects", each)
			}
		})
	}
}

// answered sends what is there to send and takes as many bytes of answers.
func (w wire) answered(t *testing.T, request, answer []byte) {
	if _, err := w.peer.Conn.Write(request); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(w.peer.Conn, answer); err != nil {
		t.Fatal(err)
	}
}
