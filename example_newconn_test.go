package websocket_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/closeonce/websocket"
)

// Both ends of a stream that needs no handshake: here a pipe, or a stream of a multiplexer.
func ExampleNewConn() {
	a, b := net.Pipe()
	server, err := websocket.NewConn(a, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer server.CloseNow()
	client, err := websocket.NewConn(b, &websocket.ConnOptions{Client: true})
	if err != nil {
		log.Fatal(err)
	}
	defer client.CloseNow()

	ctx := context.Background()
	if err := server.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		log.Fatal(err)
	}
	_, p, err := client.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(p))
	// Output: hello
}

// A server without net/http's: it reads the request, writes the answer, and hands the connection over with the bytes that
// came behind the request.
func ExampleNegotiate() {
	serve := func(nc net.Conn) {
		r := bufio.NewReader(nc)
		req, err := http.ReadRequest(r)
		if err != nil {
			nc.Close()
			return
		}
		h, err := websocket.Negotiate(req, &websocket.AcceptOptions{Subprotocols: []string{"chat"}})
		if err != nil {
			fmt.Fprintf(nc, "HTTP/1.1 %d Refused\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%v", h.Status, len(err.Error()), err)
			nc.Close()
			return
		}
		fmt.Fprintf(nc, "HTTP/1.1 %d Switching Protocols\r\n", h.Status)
		h.Header.Write(nc)
		io.WriteString(nc, "\r\n")
		h.Conn.Early, _ = r.Peek(r.Buffered())
		c, err := websocket.NewConn(nc, &h.Conn)
		if err != nil {
			nc.Close()
			return
		}
		defer c.CloseNow()
		c.Write(context.Background(), websocket.MessageText, []byte("this is "+c.Subprotocol()))
		c.Close(websocket.StatusNormalClosure, "")
	}

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	go func() {
		nc, err := ln.Accept()
		if err == nil {
			serve(nc)
		}
	}()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, "ws://"+ln.Addr().String(), &websocket.DialOptions{Subprotocols: []string{"chat"}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	_, p, err := c.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(p))
	// Output: this is chat
}

// The sample of RFC 6455, section 1.3.
func ExampleAcceptKey() {
	fmt.Println(websocket.AcceptKey("dGhlIHNhbXBsZSBub25jZQ=="))
	// Output: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
}

// A client that makes the handshake itself offers compression.
func ExampleOfferDeflate() {
	offer, err := websocket.OfferDeflate(websocket.CompressionNoContextTakeover, websocket.CompressionTuning{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Sec-WebSocket-Extensions:", offer)
	// Output: Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits
}

// The server answers. Both ends then give the answer to NewConn as the option Extensions.
func ExampleAnswerDeflate() {
	offers := []string{"permessage-deflate; client_max_window_bits"}
	answer, err := websocket.AnswerDeflate(offers, websocket.CompressionContextTakeover, websocket.CompressionTuning{
		ServerWindowBits: 12, ClientWindowBits: 12,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Sec-WebSocket-Extensions:", answer)
	// Output: Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12; client_max_window_bits=12
}
