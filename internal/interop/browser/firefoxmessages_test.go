package browser

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/closeonce/websocket"
)

// What Firefox and the server agree on, by the server's answer, and what the page
// sees of it: Firefox keeps the parameters to itself.
var firefoxModes = []struct {
	name       string
	mode       websocket.CompressionMode
	answer     string
	extensions string
}{
	{"plain", websocket.CompressionDisabled, "", ""},
	{"takeover", websocket.CompressionContextTakeover, "permessage-deflate", "permessage-deflate"},
	{"no takeover", websocket.CompressionNoContextTakeover,
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover", "permessage-deflate"},
}

// overheard is a ResponseWriter that keeps the header of the response to the
// handshake.
type overheard struct {
	http.ResponseWriter
	answer http.Header
}

// Unwrap lets the connection be taken over.
func (o *overheard) Unwrap() http.ResponseWriter { return o.ResponseWriter }

func (o *overheard) WriteHeader(status int) {
	if status == http.StatusSwitchingProtocols {
		o.answer = o.Header().Clone()
	}
	o.ResponseWriter.WriteHeader(status)
}

// The server answers Firefox's offer as the mode says, and Firefox takes it.
func TestFirefoxNegotiates(t *testing.T) {
	f := needFirefox(t)
	for _, mode := range firefoxModes {
		t.Run(mode.name, func(t *testing.T) {
			offers, answers := make(chan string, 1), make(chan string, 1)
			opts := &websocket.AcceptOptions{CompressionMode: mode.mode}
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				o := &overheard{ResponseWriter: w}
				c, err := websocket.Accept(o, r, opts)
				if err != nil {
					t.Error(err)
					return
				}
				c.Close(websocket.StatusNormalClosure, "")
				offers <- r.Header.Get("Sec-WebSocket-Extensions")
				const field = "Sec-WebSocket-Extensions" // in the RFC's spelling, which is not net/http's
				answer := ""
				for name, values := range o.answer {
					if name == field {
						answer = strings.Join(values, ", ")
					}
				}
				answers <- answer
			})
			var got struct {
				Extensions string
				Closing    closing
			}
			f.run(t, handler, fmt.Sprintf(`(async () => {
				const ws = new WebSocket("/ws");
				const closing = %s;
				return { closing: await closing, extensions: ws.extensions };
			})()`, closed), &got)
			wantClosing(t, got.Closing, 1000, "")
			if offer := <-offers; offer != "permessage-deflate" {
				t.Errorf("Firefox offers %q, want permessage-deflate", offer)
			}
			if answer := <-answers; answer != mode.answer || got.Extensions != mode.extensions {
				t.Errorf("the answer is %q, want %q; the page sees %q, want %q", answer, mode.answer, got.Extensions, mode.extensions)
			}
		})
	}
}

// Messages of both kinds and of many sizes, to 16 MiB, come back as the page sent
// them, and the server's, in fragments, as it sent them.
func TestFirefoxMessagesBothWays(t *testing.T) {
	f := needFirefox(t)
	const large = 16 << 20
	content := make([]byte, large)
	for i := range content {
		content[i] = byte('a' + i*i%23)
	}
	const pieces = 5
	for _, mode := range firefoxModes {
		t.Run(mode.name, func(t *testing.T) {
			ended := make(chan error, 1)
			opts := &websocket.AcceptOptions{ReadLimit: -1, CompressionMode: mode.mode, CompressionThreshold: 1}
			handler := websocket.Handler(opts, func(ctx context.Context, c *websocket.Conn) {
				ctx, cancel := bounded(ctx)
				defer cancel()
				for m, err := range c.Messages(ctx) {
					if err != nil {
						ended <- err
						return
					}
					if len(m.Data) > len(content) || !bytes.Equal(m.Data, content[:len(m.Data)]) {
						t.Errorf("the page's %d bytes did not come as they were", len(m.Data))
					}
					if err := c.Write(ctx, m.Type, m.Data); err != nil {
						t.Errorf("the echo: %v", err)
					}
					w, err := c.Writer(ctx, m.Type)
					if err != nil {
						t.Errorf("the writer: %v", err)
						continue
					}
					for range pieces { // more than one buffer each: so they are fragments
						if _, err := w.Write(content[:100_000]); err != nil {
							t.Errorf("a fragment: %v", err)
						}
						if err := c.Ping(ctx); err != nil {
							t.Errorf("a ping between fragments: %v", err)
						}
					}
					if err := w.Close(); err != nil {
						t.Errorf("the last fragment: %v", err)
					}
				}
			})
			var got struct {
				Wrong      []string
				Count      int
				Extensions string
				Closing    closing
			}
			f.run(t, handler, fmt.Sprintf(`(async () => {
				const content = new Uint8Array(%d);
				for (let i = 0; i < content.length; i++) content[i] = 97 + Number(BigInt(i) * BigInt(i) %% 23n);
				const same = (a, b) => {
					if (typeof a === "string" || typeof b === "string") return a === b;
					a = new Uint8Array(a), b = new Uint8Array(b);
					return a.length === b.length && a.every((x, i) => x === b[i]);
				};
				const ws = new WebSocket("/ws");
				ws.binaryType = "arraybuffer";
				const closing = %s;
				const came = [];
				let woken = () => {};
				ws.onmessage = ({ data }) => { came.push(data); woken(); };
				const next = async () => {
					while (came.length === 0) {
						await Promise.race([
							new Promise((done) => woken = done),
							closing.then((c) => { throw new Error(JSON.stringify(c)); }),
						]);
					}
					return came.shift();
				};
				await new Promise((done) => ws.onopen = done);
				const wrong = [];
				let count = 0;
				for (const size of [0, 1, 125, 126, 65535, 65536, content.length]) {
					for (const text of [true, false]) {
						const decode = (b) => text ? new TextDecoder().decode(b) : b;
						const message = decode(content.subarray(0, size));
						ws.send(message);
						if (!same(await next(), message)) wrong.push("the echo of " + size + " bytes, text: " + text);
						let fragments = new Uint8Array(%[3]d * 100000);
						for (let i = 0; i < %[3]d; i++) fragments.set(content.subarray(0, 100000), i * 100000);
						if (!same(await next(), decode(fragments))) wrong.push("the fragments after " + size + " bytes, text: " + text);
						count++;
					}
				}
				const extensions = ws.extensions;
				ws.close(3001, "all there");
				return { wrong, count, extensions, closing: await closing };
			})()`, large, closed, pieces), &got)
			if len(got.Wrong) > 0 || got.Count != 14 {
				t.Errorf("of %d messages the page finds wrong: %q", got.Count, got.Wrong)
			}
			if got.Extensions != mode.extensions {
				t.Errorf("the extensions are %q, want %q", got.Extensions, mode.extensions)
			}
			wantClosing(t, got.Closing, 3001, "all there")
			wantCloseError(t, <-ended, 3001, "all there")
		})
	}
}

// The page sends 1000 messages at once; all come back, in order, compressed with
// and without context takeover. Pings come between them.
func TestFirefoxBurst(t *testing.T) {
	f := needFirefox(t)
	const count = 1000
	for _, mode := range firefoxModes {
		t.Run(mode.name, func(t *testing.T) {
			opts := &websocket.AcceptOptions{CompressionMode: mode.mode, CompressionThreshold: 1}
			handler := websocket.Handler(opts, func(ctx context.Context, c *websocket.Conn) {
				ctx, cancel := bounded(ctx)
				defer cancel()
				for i := range count {
					typ, p, err := c.Read(ctx)
					if want := fmt.Append(nil, "page ", i); err != nil || !bytes.Equal(p, want) {
						t.Errorf("message %d from the page: %q, %v", i, p, err)
						return
					}
					if err := c.Write(ctx, typ, p); err != nil {
						t.Errorf("the answer to message %d: %v", i, err)
						return
					}
					if i%100 == 0 {
						if err := c.Ping(ctx); err != nil {
							t.Errorf("the ping behind message %d: %v", i, err)
						}
					}
				}
				if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
					t.Errorf("after the burst: %v", err)
				}
			})
			var got struct {
				Messages []string
				Closing  closing
			}
			f.run(t, handler, fmt.Sprintf(`(async () => {
				const count = %d, messages = [];
				const ws = new WebSocket("/ws");
				const closing = %s;
				ws.onopen = () => { for (let i = 0; i < count; i++) ws.send("page " + i); };
				ws.onmessage = ({ data }) => { if (messages.push(data) === count) ws.close(1000); };
				return { closing: await closing, messages };
			})()`, count, closed), &got)
			for i, m := range got.Messages {
				if m != fmt.Sprint("page ", i) {
					t.Fatalf("the page got %q, want number %d", m, i)
				}
			}
			if len(got.Messages) != count {
				t.Errorf("the page got %d messages, want %d", len(got.Messages), count)
			}
			wantClosing(t, got.Closing, 1000, "")
		})
	}
}

// Of the subprotocols that the page offers, the server's first choice holds.
func TestFirefoxSubprotocol(t *testing.T) {
	f := needFirefox(t)
	chosen := make(chan string, 1)
	opts := &websocket.AcceptOptions{Subprotocols: []string{"third", "second"}}
	handler := websocket.Handler(opts, func(ctx context.Context, c *websocket.Conn) {
		chosen <- c.Subprotocol()
		c.Close(websocket.StatusNormalClosure, "")
	})
	var got struct {
		Protocol string
		Closing  closing
	}
	f.run(t, handler, fmt.Sprintf(`(async () => {
		const ws = new WebSocket("/ws", ["first", "second"]);
		const closing = %s;
		return { closing: await closing, protocol: ws.protocol };
	})()`, closed), &got)
	if server := <-chosen; got.Protocol != "second" || server != "second" {
		t.Errorf("the page has the subprotocol %q, the server %q, want second", got.Protocol, server)
	}
	wantClosing(t, got.Closing, 1000, "")
}
