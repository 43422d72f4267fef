// Package h2test has the other end of an HTTP/2 connection for tests: a client that opens WebSockets by extended CONNECT, and
// a reader of SETTINGS.
package h2test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/closeonce/websocket/internal/connect"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// EnableConnect is the setting that allows extended CONNECT (RFC 8441, section 3).
const EnableConnect = 0x8

// Settings returns what the server sends in its first SETTINGS frame. secured is nil for HTTP/2 without TLS.
func Settings(address string, secured *tls.Config) (map[uint16]uint32, error) {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	if secured != nil {
		secured = secured.Clone()
		secured.NextProtos = []string{"h2"}
		nc = tls.Client(nc, secured)
	}
	// The preface, and an empty SETTINGS frame (RFC 9113, section 3.4).
	if _, err := nc.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 0, 0, 0, 4, 0, 0, 0, 0, 0)); err != nil {
		return nil, err
	}
	var header [9]byte
	if _, err := io.ReadFull(nc, header[:]); err != nil {
		return nil, err
	}
	if header[3] != 4 {
		return nil, fmt.Errorf("the first frame has the type %d, not SETTINGS", header[3])
	}
	payload := make([]byte, binary.BigEndian.Uint32(header[:])>>8)
	if _, err := io.ReadFull(nc, payload); err != nil {
		return nil, err
	}
	settings := map[uint16]uint32{}
	for r := bytes.NewReader(payload); r.Len() >= 6; {
		var s struct {
			Name  uint16
			Value uint32
		}
		binary.Read(r, binary.BigEndian, &s)
		settings[s.Name] = s.Value
	}
	return settings, nil
}

// Start starts a server for HTTP/2, over TLS or without it. It is for the caller to close.
func Start(h http.Handler, secured bool, configure func(*http.Server)) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	if configure != nil {
		configure(s.Config)
	}
	if secured {
		s.EnableHTTP2 = true
		s.StartTLS()
		return s
	}
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	return s
}

// Transport returns a Transport that speaks nothing but HTTP/2 with the server.
func Transport(s *httptest.Server) *http.Transport {
	t := &http.Transport{Protocols: new(http.Protocols)}
	if s.TLS != nil {
		t.TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		t.Protocols.SetHTTP2(true)
	} else {
		t.Protocols.SetUnencryptedHTTP2(true)
	}
	return t
}

// Open sends the request of a handshake. The stream is nil if the status is not 200.
func Open(t *http.Transport, url string, header http.Header) (*http.Response, net.Conn, error) {
	req, err := http.NewRequestWithContext(context.Background(), "GET", url, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Sec-WebSocket-Version", "13")
	for name, values := range header {
		req.Header[name] = values
	}
	rt := &connect.RoundTripper{Transport: t}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	if nc := rt.Conn(resp); nc != nil {
		return resp, nc, nil
	}
	return resp, nil, nil
}

// OpenPeer is Open for a handshake that succeeds.
func OpenPeer(t wiretest.TB, transport *http.Transport, url string, header http.Header) (*wiretest.Peer, *http.Response) {
	t.Helper()
	resp, nc, err := Open(transport, url, header)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if nc == nil {
		t.Fatalf("the handshake is answered by %s", resp.Status)
	}
	return wiretest.NewPeer(t, nc, wiretest.Client), resp
}
