package wsjson_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
	"github.com/closeonce/websocket/wsjson"
)

type point struct {
	X, Y int
}

// withPeer runs a test of a server's Conn against a raw client.
func withPeer(t *testing.T, f func(t *testing.T, c *websocket.Conn, p *wiretest.Peer)) {
	synctest.Test(t, func(t *testing.T) {
		ln := memconn.Listen()
		accepted := make(chan *websocket.Conn, 1)
		ended := make(chan struct{})
		srv := &http.Server{Handler: websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
			accepted <- c
			<-ended
			c.CloseNow()
		})}
		go srv.Serve(ln)
		defer srv.Close()
		defer close(ended)
		conn, err := ln.Dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		p := wiretest.NewPeer(t, conn, wiretest.Client)
		p.ClientHandshake("/", nil)
		f(t, <-accepted, p)
	})
}

func TestWrite(t *testing.T) {
	withPeer(t, func(t *testing.T, c *websocket.Conn, p *wiretest.Peer) {
		for _, tt := range []struct {
			v    any
			want string
		}{
			{point{1, 2}, `{"X":1,"Y":2}`},
			{"<é>", `"\u003cé\u003e"`},
			{nil, "null"},
			{json.RawMessage(` [ 1 ] `), "[1]"},
			{[]string{}, "[]"},
		} {
			if err := wsjson.Write(context.Background(), c, tt.v); err != nil {
				t.Fatal(err)
			}
			p.WantText("one text message", tt.want)
		}

		err := wsjson.Write(context.Background(), c, func() {})
		var unsupported *json.UnsupportedTypeError
		if !errors.As(err, &unsupported) || !strings.HasPrefix(err.Error(), "websocket: ") {
			t.Errorf("what is no JSON: %v", err)
		}
		p.WantIdle("nothing of it is sent, and the connection lives", time.Second)

		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := wsjson.Write(ctx, c, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled context: %v", err)
		}
	})
}

func TestRead(t *testing.T) {
	withPeer(t, func(t *testing.T, c *websocket.Conn, p *wiretest.Peer) {
		for _, f := range []wiretest.Frame{wiretest.Text(` {"X": 1, "Y": 2} `), wiretest.Binary(`{"X":1,"Y":2,"Z":3}`)} {
			p.Send(f)
			var got point
			if err := wsjson.Read(context.Background(), c, &got); err != nil || got != (point{1, 2}) {
				t.Fatalf("%v, %v", got, err)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := wsjson.Read(ctx, c, new(point)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a context that ends: %v", err)
		}
		p.SendText("4")
		var n int
		if err := wsjson.Read(context.Background(), c, &n); err != nil || n != 4 {
			t.Errorf("afterwards: %d, %v", n, err)
		}
		p.SendClose(4000, "")
		if err := wsjson.Read(context.Background(), c, &n); websocket.CloseStatus(err) != 4000 {
			t.Errorf("the peer's Close: %v", err)
		}
	})
}

func TestReadBadJSON(t *testing.T) {
	for _, text := range []string{"", "{", "{} {}", `{"X":"one"}`, "[]", "nul"} {
		withPeer(t, func(t *testing.T, c *websocket.Conn, p *wiretest.Peer) {
			read := make(chan error, 1)
			go func() { read <- wsjson.Read(context.Background(), c, new(point)) }()
			p.SendText(text)
			if reason := p.WantClose("bad JSON closes with 1007", 1007); strings.Contains(reason, text) && text != "" {
				t.Errorf("the reason quotes the message: %q", reason)
			}
			p.SendClose(1007, "")
			p.WantEOF("the server closes TCP")
			err := <-read
			var syntax *json.SyntaxError
			var typ *json.UnmarshalTypeError
			if !errors.As(err, &syntax) && !errors.As(err, &typ) || !strings.HasPrefix(err.Error(), "websocket: ") {
				t.Errorf("%q: %v", text, err)
			}
		})
	}
}

// TestReadBadJSONFromASilentPeer: the context bounds the closing handshake, too.
func TestReadBadJSONFromASilentPeer(t *testing.T) {
	withPeer(t, func(t *testing.T, c *websocket.Conn, p *wiretest.Peer) {
		p.SendText("no JSON")
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		began := time.Now()
		if err := wsjson.Read(ctx, c, new(point)); !errors.As(err, new(*json.SyntaxError)) {
			t.Error(err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
		}
		p.WantClose("it was told", 1007)
	})
}
