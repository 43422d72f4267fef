package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/closeonce/websocket"
	_ "github.com/closeonce/websocket/http2"
	"github.com/closeonce/websocket/internal/testkit/selfsigned"
)

// A shared server speaks HTTP/2 with pages, and notes on which connections they came.
type shared struct {
	url string

	mu      sync.Mutex
	remotes map[string]int // of the pages and WebSockets together
	opened  int            // WebSockets
}

// serveHTTP2 is serve over TLS with HTTP/2. A WebSocket that comes otherwise fails the test.
func serveHTTP2(t *testing.T, ws http.Handler) *shared {
	t.Helper()
	s := &shared{remotes: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		s.note(r, 0)
		io.WriteString(w, `<!doctype html><title>test</title><link rel="icon" href="data:,">`)
	})
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		s.note(r, 1)
		if r.ProtoMajor != 2 || r.Method != http.MethodConnect {
			t.Errorf("a WebSocket came by %s %s", r.Method, r.Proto)
		}
		ws.ServeHTTP(w, r)
	})
	server := httptest.NewUnstartedServer(mux)
	server.EnableHTTP2 = true
	server.TLS, _ = selfsigned.Pair("127.0.0.1")
	server.StartTLS()
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *shared) note(r *http.Request, opened int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remotes[r.RemoteAddr]++
	s.opened += opened
}

// wantOneConnection fails the test unless a page and so many WebSockets came on one connection.
func (s *shared) wantOneConnection(t *testing.T, opened int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened != opened || len(s.remotes) != 1 {
		t.Errorf("%d WebSockets, and requests per connection are %v; want %d, and one connection with the page's request", s.opened, s.remotes, opened)
	}
}

// TestHTTP2 opens WebSockets on the connection that has brought the page, many at once. Messages come back as they
// were, small and large ones, text and binary, and codes and reasons of the page arrive.
func TestHTTP2(t *testing.T) {
	for name, mode := range map[string]websocket.CompressionMode{
		"plain": websocket.CompressionDisabled, "compressed": websocket.CompressionContextTakeover,
	} {
		t.Run(name, func(t *testing.T) {
			const count = 8 // Chromium delays opening more for seconds
			type end struct{ pinged, read error }
			ended := make(chan end, count+1)
			s := serveHTTP2(t, websocket.Handler(&websocket.AcceptOptions{ReadLimit: -1, CompressionMode: mode}, func(ctx context.Context, c *websocket.Conn) {
				pinged := make(chan error, 1)
				go func() { pinged <- c.Ping(ctx) }()
				for {
					typ, data, err := c.Read(ctx)
					if err == nil {
						err = c.Write(ctx, typ, data)
					}
					if err != nil {
						ended <- end{<-pinged, err}
						return
					}
				}
			}))
			p := newPage(t, s.url)
			var got struct {
				Echoed     int
				Wrong      []string
				Extensions string
				Closings   []closing
			}
			p.run(fmt.Sprintf(`(async () => {
				const wrong = [], closings = [];
				let echoed = 0, extensions;
				const one = async (id) => {
					const ws = new WebSocket("/ws");
					ws.binaryType = "arraybuffer";
					const closing = %[2]s;
					const next = () => new Promise((done) => { ws.onmessage = ({ data }) => done(data); closing.then(done); });
					await Promise.race([new Promise((done) => ws.onopen = done), closing]);
					extensions = ws.extensions;
					for (const size of [0, 64, 100 << 10]) {
						const text = String.fromCharCode(97 + id).repeat(size), bytes = new Uint8Array(size).map((_, i) => i * id);
						ws.send(text);
						if (await next() !== text) wrong.push("text of " + size);
						ws.send(bytes);
						const back = new Uint8Array(await next());
						if (back.length !== size || !back.every((b, i) => b === bytes[i])) wrong.push("binary of " + size);
						echoed += 2;
					}
					if (id) ws.close(3000 + id, "page " + id);
					else ws.close();
					closings[id] = await closing;
				};
				await Promise.all([...Array(%[1]d).keys()].map(one));
				return { echoed, wrong, extensions, closings };
			})()`, count, closed), &got)

			if got.Echoed != 6*count || len(got.Wrong) > 0 {
				t.Errorf("%d messages were echoed, want %d; not as they were: %v", got.Echoed, 6*count, got.Wrong)
			}
			if (got.Extensions != "") != (mode != websocket.CompressionDisabled) {
				t.Errorf("ws.extensions is %q", got.Extensions)
			}
			seen := map[websocket.CloseError]int{}
			for range count {
				e := wantSoon(t, ended)
				var closing websocket.CloseError
				if e.pinged != nil || !errors.As(e.read, &closing) {
					t.Errorf("Ping: %v; Read: %v", e.pinged, e.read)
				}
				seen[closing]++
			}
			for id, c := range got.Closings {
				want := websocket.CloseError{Code: websocket.StatusCode(3000 + id), Reason: fmt.Sprint("page ", id)}
				if id == 0 {
					want = websocket.CloseError{Code: websocket.StatusNoStatusRcvd}
				}
				p.wantClean(c, int(want.Code))
				if c.Reason != want.Reason || seen[want] != 1 {
					t.Errorf("the page closed with %v; it saw the reason %q, the server saw it %d times", want, c.Reason, seen[want])
				}
			}
			p.wantQuiet()
			s.wantOneConnection(t, count)
		})
	}
}

// TestHTTP2ServerCloses: codes and reasons of the server arrive, and CloseNow is a loss for its WebSocket alone.
func TestHTTP2ServerCloses(t *testing.T) {
	closings := []websocket.CloseError{
		{Code: websocket.StatusNoStatusRcvd},
		{Code: websocket.StatusNormalClosure},
		{Code: websocket.StatusGoingAway, Reason: "going away"},
		{Code: 3000, Reason: "Grüße, 世界 🌍"},
		{Code: 4999, Reason: "the last one"},
	}
	results := make(chan error, len(closings))
	s := serveHTTP2(t, accept(func(ctx context.Context, c *websocket.Conn) {
		for m, err := range c.Messages(ctx) {
			if err != nil {
				return
			}
			var i int
			switch n, _ := fmt.Sscanf(string(m.Data), "close %d", &i); {
			case n == 1:
				results <- c.Close(closings[i].Code, closings[i].Reason)
			case string(m.Data) == "lose":
				c.CloseNow()
			default:
				c.Write(ctx, m.Type, m.Data)
			}
		}
	}))
	p := newPage(t, s.url)
	var got []closing
	p.run(fmt.Sprintf(`(async () => {
		window.other = new WebSocket("/ws");
		await new Promise((done) => other.onopen = done);
		const all = [];
		while (all.length < %d) {
			const ws = new WebSocket("/ws");
			ws.onopen = () => ws.send("close " + all.length);
			all.push(await %s);
		}
		return all;
	})()`, len(closings), closed), &got)
	for i, want := range closings {
		p.wantClean(got[i], int(want.Code))
		if got[i].Reason != want.Reason {
			t.Errorf("the server closed with %v, the page saw the reason %q", want, got[i].Reason)
		}
		if err := <-results; err != nil {
			t.Errorf("Close with %v: %v", want, err)
		}
	}
	p.wantQuiet()

	var lost struct {
		Closing closing
		Other   string
	}
	p.run(fmt.Sprintf(`(async () => {
		const ws = new WebSocket("/ws");
		ws.onopen = () => ws.send("lose");
		const closing = await %s;
		other.send("and you?");
		return { closing, other: await new Promise((done) => other.onmessage = ({ data }) => done(data)) };
	})()`, closed), &lost)
	if lost.Closing.Code != 1006 || lost.Closing.WasClean {
		t.Errorf("after CloseNow the page saw %+v", lost.Closing)
	}
	if lost.Other != "and you?" {
		t.Errorf("the other WebSocket echoes %q", lost.Other)
	}
	s.wantOneConnection(t, len(closings)+2)
}

// TestHTTP2PageGoes: the server sees that the page is gone when its tab is closed.
func TestHTTP2PageGoes(t *testing.T) {
	ended := make(chan error, 1)
	s := serveHTTP2(t, accept(func(ctx context.Context, c *websocket.Conn) {
		_, _, err := c.Read(ctx)
		ended <- err
	}))
	p := newPage(t, s.url)
	p.run(`new Promise((done) => (window.ws = new WebSocket("/ws")).onopen = () => done(true))`, nil)
	p.wantQuiet()
	p.close()
	err := wantSoon(t, ended)
	if code := websocket.CloseStatus(err); code != websocket.StatusGoingAway && code != -1 {
		t.Errorf("after the tab was closed the server sees %v, want Close 1001 or the loss", err)
	}
	t.Logf("after the tab was closed the server sees: %v", err)
}
