package websocket_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"

	"github.com/closeonce/websocket"
)

// A handler that accepts a WebSocket, sends one message and closes.
func ExampleAccept() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			log.Print(err) // the request has been answered
			return
		}
		defer c.CloseNow()
		hello := fmt.Appendf(nil, "hello, %s", r.URL.Query().Get("name"))
		if err := c.Write(r.Context(), websocket.MessageText, hello); err != nil {
			log.Print(err)
			return
		}
		c.Close(websocket.StatusNormalClosure, "")
	}))
	defer server.Close()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, server.URL+"?name=gopher", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	_, p, err := c.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(p))
	// Output: hello, gopher
}

// Without an option, only pages of the server's own host may connect. OriginPatterns adds other hosts.
func ExampleAcceptOptions_originPatterns() {
	opts := &websocket.AcceptOptions{
		OriginPatterns: []string{"example.com", "*.example.com"},
	}
	server := httptest.NewServer(websocket.Handler(opts, func(ctx context.Context, c *websocket.Conn) {}))
	defer server.Close()

	for _, origin := range []string{"https://app.example.com", "https://example.org"} {
		c, resp, err := websocket.Dial(context.Background(), server.URL, &websocket.DialOptions{
			HTTPHeader: http.Header{"Origin": {origin}}, // as a browser sends it
		})
		if resp == nil {
			log.Fatal(err)
		}
		if err == nil {
			c.CloseNow()
		}
		fmt.Println(origin, resp.StatusCode)
	}
	// Output:
	// https://app.example.com 101
	// https://example.org 403
}

// CheckOrigin decides by a rule of the application's own, and for requests without an Origin, too.
func ExampleAcceptOptions_checkOrigin() {
	partners := map[string]bool{"https://partner.example": true}
	opts := &websocket.AcceptOptions{
		CheckOrigin: func(r *http.Request) bool {
			return partners[r.Header.Get("Origin")]
		},
	}
	server := httptest.NewServer(websocket.Handler(opts, func(ctx context.Context, c *websocket.Conn) {}))
	defer server.Close()

	for _, origin := range []string{"https://partner.example", "https://example.org", ""} {
		c, resp, err := websocket.Dial(context.Background(), server.URL, &websocket.DialOptions{
			HTTPHeader: http.Header{"Origin": {origin}},
		})
		if resp == nil {
			log.Fatal(err)
		}
		if err == nil {
			c.CloseNow()
		}
		fmt.Printf("%q %d\n", origin, resp.StatusCode)
	}
	// Output:
	// "https://partner.example" 101
	// "https://example.org" 403
	// "" 403
}

// OnRefuse writes the answer to a refused request, here as JSON.
func ExampleAcceptOptions_onRefuse() {
	opts := &websocket.AcceptOptions{
		OnRefuse: func(w http.ResponseWriter, r *http.Request, status int, err error) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			json.NewEncoder(w).Encode(map[string]int{"status": status})
		},
	}
	server := httptest.NewServer(websocket.Handler(opts, func(ctx context.Context, c *websocket.Conn) {}))
	defer server.Close()

	resp, err := http.Get(server.URL) // not a WebSocket handshake
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s", resp.Header.Get("Upgrade"), body)
	// Output: websocket: {"status":426}
}

// The server chooses the first of its subprotocols that the client offers.
func ExampleConn_Subprotocol() {
	opts := &websocket.AcceptOptions{Subprotocols: []string{"chat.v2", "chat.v1"}}
	server := httptest.NewServer(websocket.Handler(opts, func(ctx context.Context, c *websocket.Conn) {
		if c.Subprotocol() == "" {
			c.Close(websocket.StatusPolicyViolation, "chat.v1 or chat.v2 is needed")
		}
	}))
	defer server.Close()

	for _, offer := range [][]string{{"chat.v1", "chat.v2"}, {"chat.v1"}, {"mail"}} {
		c, _, err := websocket.Dial(context.Background(), server.URL, &websocket.DialOptions{Subprotocols: offer})
		if err != nil {
			log.Fatal(err)
		}
		defer c.CloseNow()
		_, _, err = c.Read(context.Background())
		fmt.Printf("%q %v\n", c.Subprotocol(), websocket.CloseStatus(err))
	}
	// Output:
	// "chat.v2" StatusNormalClosure
	// "chat.v1" StatusNormalClosure
	// "" StatusPolicyViolation
}

// A server that needs a subprotocol refuses other clients before it accepts.
func ExampleSubprotocols() {
	chat := websocket.Handler(&websocket.AcceptOptions{Subprotocols: []string{"chat"}},
		func(ctx context.Context, c *websocket.Conn) {})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(websocket.Subprotocols(r), "chat") {
			http.Error(w, "offer the subprotocol chat", http.StatusBadRequest)
			return
		}
		chat.ServeHTTP(w, r)
	}))
	defer server.Close()

	_, _, err := websocket.Dial(context.Background(), server.URL, nil)
	var refused *websocket.HandshakeError
	if !errors.As(err, &refused) {
		log.Fatal(err)
	}
	body, err := io.ReadAll(refused.Response.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d %s", refused.Response.StatusCode, body)
	// Output: 400 offer the subprotocol chat
}

// With EndOnShutdown, the function that Handler runs hears of http.Server.Shutdown and says good-bye. Shutdown itself does
// not wait for WebSockets; that of the server's group does.
func ExampleAcceptOptions_endOnShutdown() {
	opts := &websocket.AcceptOptions{EndOnShutdown: true}
	server := &http.Server{Handler: websocket.Handler(opts, func(ctx context.Context, c *websocket.Conn) {
		if err := c.Write(ctx, websocket.MessageText, []byte("welcome")); err != nil {
			return
		}
		<-ctx.Done()
		if context.Cause(ctx) == http.ErrServerClosed {
			c.Close(websocket.StatusServiceRestart, "come back in a minute")
		}
	})}
	group := websocket.ServerGroup(server)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go server.Serve(ln)

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, "ws://"+ln.Addr().String(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	_, p, err := c.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(p))

	if err := server.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	closed := make(chan int)
	go func() {
		n, _ := group.Shutdown(ctx)
		closed <- n
	}()
	_, _, err = c.Read(ctx)
	fmt.Println(websocket.CloseStatus(err))
	fmt.Println(<-closed, "closed well")
	// Output:
	// welcome
	// StatusServiceRestart
	// 1 closed well
}
