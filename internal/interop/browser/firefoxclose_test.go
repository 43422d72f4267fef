package browser

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

// longest is a reason that fills its frame.
var longest = strings.Repeat("r", 123)

// wantClosing says how c differs from a clean closing with the code and reason.
func wantClosing(t *testing.T, c closing, code int, reason string) {
	t.Helper()
	if want := (closing{code, reason, true, 0}); c != want {
		t.Errorf("the page saw %+v, want %+v", c, want)
	}
}

// wantCloseError says how err differs from the peer's Close with the code and
// reason.
func wantCloseError(t *testing.T, err error, code websocket.StatusCode, reason string) {
	t.Helper()
	var e websocket.CloseError
	if !errors.As(err, &e) || e.Code != code || e.Reason != reason {
		t.Errorf("the server saw %v, want Close %d %q", err, code, reason)
	}
}

// Closes of the page's reach the server with code and reason as they were.
func TestFirefoxCloses(t *testing.T) {
	f := needFirefox(t)
	ended := make(chan error, 1)
	handler := accept(func(ctx context.Context, c *websocket.Conn) {
		_, _, err := c.Read(ctx)
		ended <- err
	})
	for _, c := range []struct {
		call   string
		code   websocket.StatusCode
		reason string
	}{
		{"", websocket.StatusNoStatusRcvd, ""}, {"1000", 1000, ""}, {`1000, "bye"`, 1000, "bye"}, {"3000", 3000, ""},
		{`4999, "日本語 👋"`, 4999, "日本語 👋"}, {`3333, "r".repeat(123)`, 3333, longest},
	} {
		var got closing
		f.run(t, handler, fmt.Sprintf(`(async () => {
			const ws = new WebSocket("/ws");
			const closing = %s;
			ws.onopen = () => ws.close(%s);
			return closing;
		})()`, closed, c.call), &got)
		wantClosing(t, got, int(c.code), c.reason)
		wantCloseError(t, <-ended, c.code, c.reason)
	}
}

// Closes of the server's reach the page with code and reason as they were.
func TestFirefoxIsClosed(t *testing.T) {
	f := needFirefox(t)
	for _, c := range []struct {
		code   websocket.StatusCode
		reason string
	}{
		{websocket.StatusNoStatusRcvd, ""}, {1000, ""}, {1000, "bye"}, {1001, "going"}, {1008, ""}, {1011, "broken"}, {1012, ""}, {1013, ""},
		{3000, "日本語 👋"}, {4999, longest},
	} {
		ended := make(chan error, 1)
		handler := accept(func(ctx context.Context, conn *websocket.Conn) {
			ended <- conn.Close(c.code, c.reason)
		})
		var got closing
		f.run(t, handler, fmt.Sprintf(`(async () => {
			const ws = new WebSocket("/ws");
			return %s;
		})()`, closed), &got)
		wantClosing(t, got, int(c.code), c.reason)
		if err := <-ended; err != nil {
			t.Errorf("Close %d: %v", c.code, err)
		}
	}
}

// Both sides close in the same instant of the clock, 200 times. Whose Close comes
// first, and whether they cross, chance decides; it must end well each time.
func TestFirefoxAndServerCloseAtOnce(t *testing.T) {
	f := needFirefox(t)
	const rounds = 200
	results := make(chan error, rounds)
	handler := accept(func(ctx context.Context, c *websocket.Conn) {
		at := time.Now().Add(25 * time.Millisecond)
		if err := c.Write(ctx, websocket.MessageText, fmt.Append(nil, at.UnixMicro())); err != nil {
			results <- err
			return
		}
		<-time.After(time.Until(at))
		results <- c.Close(serverCode, "the server's")
	})
	var got []closing
	f.run(t, handler, fmt.Sprintf(`(async () => {
		const all = [];
		while (all.length < %[1]d) {
			const ws = new WebSocket("/ws");
			const shift = all.length / %[1]d * 12000 - 10000; // the page's Close has the longer way to go
			ws.onmessage = ({ data }) => {
				while ((performance.timeOrigin + performance.now()) * 1000 < Number(data) + shift);
				ws.close(%[2]d, "the page's");
			};
			all.push(await %[3]s);
		}
		return all;
	})()`, rounds, pageCode, closed), &got)
	codes := map[int]int{}
	for _, c := range got {
		codes[c.Code]++
		switch c {
		case closing{pageCode, "the page's", true, 0}, closing{serverCode, "the server's", true, 0}:
		default:
			t.Errorf("the page saw %+v", c)
		}
	}
	if len(got) != rounds {
		t.Errorf("%d WebSockets were closed, want %d", len(got), rounds)
	}
	for range rounds {
		if err := <-results; err != nil {
			t.Errorf("the server's Close returned %v", err)
		}
	}
	t.Logf("the codes that the page saw: %v", codes)
}

// A page that goes away says so: Close 1001.
func TestFirefoxLeavesThePage(t *testing.T) {
	f := needFirefox(t)
	ended := make(chan error, 1)
	var handler http.Handler = accept(func(ctx context.Context, c *websocket.Conn) {
		_, _, err := c.Read(ctx)
		ended <- err
	})
	f.ws.Store(&handler)
	f.send(t, `new Promise(() => {
		const ws = new WebSocket("/ws");
		ws.onopen = () => location.reload();
	})`)
	select {
	case err := <-ended:
		wantCloseError(t, err, websocket.StatusGoingAway, "")
	case <-time.After(firefoxPatience):
		t.Fatal("the server does not see that the page is gone")
	}
	var alive int
	f.run(t, handler, "6 * 7", &alive)
	if alive != 42 {
		t.Errorf("the page that came instead reckons 6 * 7 is %d", alive)
	}
}
