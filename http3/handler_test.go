package http3_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/closeonce/websocket"
	ws3 "github.com/closeonce/websocket/http3"
	"github.com/quic-go/quic-go/http3"
)

// A lines is a log that may be read while it is written.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.String()
}

// logTo makes a server log to l.
func logTo(l *lines) func(*http3.Server) {
	return func(s *http3.Server) { s.Logger = slog.New(slog.NewTextHandler(l, nil)) }
}

// TestHandler: the connection is closed as the function ends.
func TestHandler(t *testing.T) {
	var log lines
	s := serve(t, nil, ws3.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		_, p, err := c.Read(ctx)
		if err != nil {
			t.Error(err)
		}
		switch string(p) {
		case "panic":
			panic("a fault of the handler")
		case "abort":
			panic(http.ErrAbortHandler)
		case "exit":
			runtime.Goexit()
		}
	}), logTo(&log))
	for say, want := range map[string]websocket.StatusCode{"return": 1000, "panic": 1011, "abort": 1011, "exit": 1011} {
		c := dial(t, dialer(t), s.url, nil)
		if err := c.Write(soon(t), websocket.MessageText, []byte(say)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Read(soon(t)); websocket.CloseStatus(err) != want {
			t.Errorf("%s: Read gave %v, want %d", say, err, want)
		}
	}
	if got := log.String(); strings.Count(got, "panic in a handler") != 1 || !strings.Contains(got, "a fault of the handler") {
		t.Errorf("the log has %s", got)
	}
}

// TestHandlerRefuses: serve is not called; a middleware that hides the stream is logged.
func TestHandlerRefuses(t *testing.T) {
	type hides struct{ http.ResponseWriter }
	accepts := ws3.Handler(nil, func(context.Context, *websocket.Conn) { t.Error("serve was called") })
	var log lines
	returned := make(chan bool, 1)
	s := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		accepts.ServeHTTP(hides{w}, r)
		returned <- true
	}), logTo(&log))
	if _, resp, err := dialer(t).Dial(soon(t), s.url, nil); err == nil || resp.StatusCode != http.StatusNotImplemented {
		t.Errorf("Dial gave %v, %v", resp, err)
	}
	<-returned
	if !strings.Contains(log.String(), "Unwrap") {
		t.Errorf("the log has %s", log.String())
	}
}

// TestHandlerOfOtherRequests: what is no WebSocket gets the same status as behind a middleware that hides the stream, but it is the
// client's fault, and not logged.
func TestHandlerOfOtherRequests(t *testing.T) {
	var log lines
	h := ws3.Handler(nil, func(context.Context, *websocket.Conn) { t.Error("serve was called") })
	returned := make(chan bool, 1)
	s := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		returned <- true
	}), logTo(&log))
	client := &http3.Transport{TLSClientConfig: clientTLS()}
	defer client.Close()
	resp, err := (&http.Client{Transport: client}).Get("https" + strings.TrimPrefix(s.url, "wss"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	<-returned
	if resp.StatusCode != http.StatusNotImplemented || log.String() != "" {
		t.Errorf("the status is %d, and the log has %s", resp.StatusCode, log.String())
	}
}

// TestHandlerOfOthers: the same handler serves HTTP/1.1.
func TestHandlerOfOthers(t *testing.T) {
	s := httptest.NewServer(ws3.Handler(nil, func(ctx context.Context, c *websocket.Conn) { c.Read(ctx) }))
	defer s.Close()
	c, _, err := websocket.Dial(soon(t), s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(soon(t), websocket.MessageText, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(soon(t)); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("Read gave %v", err)
	}
}
