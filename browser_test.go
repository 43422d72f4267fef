package websocket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A fakeBrowser is what a browserStream has behind it. It takes all messages.
type fakeBrowser struct {
	s *browserStream

	mu       sync.Mutex
	sent     []string // "text: …" or "binary: …"
	buffered int
	closes   int
	code     int // of the first Close
	reason   string
	silent   bool // the server does not answer a Close
}

func (f *fakeBrowser) Send(text bool, p []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	kind := "binary: "
	if text {
		kind = "text: "
	}
	f.sent = append(f.sent, kind+string(p))
	return nil
}

func (f *fakeBrowser) Buffered() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.buffered
}

func (f *fakeBrowser) setBuffered(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.buffered = n
}

func (f *fakeBrowser) Close(code int, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closes++; f.closes > 1 {
		return
	}
	f.code, f.reason = code, reason
	if f.silent {
		return
	}
	if code == 0 {
		code = 1005
	}
	go f.s.ended(code, reason, true) // the server echoes it
}

func (f *fakeBrowser) messages() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent
}

// runInBrowser runs f in a bubble, with a Conn over a fake browser.
func runInBrowser(t *testing.T, opts *DialOptions, f func(t *testing.T, c *Conn, b *fakeBrowser)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newBrowserStream()
		b := &fakeBrowser{s: s}
		s.socket = b
		c := browserConn(bg, s, "chat", opts)
		defer c.CloseNow()
		f(t, c, b)
		c.CloseNow()
		synctest.Wait()
	})
}

// TestBrowserMessages: messages go both ways, however they are written.
func TestBrowserMessages(t *testing.T) {
	runInBrowser(t, &DialOptions{ReadLimit: -1}, func(t *testing.T, c *Conn, b *fakeBrowser) {
		if c.Subprotocol() != "chat" {
			t.Errorf("the subprotocol is %q", c.Subprotocol())
		}
		large := strings.Repeat("0123456789abcdef", 64<<10)
		var want []string
		for _, m := range []string{"hello", "", large, "\u00e9"} {
			if err := c.Write(bg, MessageText, []byte(m)); err != nil {
				t.Fatal(err)
			}
			if err := c.TryWrite(MessageBinary, []byte(m[:min(len(m), 1000)])); err != nil {
				t.Fatal(err)
			}
			want = append(want, "text: "+m, "binary: "+m[:min(len(m), 1000)])
		}
		for _, typ := range []MessageType{MessageBinary, MessageText} {
			w, err := c.Writer(bg, typ)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(large); i += 100_000 {
				if _, err := io.WriteString(w, large[i:min(len(large), i+100_000)]); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
		want = append(want, "binary: "+large, "text: "+large)
		synctest.Wait()
		got := b.messages()
		if len(got) != len(want) {
			t.Fatalf("%d messages were sent, want %d", len(got), len(want))
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("message %d is %.50q (%d bytes), want %.50q", i, got[i], len(got[i]), want[i])
			}
		}

		for i, m := range []string{"hello", "", large, "\u00e9"} {
			text := i%2 == 0
			b.s.received(text, []byte(m))
			typ, p, err := c.Read(bg)
			if err != nil || (typ == MessageText) != text || string(p) != m {
				t.Errorf("Read gave %v, %.50q, %v", typ, p, err)
			}
		}
	})
}

// TestBrowserClose: Close makes the closing handshake, with the codes that a browser lets programs use.
func TestBrowserClose(t *testing.T) {
	for _, test := range []struct {
		code   StatusCode
		reason string
		want   int
	}{
		{1000, "done", 1000},
		{3000, "", 3000},
		{4999, "ours", 4999},
		{StatusGoingAway, "no page may say so", 0},
		{StatusMessageTooBig, "", 0},
		{StatusNoStatusRcvd, "", 0},
	} {
		runInBrowser(t, &DialOptions{}, func(t *testing.T, c *Conn, b *fakeBrowser) {
			if err := c.Write(bg, MessageText, []byte("last")); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			err := c.Close(test.code, test.reason)
			if err != nil || time.Since(begun) > time.Second {
				t.Errorf("%v: Close gave %v after %v", test.code, err, time.Since(begun))
			}
			if sent := b.messages(); len(sent) != 1 {
				t.Errorf("%v: the message before it was not sent", test.code)
			}
			reason := test.reason
			if test.want == 0 {
				reason = ""
			}
			if b.code != test.want || b.reason != reason {
				t.Errorf("%v: the browser was told %d %q, want %d %q", test.code, b.code, b.reason, test.want, reason)
			}
		})
	}
}

// TestBrowserPeerCloses: after the messages before it, Read tells how the peer closed.
func TestBrowserPeerCloses(t *testing.T) {
	for _, test := range []struct {
		code   int
		reason string
		clean  bool
		want   StatusCode
	}{
		{1000, "", true, 1000},
		{1001, "going", true, 1001},
		{4000, "told", true, 4000},
		{1005, "", true, 1005},
		{1006, "", false, -1},
		{1002, "the browser found a fault", false, -1},
	} {
		runInBrowser(t, &DialOptions{}, func(t *testing.T, c *Conn, b *fakeBrowser) {
			b.s.received(false, []byte("before"))
			b.s.ended(test.code, test.reason, test.clean)
			b.s.received(false, []byte("after"))
			if _, p, err := c.Read(bg); string(p) != "before" {
				t.Errorf("%d: Read gave %q, %v", test.code, p, err)
			}
			_, _, err := c.Read(bg)
			var closed CloseError
			if CloseStatus(err) != test.want || errors.As(err, &closed) && closed.Reason != test.reason {
				t.Errorf("%d %q: Read gave %v", test.code, test.reason, err)
			}
			if !errors.Is(err, net.ErrClosed) && test.want == -1 && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
				t.Errorf("%d: %v says nothing of an end", test.code, err)
			}
			if err := c.Write(bg, MessageText, nil); err == nil {
				t.Errorf("%d: Write gave no error behind the end", test.code)
			}
		})
	}
}

// TestBrowserCloseUnanswered: a server that does not answer a Close keeps nobody waiting for longer than CloseTimeout.
func TestBrowserCloseUnanswered(t *testing.T) {
	runInBrowser(t, &DialOptions{CloseTimeout: time.Second}, func(t *testing.T, c *Conn, b *fakeBrowser) {
		b.silent = true
		begun := time.Now()
		if err := c.Close(1000, ""); err == nil || time.Since(begun) > 2*time.Second {
			t.Errorf("Close gave %v after %v", err, time.Since(begun))
		}
	})
}

// TestBrowserPing: Ping says whether the connection is alive, as far as a program in a browser knows.
func TestBrowserPing(t *testing.T) {
	runInBrowser(t, &DialOptions{}, func(t *testing.T, c *Conn, b *fakeBrowser) {
		if err := c.Ping(bg); err != nil {
			t.Error(err)
		}
		if sent := b.messages(); len(sent) > 0 {
			t.Errorf("a Ping was sent as %q", sent)
		}
		b.s.ended(1006, "", false)
		if err := c.Ping(bg); err == nil {
			t.Error("Ping gave no error behind the end")
		}
	})
}

// TestBrowserBackPressure: a Write waits while the browser has much to send, gives up with its context, and the connection
// stays usable.
func TestBrowserBackPressure(t *testing.T) {
	runInBrowser(t, &DialOptions{}, func(t *testing.T, c *Conn, b *fakeBrowser) {
		b.setBuffered(browserUnsent + 1)
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		n := 0
		var err error
		for ; err == nil && n < 100; n++ {
			err = c.Write(ctx, MessageBinary, make([]byte, 64<<10))
		}
		if !errors.Is(err, context.DeadlineExceeded) || n > 10 {
			t.Fatalf("after %d messages: %v", n, err)
		}
		b.setBuffered(0)
		if err := c.Write(bg, MessageText, []byte("on")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		sent := b.messages()
		if last := sent[len(sent)-1]; last != "text: on" {
			t.Errorf("the last message is %.50q", last)
		}
		for _, m := range sent[:len(sent)-1] {
			if len(m) != len("binary: ")+64<<10 {
				t.Errorf("a message has %d bytes", len(m))
			}
		}

		b.setBuffered(browserUnsent + 1) // and an end lets go of who waits
		waits := make(chan error, 1)
		go func() {
			var err error
			for err == nil {
				err = c.Write(bg, MessageBinary, make([]byte, 64<<10))
			}
			waits <- err
		}()
		synctest.Wait()
		b.s.ended(1006, "", false)
		if err := <-waits; err == nil {
			t.Error("no error")
		}
	})
}

// TestBrowserUnread: what is not read is bounded, and the error says what to do.
func TestBrowserUnread(t *testing.T) {
	runInBrowser(t, &DialOptions{ReadLimit: -1}, func(t *testing.T, c *Conn, b *fakeBrowser) {
		const size = 1 << 20
		for range 100 {
			b.s.received(false, make([]byte, size))
		}
		synctest.Wait()
		n := 0
		var err error
		for ; err == nil; n++ {
			_, _, err = c.Read(bg)
		}
		if n--; n < browserUnread/size || n > browserUnread/size+2 || !strings.Contains(err.Error(), "read faster") {
			t.Errorf("after %d messages: %v", n, err)
		}
		synctest.Wait()
		if b.closes == 0 {
			t.Error("the browser's WebSocket is left open")
		}
	})
}

// TestBrowserOptions: what a program in a browser can't have is refused; what nobody misses is ignored.
func TestBrowserOptions(t *testing.T) {
	for _, opts := range []DialOptions{
		{HTTPHeader: http.Header{"Authorization": {"secret"}}},
		{HTTPHeader: http.Header{"authorization": nil}},
		{Host: "example.com"},
	} {
		if _, err := opts.forBrowser(); !errors.Is(err, errors.ErrUnsupported) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v", opts, err)
		}
	}
	opts := DialOptions{
		HTTPHeader:   http.Header{"Sec-WebSocket-Protocol": {"b, c"}},
		HTTPClient:   http.DefaultClient,
		Subprotocols: []string{"a"}, CompressionMode: CompressionContextTakeover, KeepAlive: time.Second,
	}
	if got, err := opts.forBrowser(); err != nil || strings.Join(got, " ") != "a b c" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestBrowserURL: URLs are those of Dial, and relative ones are relative to the page.
func TestBrowserURL(t *testing.T) {
	const page = "https://example.com:8443/app/index.html?q#top"
	for _, test := range []struct{ url, page, want string }{
		{"ws://h/ws", "", "ws://h/ws"},
		{"http://h/ws?a=b#c", "", "ws://h/ws?a=b"},
		{"https://h:1/", page, "wss://h:1/"},
		{"ws", page, "wss://example.com:8443/app/ws"},
		{"/ws?x", page, "wss://example.com:8443/ws?x"},
		{"//other/ws", page, "wss://other/ws"},
		{"ws", "https://h/a|b/%2F/index.html", "wss://h/a%7Cb/%2F/ws"},
		{"/é/%2F?a b", page, "wss://example.com:8443/%C3%A9/%2F?a%20b"},
		{"/ws", "", ""},
		{"/ws", "file:///tmp/page.html", ""},
		{"ftp://h/", page, ""},
		{"ws://user:secret@h\x00/", "", ""},
	} {
		got, err := browserURL(test.url, test.page)
		if got != test.want || (err == nil) != (test.want != "") || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q on %q: %q, %v, want %q", test.url, test.page, got, err, test.want)
		}
	}
}

// FuzzBrowserStream: frames may be cut anywhere; the messages are the same.
func FuzzBrowserStream(f *testing.F) {
	f.Add([]byte{0x81, 0x80, 0, 0, 0, 0}, uint8(1))
	f.Add([]byte{0x01, 0x81, 1, 2, 3, 4, 'a', 0x80, 0x81, 0, 0, 0, 0, 'b'}, uint8(3))
	f.Add([]byte{0x89, 0x80, 0, 0, 0, 0, 0x88, 0x82, 0, 0, 0, 0, 3, 0xe8}, uint8(2))
	f.Add([]byte{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, uint8(5))
	f.Fuzz(func(t *testing.T, frames []byte, step uint8) {
		run := func(step int) (*fakeBrowser, error) {
			s := newBrowserStream()
			b := &fakeBrowser{s: s, silent: true}
			s.socket = b
			for p := bytes.Clone(frames); len(p) > 0; {
				n := min(step, len(p))
				if _, err := s.Write(p[:n]); err != nil {
					return b, err
				}
				p = p[n:]
			}
			return b, nil
		}
		whole, err := run(len(frames))
		cut, errCut := run(int(step) + 1)
		if (err == nil) != (errCut == nil) || strings.Join(whole.sent, "|") != strings.Join(cut.sent, "|") ||
			whole.closes != cut.closes || whole.code != cut.code || !bytes.Equal(whole.s.unread, cut.s.unread) {
			t.Fatalf("whole: %q %v\ncut: %q %v", whole.sent, err, cut.sent, errCut)
		}
	})
}
