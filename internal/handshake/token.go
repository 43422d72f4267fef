package handshake

import (
	"iter"
	"slices"
	"strings"
)

// MaxField is how many bytes of a header field's lines are looked at. What is behind
// does not count: net/http lets through a header of a megabyte, and a request must not
// cost much more than reading it.
const MaxField = 64 << 10

// tooLong reports whether the lines of a field have more than MaxField bytes.
func tooLong(lines []string) bool {
	n := 0
	for _, line := range lines {
		n += len(line) + 1
	}
	return n > MaxField
}

// EachToken yields the comma-separated elements of all lines of a header field,
// without empty ones, as far as they are within the first [MaxField] bytes. They are not
// collected.
func EachToken(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		left := MaxField
		for _, line := range lines {
			for element := range strings.SplitSeq(line, ",") {
				if left -= len(element) + 1; left < 0 {
					return
				}
				if element = strings.Trim(element, " \t"); element != "" && !yield(element) {
					return
				}
			}
		}
	}
}

// Tokens returns the elements that [EachToken] yields.
func Tokens(lines []string) []string { return slices.Collect(EachToken(lines)) }

// HasToken reports whether one of the elements that [EachToken] yields is the token, in
// any case.
func HasToken(lines []string, token string) bool {
	for element := range EachToken(lines) {
		if EqualFold(element, token) {
			return true
		}
	}
	return false
}

// EqualFold reports whether two strings differ at most in the case of ASCII letters. [strings.EqualFold] has also the
// Kelvin sign equal k, which is another character in the name of a host, and none in a token.
func EqualFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// toLower returns s with its ASCII letters in lower case.
func toLower(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return 'A' <= r && r <= 'Z' }) {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		b[i] = lower(c)
	}
	return string(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// IsToken reports whether s is a token of RFC 9110, section 5.6.2.
func IsToken(s string) bool {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

// IsSubprotocol reports whether s can be the name of a subprotocol. RFC 6455, section
// 4.1, wants a token; but names that carry base64, with "=" and "/", are in wide use, so
// all is allowed that can't be taken for two names or end the header field.
func IsSubprotocol(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7F || s[i] == ',' {
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
