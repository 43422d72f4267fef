package websocket_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

// TestBothClose lets both ends of real connections close in the same instant, while both read and write. Neither
// sees an error of Close, whoever was first.
func TestBothClose(t *testing.T) {
	for name, start := range map[string]func(*httptest.Server){"tcp": (*httptest.Server).Start, "tls": (*httptest.Server).StartTLS} {
		t.Run(name, func(t *testing.T) {
			accepted := make(chan *websocket.Conn, 1)
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c, err := websocket.Accept(w, r, nil); err == nil {
					accepted <- c
				}
			}))
			start(srv)
			defer srv.Close()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			for i := range 100 {
				c, _, err := websocket.Dial(ctx, srv.URL, &websocket.DialOptions{HTTPClient: srv.Client()})
				if err != nil {
					t.Fatal(err)
				}
				ends := map[string]*websocket.Conn{"client": c, "server": <-accepted}
				now := make(chan struct{})
				var closes, calls sync.WaitGroup
				for name, c := range ends {
					calls.Go(func() {
						for {
							if _, _, err := c.Read(ctx); err != nil {
								wantEnd(t, name+"'s Read", err)
								return
							}
						}
					})
					calls.Go(func() {
						for {
							if err := c.Write(ctx, websocket.MessageText, []byte("until the end")); err != nil {
								wantEnd(t, name+"'s Write", err)
								return
							}
						}
					})
					closes.Go(func() {
						<-now
						if err := c.Close(websocket.StatusGoingAway, name); err != nil {
							t.Errorf("%d: the %s's Close: %v", i, name, err)
						}
					})
				}
				close(now)
				closes.Wait()
				calls.Wait()
			}
		})
	}
}

// wantEnd asserts that a call's error is a proper end: we closed, or the peer did.
func wantEnd(t *testing.T, call string, err error) {
	if !errors.Is(err, net.ErrClosed) && websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("%s: %v", call, err)
	}
}
