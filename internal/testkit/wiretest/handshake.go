package wiretest

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// SampleKey is the Sec-WebSocket-Key that ClientHandshake sends, the sample of RFC 6455, section 1.3.
const SampleKey = "dGhlIHNhbXBsZSBub25jZQ=="

// AcceptKey returns the Sec-WebSocket-Accept for a Sec-WebSocket-Key: RFC 6455, section 4.2.2.
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// ClientHandshake sends a client's opening handshake for path and returns the response. Fields of header are added to
// the request, or replace those that the request has; a field without values is left out. If the status is 101,
// ClientHandshake asserts that the response completes the handshake. Otherwise resp.Body has Content-Length bytes.
func (p *Peer) ClientHandshake(path string, header http.Header) *http.Response {
	p.t.Helper()
	fields := http.Header{
		"Host":                  {"example.com"},
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key":     {SampleKey},
	}
	p.sendHead("GET "+path+" HTTP/1.1", fields, header)
	resp := p.ReadResponse()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return resp
	}
	const why = "a response of 101 completes the handshake"
	wantHeader(p, why, resp.Header, "Upgrade", "websocket")
	wantHeader(p, why, resp.Header, "Connection", "upgrade")
	if want, got := AcceptKey(fields.Get("Sec-Websocket-Key")), resp.Header.Get("Sec-Websocket-Accept"); got != want {
		p.fail(why, "Sec-WebSocket-Accept: "+want, fmt.Sprintf("%q", got))
	}
	return resp
}

// ServeHandshake reads a client's opening handshake, asserts that it is valid, and accepts it. Fields of header are
// added to the response, or replace those that the response has; a field without values is left out.
func (p *Peer) ServeHandshake(header http.Header) *http.Request {
	p.t.Helper()
	req := p.ReadRequest()
	const why = "a client's handshake is that of RFC 6455, section 4.1"
	if req.Method != "GET" || req.ProtoMajor != 1 || req.ProtoMinor != 1 {
		p.fail(why, "GET, HTTP/1.1", req.Method+", "+req.Proto)
	}
	wantHeader(p, why, req.Header, "Upgrade", "websocket")
	wantHeader(p, why, req.Header, "Connection", "upgrade")
	wantHeader(p, why, req.Header, "Sec-Websocket-Version", "13")
	key := req.Header.Get("Sec-Websocket-Key")
	if nonce, err := base64.StdEncoding.DecodeString(key); err != nil || len(nonce) != 16 {
		p.fail(why, "Sec-WebSocket-Key: 16 bytes in base64", fmt.Sprintf("%q", key))
	}
	p.sendHead("HTTP/1.1 101 Switching Protocols", http.Header{
		"Connection":           {"Upgrade"},
		"Upgrade":              {"websocket"},
		"Sec-Websocket-Accept": {AcceptKey(key)},
	}, header)
	return req
}

// ReadRequest reads the head of a request. It does not answer it.
func (p *Peer) ReadRequest() *http.Request {
	p.t.Helper()
	head := p.readHead("a request")
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		p.fail("the library sends a request", "well-formed HTTP", fmt.Sprintf("%v in %q", err, head))
	}
	return req
}

// ReadResponse reads the head of a response and as many bytes of body as its Content-Length says.
func (p *Peer) ReadResponse() *http.Response {
	p.t.Helper()
	head := p.readHead("a response")
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), nil)
	if err != nil {
		p.fail("the library sends a response", "well-formed HTTP", fmt.Sprintf("%v in %q", err, head))
	}
	length := 0
	if resp.StatusCode != http.StatusSwitchingProtocols && resp.ContentLength > 0 {
		length = int(min(resp.ContentLength, maxPayload))
	}
	deadline := time.Now().Add(p.Timeout)
	for len(p.received) < length {
		if err := p.fill(deadline); err != nil {
			p.fail("a response has its body", fmt.Sprintf("%d bytes", length), fmt.Sprintf("%d, %v", len(p.received), err))
		}
	}
	resp.Body = io.NopCloser(bytes.NewReader(slices.Clone(p.received[:length])))
	p.received = p.received[length:]
	return resp
}

// readHead takes everything up to the first empty line off the stream.
func (p *Peer) readHead(what string) []byte {
	p.t.Helper()
	const blank = "\r\n\r\n"
	deadline := time.Now().Add(p.Timeout)
	for {
		if head, rest, found := bytes.Cut(p.received, []byte(blank)); found {
			head = append(slices.Clone(head), blank...)
			p.received = rest
			return head
		}
		if err := p.fill(deadline); err != nil {
			p.fail("the library does its handshake", "the head of "+what, fmt.Sprintf("%s, then %v", quote(p.received), err))
		}
	}
}

// sendHead sends a start line and fields. It first copies the fields of header into fields.
func (p *Peer) sendHead(start string, fields, header http.Header) {
	p.t.Helper()
	for name, values := range header {
		fields[http.CanonicalHeaderKey(name)] = values
	}
	var b strings.Builder
	b.WriteString(start + "\r\n")
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		for _, value := range fields[name] {
			b.WriteString(name + ": " + value + "\r\n")
		}
	}
	b.WriteString("\r\n")
	p.SendRaw([]byte(b.String()))
}

// wantHeader asserts that the list of tokens in a field has the token.
func wantHeader(p *Peer, why string, header http.Header, name, token string) {
	p.t.Helper()
	list := strings.Join(header.Values(name), ",")
	for item := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(item), token) {
			return
		}
	}
	p.fail(why, name+": "+token, fmt.Sprintf("%q", list))
}
