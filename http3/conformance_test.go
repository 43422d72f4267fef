package http3_test

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/proof/conformance/ours"
	"github.com/closeonce/websocket/internal/proof/conformance/suite"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// TestConformance: the suite's cases pass over HTTP/3, behind a gateway that carries the bytes of HTTP/1.1's WebSockets there.
func TestConformance(t *testing.T) {
	for _, mode := range ours.Modes {
		if mode.Streams || mode.Name != "plain" && (mode.Name != "takeover" || testing.Short()) {
			continue
		}
		t.Run(mode.Name, func(t *testing.T) {
			t.Parallel()
			opts := &websocket.AcceptOptions{
				CompressionMode: mode.Compression, CompressionThreshold: 1, ReadLimit: ours.ReadLimit, CloseTimeout: time.Minute,
			}
			s := serve(t, &quic.Config{MaxIncomingStreams: 1000}, accept(opts, func(c *websocket.Conn) { mode.Echo(c.Context(), c) }))
			r, err := suite.RunServer(t.Context(), gateway(t, s)+"/", suite.Options{Timeout: 30 * time.Second, FailFast: 20 * time.Second, Light: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Log(r.InShort())
			for _, fault := range r.Faults() {
				t.Error(fault)
			}
		})
	}
}

// gateway returns the URL of a server that opens a stream to s for each WebSocket over HTTP/1.1, and carries bytes.
func gateway(t *testing.T, s *site) string {
	q, err := quic.DialAddr(bg, s.addr.String(), clientTLS(), &quic.Config{KeepAlivePeriod: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	conn := (&http3.Transport{DisableCompression: true}).NewClientConn(q)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { forward(conn, s, w, r) })}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(ln)
	}()
	t.Cleanup(func() {
		server.Close()
		<-served
		q.CloseWithError(0, "")
	})
	return "ws://" + ln.Addr().String()
}

func forward(conn *http3.ClientConn, s *site, w http.ResponseWriter, r *http.Request) {
	// What belongs to HTTP/1.1 alone is the gateway's to check.
	if answer, err := websocket.Negotiate(r, &websocket.AcceptOptions{InsecureSkipVerify: true}); err != nil {
		maps.Copy(w.Header(), answer.Header)
		http.Error(w, err.Error(), answer.Status)
		return
	}
	str, err := conn.OpenRequestStream(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	key := r.Header.Get("Sec-Websocket-Key")
	h := r.Header.Clone()
	for _, name := range []string{"Connection", "Upgrade", "Sec-Websocket-Key"} {
		delete(h, name)
	}
	req := &http.Request{Method: http.MethodConnect, Proto: "websocket", URL: r.URL, Host: r.Host, Header: h}
	req.URL.Scheme, req.URL.Host = "https", s.addr.String()
	if err := str.SendRequestHeader(req); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	resp, err := str.ReadResponse()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	if resp.StatusCode != http.StatusOK {
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
		return
	}
	nc, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	tcp := nc.(*net.TCPConn)
	var answer strings.Builder
	fmt.Fprintf(&answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n", websocket.AcceptKey(key))
	for name, values := range resp.Header {
		if strings.HasPrefix(name, "Sec-Websocket-") {
			fmt.Fprintf(&answer, "%s: %s\r\n", name, strings.Join(values, ", "))
		}
	}
	io.WriteString(tcp, answer.String()+"\r\n")
	go func() { // to the server
		if _, err := io.Copy(str, buffered); err == nil {
			str.Close()
		} else {
			str.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
		}
	}()
	if _, err := io.Copy(tcp, str); err != nil {
		tcp.SetLinger(0) // a reset, too
	}
	tcp.Close()
	str.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
}
