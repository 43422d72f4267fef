package websocket

import (
	"crypto/sha1"
	"encoding/base64"
	"iter"
	"net/http"
	"slices"
	"strings"
)

// This file has the pure parts that both handshakes share (RFC 6455, section 4).

// keyGUID is appended to the key before hashing (section 1.3).
const keyGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// appendAcceptKey appends the Sec-WebSocket-Accept for a Sec-WebSocket-Key.
func appendAcceptKey(b []byte, key string) []byte {
	var challenge [64]byte
	sum := sha1.Sum(append(append(challenge[:0], key...), keyGUID...))
	return base64.StdEncoding.AppendEncode(b, sum[:])
}

// isKey reports whether s is a Sec-WebSocket-Key: 16 bytes in base64.
func isKey(s string) bool {
	if len(s) != 24 {
		return false
	}
	var key [18]byte
	n, err := base64.StdEncoding.Decode(key[:], []byte(s))
	return err == nil && n == 16
}

// eachToken yields the comma-separated elements of all lines of a header field. They
// are not collected: a header may have half a million.
func eachToken(h http.Header, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range h[name] {
			for element := range strings.SplitSeq(line, ",") {
				if element = strings.Trim(element, " \t"); element != "" && !yield(element) {
					return
				}
			}
		}
	}
}

// tokens collects them.
func tokens(h http.Header, name string) []string { return slices.Collect(eachToken(h, name)) }

// hasToken reports whether one of the field's elements is the token, in any case.
func hasToken(h http.Header, name, token string) bool {
	for _, line := range h[name] {
		for element := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(element, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// isToken reports whether s is a token of RFC 9110, section 5.6.2, as a
// subprotocol's name must be.
func isToken(s string) bool {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isTokenByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
