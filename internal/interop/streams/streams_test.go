package streams

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

// patience is how long anything may take that is to happen.
const patience = 30 * time.Second

// limit is what both ends read at most.
const limit = 8 << 20

// A scene is played over each kind of net.Conn, with TLS and without, by the client against the server and the other
// way round.
type scene struct {
	name string
	// opts are those of both ends.
	opts func(*websocket.DialOptions)
	play func(t *testing.T, ctx context.Context, our, their end)
}

// An end of a connection.
type end struct {
	*websocket.Conn
	below net.Conn
	pings chan string // payloads of Pings that came
}

var scenes = []scene{
	{name: "conversation", play: conversation},
	{name: "compressed conversation", play: conversation, opts: func(o *websocket.DialOptions) { o.CompressionMode = websocket.CompressionContextTakeover }},
	{name: "pause", play: pause},
	{name: "cancelled Read", play: cancelledRead},
	{name: "cancelled Write", play: cancelledWrite},
	{name: "close", play: closeHandshake},
	{name: "close at the same time", play: closeBoth},
	{name: "close with messages under way", play: closeBusy},
	{name: "CloseNow", play: closeNow},
	{name: "the stream ends", play: streamEnds},
	{name: "keepalive", play: keepAlive, opts: func(o *websocket.DialOptions) { o.KeepAlive = 1500 * time.Millisecond }},
	{name: "large messages", play: largeMessages},
}

func TestStreams(t *testing.T) {
	for _, k := range kinds {
		for _, secured := range []bool{false, true} {
			for _, s := range scenes {
				for _, role := range []string{"client", "server"} {
					t.Run(k.name+"/"+scheme(secured)+"/"+s.name+"/"+role, func(t *testing.T) {
						t.Parallel()
						ctx, cancel := context.WithTimeout(context.Background(), patience)
						defer cancel()
						client, server := connect(t, ctx, k, secured, s.opts)
						if role == "client" {
							s.play(t, ctx, client, server)
						} else {
							s.play(t, ctx, server, client)
						}
					})
				}
			}
		}
	}
}

// connect opens a WebSocket over a new net.Conn.
func connect(t *testing.T, ctx context.Context, k kind, secured bool, more func(*websocket.DialOptions)) (client, server end) {
	t.Helper()
	dialled, accepted := k.open(t)
	if k.server != nil {
		accepted = k.server(accepted, secured)
	}
	client, server = end{below: dialled, pings: make(chan string, 100)}, end{below: accepted, pings: make(chan string, 100)}
	noted := func(pings chan string) func(context.Context, []byte) bool {
		return func(_ context.Context, payload []byte) bool {
			select {
			case pings <- string(payload):
			default:
			}
			return true
		}
	}
	opts := websocket.DialOptions{ReadLimit: limit, OnPingReceived: noted(client.pings)}
	if more != nil {
		more(&opts)
	}
	conns := make(chan *websocket.Conn, 1)
	opts.HTTPClient = serve(t, dialled, accepted, secured, websocket.Handler(&websocket.AcceptOptions{
		ReadLimit: limit, CompressionMode: opts.CompressionMode, KeepAlive: opts.KeepAlive, OnPingReceived: noted(server.pings),
	}, func(ctx context.Context, c *websocket.Conn) {
		conns <- c
		<-ctx.Done()
	}))
	c, _, err := websocket.Dial(ctx, scheme(secured)+"://example.com/", &opts)
	if err != nil {
		t.Fatal(err)
	}
	client.Conn, server.Conn = c, <-conns
	t.Cleanup(func() {
		client.CloseNow()
		server.CloseNow()
	})
	return client, server
}

// send sends a message from one end to the other.
func send(t *testing.T, ctx context.Context, from, to end, typ websocket.MessageType, data []byte) {
	t.Helper()
	written := start(func() error { return from.Write(ctx, typ, data) })
	want(t, ctx, to, typ, data)
	if err := <-written; err != nil {
		t.Fatalf("writing %d bytes: %v", len(data), err)
	}
}

func want(t *testing.T, ctx context.Context, to end, typ websocket.MessageType, data []byte) {
	t.Helper()
	got, p, err := to.Read(ctx)
	if err != nil {
		t.Fatalf("reading %d bytes: %v", len(data), err)
	}
	if got != typ || !bytes.Equal(p, data) {
		t.Fatalf("got a %v of %d bytes, want a %v of %d; equal contents: %t", got, len(p), typ, len(data), bytes.Equal(p, data))
	}
}

// start runs a call that may block.
func start(f func() error) <-chan error {
	returned := make(chan error, 1)
	go func() { returned <- f() }()
	return returned
}

func noise(size int) []byte {
	p := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(size)}).Read(p)
	return p
}

func conversation(t *testing.T, ctx context.Context, our, their end) {
	for _, size := range []int{0, 1, 125, 126, 4 << 10, 65535, 65536} {
		send(t, ctx, our, their, websocket.MessageBinary, noise(size))
		send(t, ctx, their, our, websocket.MessageText, []byte(strings.Repeat("x", size)))
	}
	sent := start(func() error {
		w, err := our.Writer(ctx, websocket.MessageText)
		if err != nil {
			return err
		}
		for _, piece := range []string{"first, ", strings.Repeat("second ", 1000), "third"} {
			if _, err := io.WriteString(w, piece); err != nil {
				return err
			}
		}
		return w.Close()
	})
	want(t, ctx, their, websocket.MessageText, []byte("first, "+strings.Repeat("second ", 1000)+"third"))
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if err := our.Ping(ctx); err != nil {
		t.Fatal(err)
	}
}

// pause: nobody calls Read, so connections read by themselves, or no Ping would be answered. A Read has that step aside,
// in the middle of its call.
func pause(t *testing.T, ctx context.Context, our, their end) {
	for range 3 {
		for range 2 {
			if err := our.Ping(ctx); err != nil {
				t.Fatal(err)
			}
		}
		read := start(func() error {
			_, _, err := their.Read(ctx)
			return err
		})
		if err := our.Ping(ctx); err != nil { // that Read answers, or what it had step aside
			t.Fatal(err)
		}
		if err := our.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if err := <-read; err != nil {
			t.Fatal(err)
		}
		send(t, ctx, their, our, websocket.MessageText, []byte("and back"))
	}
}

func cancelledRead(t *testing.T, ctx context.Context, our, their end) {
	// With nothing there.
	for range 3 {
		wantCancelled(t, ctx, our, their)
	}
	send(t, ctx, their, our, websocket.MessageText, []byte("hello"))

	// In the middle of a message.
	w, err := their.Writer(ctx, websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	half := strings.Repeat("half ", 2000)
	if _, err := io.WriteString(w, half); err != nil {
		t.Fatal(err)
	}
	wantCancelled(t, ctx, our, their)
	rest := start(func() error {
		if _, err := io.WriteString(w, half); err != nil {
			return err
		}
		return w.Close()
	})
	want(t, ctx, our, websocket.MessageText, []byte(half+half))
	if err := <-rest; err != nil {
		t.Fatal(err)
	}
	send(t, ctx, our, their, websocket.MessageText, []byte("it lives"))
}

// wantCancelled cancels a Read that waits. It does when a Ping behind all that was sent has been answered.
func wantCancelled(t *testing.T, ctx context.Context, our, their end) {
	t.Helper()
	reading, cancel := context.WithCancel(ctx)
	read := start(func() error {
		_, _, err := our.Read(reading)
		return err
	})
	if err := their.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-read; !errors.Is(err, context.Canceled) {
		t.Fatalf("a cancelled Read gave %v", err)
	}
}

func cancelledWrite(t *testing.T, ctx context.Context, our, their end) {
	// More than anybody on the way holds, and their application does not read.
	large := noise(6 << 20)
	writing, cancel := context.WithCancel(ctx)
	defer cancel()
	written := start(func() error { return our.Write(writing, websocket.MessageBinary, large) })
	_, r, err := their.Reader(ctx) // it has begun to leave
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-written; !errors.Is(err, context.Canceled) {
		t.Fatalf("a cancelled Write gave %v", err)
	}
	late, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	// It is too large for the queue.
	if err := our.Write(late, websocket.MessageBinary, large); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a Write behind it gave %v", err)
	}
	// What had begun leaves whole, and the other not at all.
	if p, err := io.ReadAll(r); err != nil || !bytes.Equal(p, large) {
		t.Fatalf("%d of %d bytes arrived, %v; equal contents: %t", len(p), len(large), err, bytes.Equal(p, large))
	}
	send(t, ctx, our, their, websocket.MessageText, []byte("it lives"))
	send(t, ctx, their, our, websocket.MessageText, []byte("so it does"))
	closeHandshake(t, ctx, our, their)
}

func wantClose(t *testing.T, what string, err error, code websocket.StatusCode, reason string) {
	t.Helper()
	var closed websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != code || closed.Reason != reason {
		t.Errorf("%s gave %v, want the Close frame's %d %q", what, err, code, reason)
	}
}

func closeHandshake(t *testing.T, ctx context.Context, our, their end) {
	read := start(func() error {
		_, _, err := their.Read(ctx)
		return err
	})
	if err := our.Close(websocket.StatusNormalClosure, "through"); err != nil {
		t.Errorf("Close gave %v", err)
	}
	wantClose(t, "the peer's Read", <-read, websocket.StatusNormalClosure, "through")
	wantClose(t, "the peer's Write", their.Write(ctx, websocket.MessageText, nil), websocket.StatusNormalClosure, "through")
	<-their.Context().Done()
	if _, _, err := our.Read(ctx); !errors.Is(err, net.ErrClosed) {
		t.Errorf("our Read gave %v", err)
	}
}

func closeBoth(t *testing.T, ctx context.Context, our, their end) {
	theirs := start(func() error { return their.Close(websocket.StatusGoingAway, "theirs") })
	ours := our.Close(websocket.StatusGoingAway, "ours")
	if err := <-theirs; err != nil || ours != nil {
		t.Errorf("Close gave %v, and the peer's %v", ours, err)
	}
	<-our.Context().Done()
	<-their.Context().Done()
}

// closeBusy: what was sent before the Close arrives; what the peer sends meanwhile does not disturb it.
func closeBusy(t *testing.T, ctx context.Context, our, their end) {
	last := noise(100 << 10)
	closed := start(func() error {
		if err := our.Write(ctx, websocket.MessageBinary, last); err != nil {
			return err
		}
		return our.Close(websocket.StatusNormalClosure, "through")
	})
	go func() {
		for their.Write(ctx, websocket.MessageText, make([]byte, 10<<10)) == nil {
		}
	}()
	want(t, ctx, their, websocket.MessageBinary, last)
	_, _, err := their.Read(ctx)
	wantClose(t, "the peer's Read", err, websocket.StatusNormalClosure, "through")
	if err := <-closed; err != nil {
		t.Errorf("Close gave %v", err)
	}
}

func closeNow(t *testing.T, ctx context.Context, our, their end) {
	read := start(func() error {
		_, _, err := our.Read(ctx)
		return err
	})
	if err := our.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	written := start(func() error {
		for {
			if err := our.Write(ctx, websocket.MessageBinary, make([]byte, 1<<20)); err != nil {
				return err
			}
		}
	})
	if _, _, err := their.Reader(ctx); err != nil { // something has begun to leave
		t.Fatal(err)
	}
	if err := our.CloseNow(); err != nil {
		t.Errorf("CloseNow gave %v", err)
	}
	for what, returned := range map[string]<-chan error{"Read": read, "Write": written} {
		if err := <-returned; !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s gave %v", what, err)
		}
	}
	for { // what has arrived before the end
		if _, _, err := their.Read(ctx); err != nil {
			if ctx.Err() != nil {
				t.Errorf("the peer did not notice: %v", err)
			}
			break
		}
	}
}

// streamEnds: the peer's net.Conn is closed, with nothing said before.
func streamEnds(t *testing.T, ctx context.Context, our, their end) {
	read := start(func() error {
		_, _, err := our.Read(ctx)
		return err
	})
	if err := our.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	their.below.Close()
	if err := <-read; err == nil || ctx.Err() != nil {
		t.Errorf("Read gave %v", err)
	}
	<-our.Context().Done()
	<-their.Context().Done()
	if err := our.Write(ctx, websocket.MessageText, nil); err == nil {
		t.Error("Write gave no error")
	}
}

// keepAlive: connections that have nothing to say live on. The end with the shorter period pings; the other one hears it, and has
// no need to.
func keepAlive(t *testing.T, ctx context.Context, our, their end) {
	for range 2 {
		select {
		case <-our.pings:
		case <-their.pings:
		case <-our.Context().Done():
			t.Fatal(context.Cause(our.Context()))
		case <-their.Context().Done():
			t.Fatal(context.Cause(their.Context()))
		case <-ctx.Done():
			t.Fatal("no Ping came")
		}
	}
	send(t, ctx, our, their, websocket.MessageText, []byte("it lives"))
	send(t, ctx, their, our, websocket.MessageText, []byte("so it does"))
}

func largeMessages(t *testing.T, ctx context.Context, our, their end) {
	there, back := noise(2<<20), noise(2<<20+1)
	theirs := start(func() error { return their.Write(ctx, websocket.MessageBinary, back) })
	ours := start(func() error { return our.Write(ctx, websocket.MessageBinary, there) })
	arrived := start(func() error {
		typ, p, err := their.Read(ctx)
		if err == nil && (typ != websocket.MessageBinary || !bytes.Equal(p, there)) {
			err = errors.New("what arrived is not what was sent")
		}
		return err
	})
	want(t, ctx, our, websocket.MessageBinary, back)
	for what, returned := range map[string]<-chan error{"our Write": ours, "the peer's Write": theirs, "the peer's Read": arrived} {
		if err := <-returned; err != nil {
			t.Errorf("%s gave %v", what, err)
		}
	}
}
