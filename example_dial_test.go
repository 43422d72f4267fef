package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/closeonce/websocket"
)

// A client that sends a token and waits at most ten seconds for the handshake. The context has no effect on the connection
// afterwards.
func ExampleDial() {
	welcome := websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		if err := c.Write(ctx, websocket.MessageText, []byte("welcome")); err != nil {
			log.Print(err)
		}
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			http.Error(w, "members only", http.StatusUnauthorized)
			return
		}
		welcome.ServeHTTP(w, r)
	}))
	defer server.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	c, _, err := websocket.Dial(ctx, server.URL, &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer secret"}},
	})
	cancel()
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	_, p, err := c.Read(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(p))
	// Output: welcome
}

// A client that connects again when the connection is lost, and waits twice as long each time.
func ExampleDial_reconnect() {
	var visits atomic.Int32
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		if visits.Add(1) < 3 {
			c.Close(websocket.StatusServiceRestart, "")
			return
		}
		if err := c.Write(ctx, websocket.MessageText, []byte("news")); err != nil {
			log.Print(err)
		}
	}))
	defer server.Close()

	// follow returns nil when the server has no more messages.
	follow := func(ctx context.Context) error {
		c, _, err := websocket.Dial(ctx, server.URL, nil)
		if err != nil {
			return err
		}
		defer c.CloseNow()
		for m, err := range c.Messages(ctx) {
			if err != nil {
				return err
			}
			fmt.Println(string(m.Data))
		}
		return nil
	}

	ctx := context.Background()
	wait := 5 * time.Millisecond
	for {
		err := follow(ctx)
		if err == nil {
			break
		}
		fmt.Println("lost:", websocket.CloseStatus(err))
		select {
		case <-time.After(wait + rand.N(wait)): // so that clients do not all come back at once
		case <-ctx.Done():
			return
		}
		wait = min(2*wait, time.Minute)
	}
	// Output:
	// lost: StatusServiceRestart
	// lost: StatusServiceRestart
	// news
}

// With CloseOnCancel, a context that ends a call ends the connection, as in github.com/coder/websocket.
func ExampleDialOptions_closeOnCancel() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		<-ctx.Done() // it sends nothing
	}))
	defer server.Close()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, server.URL, &websocket.DialOptions{CloseOnCancel: true})
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()

	short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	_, _, err = c.Read(short)
	fmt.Println(err)
	err = c.Write(ctx, websocket.MessageText, []byte("hello"))
	fmt.Println("the connection is closed:", errors.Is(err, net.ErrClosed))
	// Output:
	// context deadline exceeded
	// the connection is closed: true
}

// The server's answer says why there is no connection.
func ExampleHandshakeError() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "members only", http.StatusUnauthorized)
	}))
	defer server.Close()

	_, _, err := websocket.Dial(context.Background(), server.URL, nil)
	fmt.Println(err)
	var refused *websocket.HandshakeError
	if errors.As(err, &refused) {
		body, err := io.ReadAll(refused.Response.Body)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d %s", refused.Response.StatusCode, body)
	}
	// Output:
	// websocket: the handshake failed: expected handshake response status code 101 but got 401: "members only"
	// 401 members only
}
