package h2test

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// Bridge accepts WebSockets over HTTP/1.1 and opens each over HTTP/2 at url, as haproxy does, until ln is closed. So peers that
// know nothing of HTTP/2 can talk to a server over it.
func Bridge(ln net.Listener, transport *http.Transport, url string) {
	for {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		go bridge(nc, transport, url)
	}
}

func bridge(nc net.Conn, transport *http.Transport, url string) {
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
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if _, err := io.Copy(struct{ io.Writer }{stream}, r); err == nil {
			stream.(interface{ CloseWrite() error }).CloseWrite()
		} else if _, err := r.Peek(1); err != nil && err != io.EOF {
			stream.Close() // reset there, reset here
		} else { // the server takes no more, and what it has sent is still read
			io.Copy(io.Discard, r)
		}
	}()
	io.Copy(struct{ io.Writer }{nc}, stream)
	// TCP that is closed with bytes unread resets, and takes from the peer what it has not read yet.
	nc.(*net.TCPConn).CloseWrite()
	nc.SetReadDeadline(time.Now().Add(lingerTime))
	<-sent
}

// lingerTime is how long a peer may take to end after the other end has.
const lingerTime = 10 * time.Second

// Reverse is Bridge the other way: a handler that accepts WebSockets over HTTP/2 and opens each over HTTP/1.1 at address.
func Reverse(address string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nc, err := net.Dial("tcp", address)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer nc.Close()
		var nonce [16]byte
		rand.Read(nonce[:])
		fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n",
			r.URL.RequestURI(), r.Host, base64.StdEncoding.EncodeToString(nonce[:]))
		for _, name := range []string{"Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"} {
			if value := r.Header.Get(name); value != "" {
				fmt.Fprintf(nc, "%s: %s\r\n", name, value)
			}
		}
		io.WriteString(nc, "\r\n")
		br := bufio.NewReader(nc)
		resp, err := http.ReadResponse(br, nil)
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		for _, name := range []string{"Sec-Websocket-Protocol", "Sec-Websocket-Extensions"} {
			for _, value := range resp.Header[name] {
				w.Header().Add(name, value)
			}
		}
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		forwarded := make(chan struct{})
		go func() {
			defer close(forwarded)
			if _, err := io.Copy(struct{ io.Writer }{nc}, r.Body); err == nil {
				nc.(*net.TCPConn).CloseWrite()
			} else if _, err := r.Body.Read(make([]byte, 1)); err != nil && err != io.EOF {
				nc.Close() // reset there, reset here
			}
		}()
		buf := make([]byte, 32<<10)
		for {
			n, err := br.Read(buf)
			w.Write(buf[:n])
			if err := http.NewResponseController(w).Flush(); err != nil {
				return
			}
			if err == io.EOF {
				// When the handler returns, net/http takes no more of the request. An answer to what came last may be under way.
				select {
				case <-forwarded:
				case <-time.After(300 * time.Millisecond):
				}
				return
			}
			if err != nil {
				panic(http.ErrAbortHandler)
			}
		}
	})
}
