package websocket

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/closeonce/websocket/internal/handshake"
	"github.com/closeonce/websocket/internal/transport"
)

// This file has the server's answer to a handshake (RFC 6455, section 4.2.2).

// answerTimeout bounds how long a handshake's answer may take to leave.
const answerTimeout = 10 * time.Second

// writeAnswer writes the answer to a connection that was taken over.
func writeAnswer(nc net.Conn, h http.Header, agreed *agreement) error {
	b := transport.Get()
	b.B = appendAnswer(b.B, agreed)
	b.B = append(appendFields(b.B, h), "\r\n"...)
	err := sendAnswer(nc, b)
	transport.Put(b)
	return err
}

// sendAnswer writes the answer. It fits into the socket's buffer, unless the peer has
// filled that with answers to earlier requests that it does not read.
func sendAnswer(nc net.Conn, b *transport.Buffer) error {
	if transport.WriteNow(nc, b) {
		return nil
	}
	nc.SetWriteDeadline(time.Now().Add(answerTimeout))
	if _, err := nc.Write(b.B[b.N:]); err != nil {
		return err
	}
	return nc.SetWriteDeadline(time.Time{})
}

// answerFields are the handshake's own: what the handler set of them is not sent.
var answerFields = map[string]bool{
	"Upgrade": true, "Connection": true, "Sec-Websocket-Accept": true,
	"Sec-Websocket-Protocol": true, "Sec-Websocket-Extensions": true,
	"Content-Length": true, "Transfer-Encoding": true, "Content-Type": true, "Content-Encoding": true, "Trailer": true,
}

// presetSubprotocol returns the subprotocol that the handler chose by setting the header
// field, or "".
func presetSubprotocol(h http.Header) (string, error) {
	var preset string
	for name, values := range h {
		if len(name) != len("Sec-WebSocket-Protocol") || http.CanonicalHeaderKey(name) != "Sec-Websocket-Protocol" {
			continue
		}
		for _, value := range values {
			value = strings.Trim(value, " \t")
			if value == "" {
				continue
			}
			if preset != "" && preset != value {
				return "", fmt.Errorf("websocket: the handler has set two subprotocols, %.64q and %.64q", preset, value)
			}
			preset = value
		}
	}
	if preset != "" && !handshake.IsSubprotocol(preset) {
		return "", fmt.Errorf("websocket: the handler has set Sec-WebSocket-Protocol to %.64q, which can't be the name of a subprotocol", preset)
	}
	return preset, nil
}

// setAnswer sets the answer's fields for net/http to send.
func setAnswer(h http.Header, agreed *agreement) {
	deleteAnswerFields(h)
	for name, values := range h {
		for i, value := range values {
			if strings.ContainsFunc(value, unicode.IsControl) {
				h[name] = slices.Clone(values)
				h[name][i] = string(appendValue(nil, value))
				values = h[name]
			}
		}
	}
	h["Upgrade"] = []string{"websocket"}
	h["Connection"] = []string{"Upgrade"}
	// The names have the RFC's spelling, which http.Header.Set would change.
	h["Sec-WebSocket-Accept"] = []string{string(handshake.AppendAccept(nil, agreed.key))}
	if agreed.subprotocol != "" {
		h["Sec-WebSocket-Protocol"] = []string{agreed.subprotocol}
	}
	if agreed.extension != "" {
		h["Sec-WebSocket-Extensions"] = []string{agreed.extension}
	}
}

func deleteAnswerFields(h http.Header) {
	for name := range h {
		if answerFields[http.CanonicalHeaderKey(name)] {
			delete(h, name)
		}
	}
}

// appendAnswer appends the status line and the handshake's own fields.
func appendAnswer(b []byte, agreed *agreement) []byte {
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = handshake.AppendAccept(b, agreed.key)
	b = append(b, "\r\n"...)
	if s := agreed.subprotocol; s != "" {
		b = append(append(append(b, "Sec-WebSocket-Protocol: "...), s...), "\r\n"...)
	}
	if s := agreed.extension; s != "" {
		b = append(append(append(b, "Sec-WebSocket-Extensions: "...), s...), "\r\n"...)
	}
	return b
}

// appendFields appends the fields that the handler has set, except the handshake's own.
func appendFields(b []byte, h http.Header) []byte {
	for name, values := range h {
		if answerFields[http.CanonicalHeaderKey(name)] || !handshake.IsToken(name) {
			continue
		}
		for _, value := range values {
			b = append(append(b, name...), ": "...)
			b = append(appendValue(b, value), "\r\n"...)
		}
	}
	return b
}

// appendValue appends the value of a field. A line break would end the field, and clients
// refuse an answer with other control characters.
func appendValue(b []byte, value string) []byte {
	for i := range len(value) {
		c := value[i]
		if c < ' ' && c != '\t' || c == 0x7F {
			c = ' '
		}
		b = append(b, c)
	}
	return b
}
