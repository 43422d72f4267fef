package h2test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// Bridge accepts WebSockets over HTTP/1.1 and opens each over HTTP/2 at url, as haproxy does, until ln is closed. So peers that
// know nothing of HTTP/2 can talk to a server over it.
func Bridge(ln net.Listener, transport http.RoundTripper, url string) {
	for {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		go bridge(nc, transport, url)
	}
}

func bridge(nc net.Conn, transport http.RoundTripper, url string) {
	defer nc.Close()
	r := bufio.NewReader(nc)
	req, err := http.ReadRequest(r)
	if err != nil {
		return
	}
	header := http.Header{}
	for name, values := range req.Header {
		if strings.HasPrefix(name, "Sec-Websocket-") {
			header[name] = values
		}
	}
	resp, stream, err := Open(transport, url, header)
	if err != nil {
		fmt.Fprintf(nc, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		return
	}
	if stream == nil {
		resp.Body.Close()
		fmt.Fprintf(nc, "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", resp.Status)
		return
	}
	defer stream.Close()
	fmt.Fprintf(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n", wiretest.AcceptKey(req.Header.Get("Sec-WebSocket-Key")))
	for _, name := range []string{"Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"} {
		if value := resp.Header.Get(name); value != "" {
			fmt.Fprintf(nc, "%s: %s\r\n", name, value)
		}
	}
	io.WriteString(nc, "\r\n")
	go func() {
		if _, err := io.Copy(struct{ io.Writer }{stream}, r); err == nil {
			stream.(interface{ CloseWrite() error }).CloseWrite()
		} else if _, err := r.Peek(1); err != nil && err != io.EOF {
			stream.Close() // reset there, reset here
		} // else the server takes no more, and what it has sent is still read
	}()
	io.Copy(struct{ io.Writer }{nc}, stream)
}
