package websocket_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"net/http/httptest"

	"github.com/closeonce/websocket"
)

// NetConn tunnels a stream of bytes. Here both ends read lines, wherever the messages begin and end.
func ExampleNetConn() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		conn := websocket.NetConn(ctx, c, websocket.MessageBinary)
		defer conn.Close()
		lines := bufio.NewScanner(conn)
		for lines.Scan() {
			fmt.Fprintf(conn, "%d bytes\n", len(lines.Bytes()))
		}
		if err := lines.Err(); err != nil {
			log.Print(err)
		}
	}))
	defer server.Close()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	conn := websocket.NetConn(ctx, c, websocket.MessageBinary)
	defer conn.Close()
	if _, err := fmt.Fprint(conn, "hello\nworld, too\n"); err != nil {
		log.Fatal(err)
	}
	replies := bufio.NewReader(conn)
	for range 2 {
		line, err := replies.ReadString('\n')
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(line)
	}
	// Output:
	// 5 bytes
	// 10 bytes
}

// The method NetConn gives what lies below, here to ask for the version of TLS.
func ExampleConn_NetConn() {
	server := httptest.NewTLSServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {}))
	defer server.Close()

	c, _, err := websocket.Dial(context.Background(), server.URL, &websocket.DialOptions{
		HTTPClient: server.Client(), // it trusts the test server's certificate
	})
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	if conn, ok := c.NetConn().(*tls.Conn); ok {
		fmt.Println(tls.VersionName(conn.ConnectionState().Version))
	}
	// Output: TLS 1.3
}

// The address of the client, for a log or a limit by address.
func ExampleConn_RemoteAddr() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		host, _, err := net.SplitHostPort(c.RemoteAddr().String())
		if err != nil {
			log.Print(err)
			return
		}
		if err := c.Write(ctx, websocket.MessageText, []byte("you come from "+host)); err != nil {
			log.Print(err)
		}
	}))
	defer server.Close()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	_, p, err := c.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(p))
	// Output: you come from 127.0.0.1
}
