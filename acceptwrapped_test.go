package websocket_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log"
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

// ownHeader has a header of its own until the status is written, as middleware has that collects a response. unwraps is
// one that shows what is behind it.
type ownHeader struct {
	http.ResponseWriter
	h    http.Header
	copy func(to, from http.Header)
	keep bool // the status, too
}

func (o *ownHeader) Header() http.Header { return o.h }

func (o *ownHeader) WriteHeader(status int) {
	if !o.keep {
		o.copy(o.ResponseWriter.Header(), o.h)
		o.ResponseWriter.WriteHeader(status)
	}
}

func (o *ownHeader) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(o.ResponseWriter).Hijack()
}

type unwraps struct{ *ownHeader }

func (u unwraps) Unwrap() http.ResponseWriter { return u.ResponseWriter }

func addAll(to, from http.Header) {
	for name, values := range from {
		for _, value := range values {
			to.Add(name, value)
		}
	}
}

func copyNothing(http.Header, http.Header) {}

// meddling does something to the header or the status in WriteHeader.
type meddling struct {
	http.ResponseWriter
	header func(h http.Header)
	status int
	keep   bool // until Hijack
}

func (m *meddling) WriteHeader(status int) {
	m.header(m.Header())
	if m.status != 0 {
		status = m.status
	}
	if !m.keep {
		m.ResponseWriter.WriteHeader(status)
	}
}

func (m *meddling) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if m.keep {
		m.ResponseWriter.WriteHeader(http.StatusSwitchingProtocols)
	}
	return m.ResponseWriter.(http.Hijacker).Hijack()
}

func meddle(header func(h http.Header)) func(http.ResponseWriter) http.ResponseWriter {
	return func(w http.ResponseWriter) http.ResponseWriter { return &meddling{ResponseWriter: w, header: header} }
}

// meddlers are wrappers that touch the handshake's own fields, or the status.
var meddlers = []struct {
	name   string
	wrap   func(http.ResponseWriter) http.ResponseWriter
	status int    // of the response; -1: net/http could not be kept from sending the answer, and the connection is closed
	words  string // of the error, if there is one
}{
	{"a header of its own", func(w http.ResponseWriter) http.ResponseWriter {
		return unwraps{&ownHeader{w, http.Header{}, addAll, false}}
	}, 101, ""},
	{"a header of its own that replaces, hiding", func(w http.ResponseWriter) http.ResponseWriter {
		return &ownHeader{w, http.Header{}, func(to, from http.Header) { clear(to); addAll(to, from) }, false}
	}, 101, ""},
	{"a header of its own that adds, hiding", func(w http.ResponseWriter) http.ResponseWriter {
		return &ownHeader{w, http.Header{}, addAll, false}
	}, 500, "Connection: "},
	{"a header of its own that is lost", func(w http.ResponseWriter) http.ResponseWriter {
		return unwraps{&ownHeader{w, http.Header{}, copyNothing, false}}
	}, 500, "no Upgrade"},
	{"a header of its own, and the status kept", func(w http.ResponseWriter) http.ResponseWriter {
		return unwraps{&ownHeader{w, http.Header{}, addAll, true}}
	}, 101, ""},
	{"a header of its own, and the status kept, around another", func(w http.ResponseWriter) http.ResponseWriter {
		return unwraps{&ownHeader{unwraps{&ownHeader{w, http.Header{"Upgrade": {"h2c"}}, addAll, false}}, http.Header{"Trailer": {"X"}}, addAll, true}}
	}, 101, ""},

	{"it closes", meddle(func(h http.Header) { h.Set("Connection", "close") }), 500, `Connection: "close", not "Upgrade"`},
	{"it adds close", meddle(func(h http.Header) { h.Add("Connection", "close") }), 500, `Connection: "Upgrade, close"`},
	{"it deletes Connection", meddle(func(h http.Header) { h.Del("Connection") }), 500, "no Connection"},
	{"it deletes Upgrade", meddle(func(h http.Header) { h.Del("Upgrade") }), 500, "no Upgrade"},
	{"it adds Upgrade", meddle(func(h http.Header) { h.Add("Upgrade", "h2c") }), 500, `Upgrade: "websocket, h2c"`},
	{"it deletes Sec-WebSocket-Accept", meddle(func(h http.Header) { delete(h, "Sec-WebSocket-Accept") }), 500, "no Sec-WebSocket-Accept"},
	{"it sets Sec-WebSocket-Accept", meddle(func(h http.Header) { h.Set("Sec-WebSocket-Accept", "x") }), 500, "Sec-WebSocket-Accept: "},
	{"it sets Sec-WebSocket-Protocol", meddle(func(h http.Header) { h.Set("Sec-WebSocket-Protocol", "other") }), 500, "Sec-WebSocket-Protocol: "},
	{"it deletes Sec-WebSocket-Protocol", meddle(func(h http.Header) { delete(h, "Sec-WebSocket-Protocol") }), 500, "no Sec-WebSocket-Protocol"},
	{"it adds an extension", meddle(func(h http.Header) { h.Add("Sec-WebSocket-Extensions", "x-evil\r\nX-Injected: yes") }), 500, "Sec-WebSocket-Extensions: "},
	{"it sets a length", meddle(func(h http.Header) { h.Set("Content-Length", "7") }), 101, ""},
	{"it sets a length in small letters", meddle(func(h http.Header) { h["content-length"] = []string{"7"} }), 500, "Content-Length: "},
	{"it sets an encoding", meddle(func(h http.Header) { h.Set("Transfer-Encoding", "chunked") }), 101, ""},
	{"it splits a field", meddle(func(h http.Header) { h.Set("X-Evil", "1\r\nX-Injected: yes") }), 101, ""},
	{"it deletes all", meddle(func(h http.Header) { clear(h) }), 500, "no Upgrade"},
	{"it closes, and hides its methods", func(w http.ResponseWriter) http.ResponseWriter {
		return hidden{&meddling{ResponseWriter: w, header: func(h http.Header) { h.Set("Connection", "close") }}}
	}, -1, `Connection: "close"`},
	{"it closes before the status is kept", func(w http.ResponseWriter) http.ResponseWriter {
		return &meddling{ResponseWriter: &statusHiding{w: w}, header: func(h http.Header) { h.Set("Connection", "close") }}
	}, 101, ""},
	{"it closes, and the status is kept until Hijack", func(w http.ResponseWriter) http.ResponseWriter {
		return &meddling{ResponseWriter: w, header: func(h http.Header) { h.Set("Connection", "close") }, keep: true}
	}, -1, `Connection: "close"`},
	{"the status is kept until Hijack", func(w http.ResponseWriter) http.ResponseWriter {
		return &meddling{ResponseWriter: w, header: func(h http.Header) {}, keep: true}
	}, 101, ""},

	{"another status", func(w http.ResponseWriter) http.ResponseWriter {
		return &meddling{ResponseWriter: w, header: func(http.Header) {}, status: 403}
	}, 403, "replaced the status 101 by 403"},
	{"success", func(w http.ResponseWriter) http.ResponseWriter {
		return &meddling{ResponseWriter: w, header: func(http.Header) {}, status: 200}
	}, 200, "replaced the status 101 by 200"},

	{"closures that close", func(w http.ResponseWriter) http.ResponseWriter {
		return closures{w.Header, func(status int) { w.Header().Set("Connection", "close"); w.WriteHeader(status) }, w.(http.Hijacker).Hijack}
	}, -1, `Connection: "close"`},
	{"closures that delete the key's hash", func(w http.ResponseWriter) http.ResponseWriter {
		return closures{w.Header, func(status int) { delete(w.Header(), "Sec-WebSocket-Accept"); w.WriteHeader(status) }, w.(http.Hijacker).Hijack}
	}, -1, "no Sec-WebSocket-Accept"},
	{"closures with another status", func(w http.ResponseWriter) http.ResponseWriter {
		return closures{w.Header, func(int) { w.WriteHeader(403) }, w.(http.Hijacker).Hijack}
	}, -1, "replaced the status 101"},

	{"the status is passed on, and the connection is not", func(w http.ResponseWriter) http.ResponseWriter {
		return own{hiding{w}}
	}, 500, "Hijack"},
	{"the status is kept, and the connection is not given", func(w http.ResponseWriter) http.ResponseWriter {
		return own{&statusKeeping{ResponseWriter: hiding{w}}}
	}, 501, "can't be taken over"},
	{"Unwrap returns nothing", func(w http.ResponseWriter) http.ResponseWriter { return unwrapsNothing{own{w}} }, 101, ""},
}

// unwrapsNothing has nothing behind it to show.
type unwrapsNothing struct{ own }

func (unwrapsNothing) Unwrap() http.ResponseWriter { return nil }

// hidden keeps what it wraps in a field that is not exported.
type hidden struct{ m *meddling }

func (h hidden) Header() http.Header                          { return h.m.Header() }
func (h hidden) WriteHeader(status int)                       { h.m.WriteHeader(status) }
func (h hidden) Write(p []byte) (int, error)                  { return h.m.Write(p) }
func (h hidden) Hijack() (net.Conn, *bufio.ReadWriter, error) { return h.m.Hijack() }

// TestAcceptMeddled: a wrapper that touches the handshake's own fields can't make Accept believe in a handshake that the
// client does not. Either the answer is what was agreed on, with the fields that others have added; or Accept returns an
// error that says what happened, and the client gets another response.
func TestAcceptMeddled(t *testing.T) {
	for _, tt := range meddlers {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				result := make(chan error, 1)
				logged := &lockedBuffer{}
				p := rawClient(t, serverInMemory(t, &http.Server{ErrorLog: log.New(logged, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Connection", "close") // of a middleware around all
					w.Header().Set("X-Outer", "yes")
					w = tt.wrap(w)
					w.Header().Set("X-Room", "blue")
					c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"chat"}})
					result <- err
					if err == nil {
						c.Close(websocket.StatusNormalClosure, c.Subprotocol())
					}
				})}))
				p.SendRaw([]byte(withField("Sec-WebSocket-Protocol: chat")))
				if tt.status == -1 {
					head := readHead(t, p.Conn) // is under way before it can be seen
					if rest, err := io.ReadAll(p.Conn); len(rest) > 0 || err != nil {
						t.Errorf("behind %q there is %q, %v", head, rest, err)
					}
				} else {
					head := readHead(t, p.Conn)
					resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head)), nil)
					if err != nil || resp.StatusCode != tt.status {
						t.Fatalf("the answer is %q, %v", head, err)
					}
					if resp.StatusCode >= 500 && resp.Header["Sec-Websocket-Accept"] != nil {
						t.Errorf("the response has fields of the handshake: %q", head)
					}
					if resp.Header.Get("X-Injected") != "" {
						t.Errorf("a line is smuggled in: %q", head)
					}
					if tt.status == 101 {
						want := http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Accept": {"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}, "Sec-Websocket-Protocol": {"chat"}}
						for _, name := range []string{"Upgrade", "Connection", "Sec-Websocket-Accept", "Sec-Websocket-Protocol", "Sec-Websocket-Extensions", "Content-Length", "Transfer-Encoding"} {
							if !slices.Equal(resp.Header[name], want[name]) {
								t.Errorf("%s is %q, want %q", name, resp.Header[name], want[name])
							}
						}
						if resp.Header.Get("X-Room") != "blue" {
							t.Errorf("the handler's field is lost: %q", head)
						}
						p.WantClose("it is a WebSocket", 1000)
						p.SendClose(1000, "")
					} else if tt.status == 500 {
						body, _ := io.ReadAll(p.Conn)
						if !strings.Contains(string(body), tt.words) || int64(len(body)) != resp.ContentLength {
							t.Errorf("the response says %q", body)
						}
					}
				}
				err := <-result
				if (err == nil) != (tt.words == "") || err != nil && !strings.Contains(err.Error(), tt.words) {
					t.Errorf("Accept returned %v, want an error with %q", err, tt.words)
				}
				p.Close()
				if logged.String() != "" {
					t.Errorf("net/http complains: %s", logged)
				}
			})
		})
	}
}

// lender keeps the status to itself, hands out buffers of its own, and has no method Unwrap.
type lender struct {
	http.ResponseWriter
	rw *bufio.ReadWriter
}

func (*lender) WriteHeader(int) {}

func (o *lender) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, _, err := http.NewResponseController(o.ResponseWriter).Hijack()
	return nc, o.rw, err
}

// TestAcceptOwnBuffers: buffers that a wrapper of the ResponseWriter hands out stay as they are, since they may go back to a pool. There may
// be none to write to.
func TestAcceptOwnBuffers(t *testing.T) {
	for name, writer := range map[string]*bufio.Writer{"both": bufio.NewWriterSize(io.Discard, 5000), "to read": nil} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				result := make(chan error, 1)
				rw := &bufio.ReadWriter{Reader: bufio.NewReaderSize(http.NoBody, 5000), Writer: writer}
				p := rawClient(t, serverInMemory(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					c, err := websocket.Accept(&lender{w, rw}, r, nil)
					if err == nil {
						c.CloseNow()
					}
					result <- err
				})}))
				p.SendRaw([]byte(withField("X: y")))
				if err := <-result; err != nil {
					t.Fatal(err)
				}
				if size := rw.Reader.Size(); size != 5000 {
					t.Errorf("the Reader has %d bytes", size)
				}
				if writer != nil && writer.Size() != 5000 {
					t.Errorf("the Writer has %d bytes", writer.Size())
				}
			})
		})
	}
}
