package main

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/closeonce/websocket"
)

func readAll(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	p, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(p)
}

// publish posts body and returns the status.
func publish(t *testing.T, s *chatServer, body string, header ...string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(testContext(t), "POST", s.URL+"/publish", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	readAll(t, resp)
	return resp.StatusCode
}

// subscribe returns a connection that gets what is published from now on.
func subscribe(t *testing.T, s *chatServer) *websocket.Conn {
	t.Helper()
	before := subscribers(s)
	c := dial(t, s, "/subscribe")
	for subscribers(s) == before { // the handshake's answer comes first
		runtime.Gosched()
	}
	return c
}

func subscribers(s *chatServer) int {
	return s.hub.feed.Len()
}

func wantMessage(t *testing.T, c *websocket.Conn, want string) {
	t.Helper()
	typ, p, err := c.Read(testContext(t))
	if err != nil || typ != websocket.MessageText || string(p) != want {
		t.Errorf("want %q, got %v %q %v", want, typ, p, err)
	}
}

func TestWhatIsPublishedComesToAllSubscribers(t *testing.T) {
	s := newChatServer(t)
	a, b := subscribe(t, s), subscribe(t, s)
	for _, text := range []string{"Hello", "", "Grüß Gott", strings.Repeat("x", maxPublish)} {
		if status := publish(t, s, text); status != http.StatusAccepted {
			t.Fatalf("POST /publish of %d bytes: %d", len(text), status)
		}
		wantMessage(t, a, text)
		wantMessage(t, b, text)
	}
	a.Close(websocket.StatusNormalClosure, "")
	publish(t, s, "still here")
	wantMessage(t, b, "still here")
}

func TestPublishRefuses(t *testing.T) {
	s := newChatServer(t)
	c := subscribe(t, s)
	for _, r := range []struct {
		name, body string
		header     []string
		status     int
	}{
		{"too large", strings.Repeat("x", maxPublish+1), nil, http.StatusRequestEntityTooLarge},
		{"not UTF-8", "\xff", nil, http.StatusBadRequest},
		{"a page of another site", "x", []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		{"an old browser's page of another site", "x", []string{"Origin", "https://example.com"}, http.StatusForbidden},
	} {
		if status := publish(t, s, r.body, r.header...); status != r.status {
			t.Errorf("%s: %d, want %d", r.name, status, r.status)
		}
	}
	publish(t, s, "the first that was accepted")
	wantMessage(t, c, "the first that was accepted")
}

func TestASubscriberWhoSpeaksIsClosedWith1008(t *testing.T) {
	s := newChatServer(t)
	c := subscribe(t, s)
	if err := c.Write(testContext(t), websocket.MessageText, []byte("ping")); err != nil {
		t.Fatal(err)
	}
	wantClose(t, c, websocket.StatusPolicyViolation)
	for subscribers(s) != 0 {
		runtime.Gosched()
	}
}

func TestASlowSubscriberIsDroppedAndTheOthersServed(t *testing.T) {
	s := newChatServer(t)
	slow, quick := subscribe(t, s), subscribe(t, s)
	text := strings.Repeat("x", maxPublish)
	for published := 0; subscribers(s) == 2; published++ {
		if published == 10_000 {
			t.Fatal("a subscriber who does not read is kept")
		}
		publish(t, s, text)
		wantMessage(t, quick, text)
	}
	publish(t, s, "still here")
	wantMessage(t, quick, "still here")
	wantClose(t, slow, websocket.StatusTryAgainLater)
}
