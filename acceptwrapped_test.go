package websocket_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// This file has what middleware does to a ResponseWriter. The real ones are in internal/interop/middleware.

// unwrapping and hiding are what middleware does to a ResponseWriter.
type unwrapping struct{ http.ResponseWriter }

func (u unwrapping) Unwrap() http.ResponseWriter { return u.ResponseWriter }

type hiding struct{ http.ResponseWriter }

// own has a Hijack method, and no Unwrap.
type own struct{ http.ResponseWriter }

func (o own) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(o.ResponseWriter).Hijack()
}

// cookieSetting sets a cookie in WriteHeader, as a session manager does.
type cookieSetting struct{ http.ResponseWriter }

func (c cookieSetting) WriteHeader(status int) {
	http.SetCookie(c, &http.Cookie{Name: "session", Value: "42"})
	c.ResponseWriter.WriteHeader(status)
}

func (c cookieSetting) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// statusKeeping keeps the status to itself until something is written, as gin does.
type statusKeeping struct {
	http.ResponseWriter
	status int
}

func (s *statusKeeping) WriteHeader(status int) { s.status = status }

func (s *statusKeeping) Write(p []byte) (int, error) {
	s.ResponseWriter.WriteHeader(s.status)
	return s.ResponseWriter.Write(p)
}

func (s *statusKeeping) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// statusHiding does that, and hides what it wraps, as NYTimes/gziphandler does.
type statusHiding struct {
	w      http.ResponseWriter
	status int
}

func (s *statusHiding) Header() http.Header         { return s.w.Header() }
func (s *statusHiding) WriteHeader(status int)      { s.status = status }
func (s *statusHiding) Write(p []byte) (int, error) { return s.w.Write(p) }
func (s *statusHiding) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return s.w.(http.Hijacker).Hijack()
}

// closures is a wrapper that can't be looked through at all.
type closures struct {
	header      func() http.Header
	writeHeader func(int)
	hijack      func() (net.Conn, *bufio.ReadWriter, error)
}

func (c closures) Header() http.Header                          { return c.header() }
func (c closures) WriteHeader(status int)                       { c.writeHeader(status) }
func (c closures) Write(p []byte) (int, error)                  { return len(p), nil }
func (c closures) Hijack() (net.Conn, *bufio.ReadWriter, error) { return c.hijack() }

// embedded has its ResponseWriter two structs down, as chi's have.
type embedded struct{ embeddedCommon }

type embeddedCommon struct {
	out io.Writer // something that is no ResponseWriter
	http.ResponseWriter
}

func (e *embedded) Write(p []byte) (int, error) { return e.out.Write(p) }

func (e *embedded) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return e.ResponseWriter.(http.Hijacker).Hijack()
}

// ownBuffers gives out buffers of its own with the connection.
type ownBuffers struct{ http.ResponseWriter }

func (o ownBuffers) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := o.ResponseWriter.(http.Hijacker).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early := rw.Reader.Buffered()
	reader := bufio.NewReader(io.MultiReader(io.LimitReader(rw, int64(early)), conn))
	if early > 0 {
		reader.Peek(early)
	}
	return conn, bufio.NewReadWriter(reader, bufio.NewWriter(conn)), nil
}

// readHead reads the head of a request or response as it is on the wire, and no byte more.
func readHead(t *testing.T, conn net.Conn) string {
	t.Helper()
	var head []byte
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		var b [1]byte
		if _, err := io.ReadFull(conn, b[:]); err != nil {
			t.Fatalf("%q, then %v", head, err)
		}
		head = append(head, b[0])
	}
	return string(head)
}

// wrappers are ways to wrap a ResponseWriter.
var wrappers = []struct {
	name   string
	wrap   func(http.ResponseWriter) http.ResponseWriter
	cookie string // what the answer has then
}{
	{"none", func(w http.ResponseWriter) http.ResponseWriter { return w }, ""},
	{"Unwrap", func(w http.ResponseWriter) http.ResponseWriter { return unwrapping{unwrapping{w}} }, ""},
	{"Hijack", func(w http.ResponseWriter) http.ResponseWriter { return own{w} }, ""},
	{"a cookie", func(w http.ResponseWriter) http.ResponseWriter { return cookieSetting{w} }, "session=42"},
	{"a cookie behind another", func(w http.ResponseWriter) http.ResponseWriter { return own{unwrapping{cookieSetting{w}}} }, "session=42"},
	{"the status is kept", func(w http.ResponseWriter) http.ResponseWriter { return &statusKeeping{ResponseWriter: w} }, ""},
	{"a cookie before the status is kept", func(w http.ResponseWriter) http.ResponseWriter {
		return cookieSetting{&statusKeeping{ResponseWriter: w}}
	}, "session=42"},
	{"a cookie behind where the status is kept", func(w http.ResponseWriter) http.ResponseWriter {
		return &statusKeeping{ResponseWriter: cookieSetting{w}}
	}, "session=42"},
	{"the status is kept, and what is behind", func(w http.ResponseWriter) http.ResponseWriter { return &statusHiding{w: w} }, ""},
	{"a cookie before that", func(w http.ResponseWriter) http.ResponseWriter { return cookieSetting{&statusHiding{w: w}} }, "session=42"},
	{"embedded", func(w http.ResponseWriter) http.ResponseWriter {
		return &embedded{embeddedCommon{out: io.Discard, ResponseWriter: w}}
	}, ""},
	{"buffers of its own", func(w http.ResponseWriter) http.ResponseWriter { return ownBuffers{w} }, ""},
	{"closures", func(w http.ResponseWriter) http.ResponseWriter {
		return closures{w.Header, w.WriteHeader, w.(http.Hijacker).Hijack}
	}, ""},
	{"closures that keep the status", func(w http.ResponseWriter) http.ResponseWriter {
		return closures{w.Header, func(int) {}, w.(http.Hijacker).Hijack}
	}, ""},
}

// TestAcceptWrapped: however the ResponseWriter is wrapped, there is one answer, with what the handler and the
// wrappers have set, spelled as in the RFC, and the first frame behind it.
func TestAcceptWrapped(t *testing.T) {
	for _, tt := range wrappers {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := rawClient(t, serveInMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					h := w.Header()
					h.Set("X-Room", "blue")
					h.Set("X-Evil", "1\r\nX-Injected: yes\r\n\r\n\x81\x02hi")
					h["X-Evil: 1\r\nX-Injected"] = []string{"yes"}
					h.Set("Content-Length", "7")
					h.Set("Transfer-Encoding", "chunked")
					h.Set("Content-Type", "text/html")
					h.Set("Connection", "close")
					h["UPGRADE"] = []string{"h2c"}
					h.Set("Sec-WebSocket-Accept", "wrong")
					h["sec-websocket-extensions"] = []string{"permessage-deflate; wrong"}
					echoOnce(&websocket.AcceptOptions{Subprotocols: []string{"chat"}, CompressionMode: websocket.CompressionContextTakeover}).ServeHTTP(tt.wrap(w), r)
				})))
				p.SendRaw(append([]byte(withField("Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate")), p.Encode(wiretest.Text("early"))...))
				head := readHead(t, p.Conn)
				if !strings.HasPrefix(head, "HTTP/1.1 101 Switching Protocols\r\n") {
					t.Fatalf("the answer is %q", head)
				}
				var got []string
				for line := range strings.SplitSeq(head, "\r\n") {
					if name, _, ok := strings.Cut(line, ": "); ok && name != "Date" {
						got = append(got, line)
					}
				}
				want := []string{
					"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
					"Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: permessage-deflate", "X-Room: blue",
				}
				if tt.cookie != "" {
					want = append(want, "Set-Cookie: "+tt.cookie)
				}
				got = slices.DeleteFunc(got, func(line string) bool { return strings.HasPrefix(line, "X-Evil: 1 ") })
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("the answer has\n%q, want\n%q", got, want)
				}
				p.WantText("the first bytes behind the answer are a frame", "early")
				p.WantClose("and then the end", 1000)
				p.SendClose(1000, "")
				p.WantEOF("the server closes TCP")
			})
		})
	}
}

// TestAcceptWrappedAnswerIsLong: an answer that does not fit into net/http's buffer.
func TestAcceptWrappedAnswerIsLong(t *testing.T) {
	for _, tt := range wrappers {
		bubble(t, func(t *testing.T) {
			long := strings.Repeat("x", 3000)
			p := rawClient(t, serveInMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("A", long)
				w.Header().Set("Z", long)
				echoOnce(nil).ServeHTTP(tt.wrap(w), r)
			})))
			resp := p.ClientHandshake("/", nil)
			if resp.Header.Get("A") != long || resp.Header.Get("Z") != long {
				t.Errorf("%s: fields are lost", tt.name)
			}
			p.SendText("hello")
			p.WantText("it is a WebSocket: "+tt.name, "hello")
			p.Close()
		})
	}
}

// TestAcceptWrappedNotRead: a peer that makes no room for the answer is waited for so long and no longer.
func TestAcceptWrappedNotRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		took := make(chan time.Duration, 1)
		p := rawClient(t, serveInMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
			began := time.Now()
			c, err := websocket.Accept(unwrapping{w}, r, nil)
			took <- time.Since(began)
			if err == nil {
				c.CloseNow()
			}
		})))
		p.SendRaw([]byte(upgradeRequest))
		if took := <-took; took != 10*time.Second {
			t.Errorf("Accept took %v", took)
		}
		p.Close()
	})
}

// TestAcceptHidden: a wrapper that hides the connection is told of no 101, and gets a refusal.
func TestAcceptHidden(t *testing.T) {
	bubble(t, func(t *testing.T) {
		refused := make(chan error, 1)
		p := rawClient(t, serveInMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := websocket.Accept(hiding{w}, r, nil)
			refused <- err
		})))
		resp := p.ClientHandshake("/", nil)
		body, _ := io.ReadAll(resp.Body)
		if err := <-refused; resp.StatusCode != 501 || !strings.Contains(string(body), "Unwrap") || !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("%s %q, %v; want 501 and a hint at Unwrap", resp.Status, body, err)
		}
		p.Close()
	})
}
