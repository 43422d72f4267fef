package http3

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// This file has the header fields of the answer to a handshake. The rules are those of websocket.Accept over HTTP/2.

// answerFields are the handshake's own, and those that would change what the stream's bytes are: what others have set of them is
// not sent with the answer.
var answerFields = []string{
	"Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions",
	"Content-Length", "Content-Type", "Content-Encoding", "Trailer",
}

// connectionFields are those of a connection of HTTP/1.1. With them, a response is malformed (RFC 9114, section 4.2).
var connectionFields = []string{"Connection", "Upgrade", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding"}

// isOneOf reports whether a name, in any spelling, is one of names.
func isOneOf(names []string, name string) bool {
	return slices.ContainsFunc(names, func(one string) bool { return equalFold(one, name) })
}

// equalFold reports whether two strings differ at most in the case of ASCII letters. For [strings.EqualFold] the Kelvin sign is a k.
func equalFold(a, b string) bool {
	isASCII := func(s string) bool { return !strings.ContainsFunc(s, func(c rune) bool { return c > 0x7F }) }
	return a == b || isASCII(a) && isASCII(b) && strings.EqualFold(a, b)
}

// isSubprotocol reports whether s can be the name of a subprotocol. RFC 6455, section 4.1, wants a token, but others are in wide use.
// A comma would make two of one.
func isSubprotocol(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7F || c == ',' })
}

// deleteAnswer deletes the answer's own fields from h.
func deleteAnswer(h http.Header) {
	maps.DeleteFunc(h, func(name string, _ []string) bool { return isOneOf(answerFields, name) })
}

// clean makes a response with the fields of h well-formed: quic-go sends what is there, and clients refuse a response with a field of
// HTTP/1.1's, a malformed name, or a control character in a value.
func clean(h http.Header) {
	maps.DeleteFunc(h, func(name string, _ []string) bool { return isOneOf(connectionFields, name) || !isToken(name) })
	for name, values := range h {
		if slices.ContainsFunc(values, func(value string) bool { return spaced(value) != value }) {
			h[name] = make([]string, len(values)) // they may be somebody else's
			for i, value := range values {
				h[name][i] = spaced(value)
			}
		}
	}
}

// spaced returns a value with spaces for its control characters.
func spaced(value string) string {
	if !strings.ContainsFunc(value, isControl) {
		return value
	}
	b := []byte(value)
	for i, c := range b {
		if isControl(rune(c)) {
			b[i] = ' '
		}
	}
	return string(b)
}

func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7F }

// isToken reports whether s is a token (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || 'z' < c) && (s[i] < '0' || '9' < s[i]) && !strings.Contains("!#$%&'*+-.^_`|~", s[i:i+1]) {
			return false
		}
	}
	return s != ""
}

// presetSubprotocol returns the subprotocol that a handler chose by setting the header field, in any spelling, or "".
func presetSubprotocol(h http.Header) (string, error) {
	preset := ""
	for _, value := range lines(h, "Sec-WebSocket-Protocol") {
		switch value = strings.Trim(value, " \t"); {
		case value == "":
		case preset != "" && preset != value:
			return "", fmt.Errorf("websocket: the handler has set two subprotocols, %.64q and %.64q", preset, value)
		default:
			preset = value
		}
	}
	if !isSubprotocol(preset) {
		return "", fmt.Errorf("websocket: the handler has set Sec-WebSocket-Protocol to %.64q, which can't be the name of a subprotocol", preset)
	}
	return preset, nil
}

// lines returns the values of a field, whose name may be spelled in any way.
func lines(h http.Header, name string) (all []string) {
	for spelled, values := range h {
		if isOneOf([]string{name}, spelled) {
			all = append(all, values...)
		}
	}
	return all
}

// setAnswer makes the answer's own fields in h those of answer.
func setAnswer(h, answer http.Header) {
	deleteAnswer(h)
	clean(h)
	maps.Copy(h, answer)
}

// complete adds the answer's own fields that are missing in h.
func complete(h, answer http.Header) {
	for name, values := range answer {
		if len(lines(h, name)) == 0 {
			h[name] = values
		}
	}
}

// check compares h with the answer, and says which of its fields is wrong.
func check(h, answer http.Header) error {
	for _, name := range []string{"Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Content-Length", "Content-Encoding", "Transfer-Encoding"} {
		got, want := lines(h, name), lines(answer, name)
		switch {
		case slices.Equal(got, want):
		case len(want) == 0:
			return fmt.Errorf("%s: %.64q, which must not be there", name, strings.Join(got, ", "))
		default:
			return fmt.Errorf("%s: %.64q, not %.64q", name, strings.Join(got, ", "), want[0])
		}
	}
	return nil
}

// carry adds to the header fields of a ResponseWriter those of the wrapper around it.
func carry(inner, outer http.Header) {
	for name, values := range outer {
		switch {
		case inner[name] == nil:
			inner[name] = slices.Clone(values)
		case name == "Set-Cookie": // each is for itself
			for _, value := range values {
				if !slices.Contains(inner[name], value) {
					inner[name] = append(inner[name], value)
				}
			}
		}
	}
}
