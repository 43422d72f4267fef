package handshake

import (
	"fmt"
	"iter"
	"strings"
)

// An extension is one element of Sec-WebSocket-Extensions.
type extension struct {
	name   string
	params []extensionParam // valid until the next element is read
}

type extensionParam struct {
	name, value string
	hasValue    bool
}

// maxParams is how many parameters an extension may have; permessage-deflate knows four.
const maxParams = 32

// eachExtension reads a Sec-WebSocket-Extensions field (RFC 6455, section 9.1), which
// may stand in several lines. It ends with an error where the field is malformed.
// Nothing is collected: a peer may send as many elements as fit into a header.
func eachExtension(lines []string) iter.Seq2[extension, error] {
	return func(yield func(extension, error) bool) {
		var params []extensionParam
		for _, line := range lines {
			s := extensionScanner{rest: line}
			for {
				e, ok, err := s.extension(params[:0])
				if err != nil {
					yield(extension{}, err)
					return
				}
				if !ok {
					break
				}
				if !yield(e, nil) {
					return
				}
				params = e.params
			}
		}
	}
}

// extensionScanner takes apart one line of the field.
type extensionScanner struct{ rest string }

// extension takes one element, and the comma behind it. It is not ok at the end of the
// line.
func (s *extensionScanner) extension(params []extensionParam) (e extension, ok bool, err error) {
	for s.space(); s.take(','); s.space() {
		// Empty elements are allowed and mean nothing (RFC 9110, section 5.6.1).
	}
	if s.rest == "" {
		return e, false, nil
	}
	if e.name = s.token(); e.name == "" {
		return e, false, s.bad("an extension's name")
	}
	for s.space(); s.take(';'); s.space() {
		s.space()
		if s.rest == "" || s.rest[0] == ',' {
			break // The grammar has no trailing semicolon, but some peers send one.
		}
		if len(params) == maxParams {
			return e, false, s.bad("the end of so many parameters")
		}
		var p extensionParam
		if p.name = s.token(); p.name == "" {
			return e, false, s.bad("a parameter's name")
		}
		s.space()
		if s.take('=') {
			s.space()
			if p.value, p.hasValue = s.value(); !p.hasValue {
				return e, false, s.bad("a parameter's value")
			}
		}
		params = append(params, p)
	}
	if s.rest != "" && !s.take(',') {
		return e, false, s.bad("a comma")
	}
	e.params = params
	return e, true, nil
}

func (s *extensionScanner) bad(want string) error {
	return fmt.Errorf("Sec-WebSocket-Extensions has %.40q where %s is expected", s.rest, want)
}

func (s *extensionScanner) space() { s.rest = strings.TrimLeft(s.rest, " \t") }

func (s *extensionScanner) take(c byte) bool {
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *extensionScanner) token() string {
	n := 0
	for n < len(s.rest) && isTokenByte(s.rest[n]) {
		n++
	}
	t := s.rest[:n]
	s.rest = s.rest[n:]
	return t
}

// value takes a token or a quoted string, "the value after quoted-string
// unescaping MUST conform to the 'token' ABNF" (RFC 6455, section 9.1).
func (s *extensionScanner) value() (string, bool) {
	if !s.take('"') {
		t := s.token()
		return t, t != ""
	}
	// Only a value with an escape in it needs memory of its own.
	quoted, escaped := s.rest, false
	for n := 0; n < len(quoted); n++ {
		switch quoted[n] {
		case '"':
			s.rest = quoted[n+1:]
			if quoted = quoted[:n]; escaped {
				quoted = unescape(quoted)
			}
			return quoted, IsToken(quoted)
		case '\\':
			escaped = true
			n++
		}
	}
	s.rest = ""
	return "", false
}

// unescape takes the backslashes out of a quoted string.
func unescape(quoted string) string {
	var short [32]byte
	b := short[:0]
	if len(quoted) > len(short) {
		b = make([]byte, 0, len(quoted))
	}
	for n := 0; n < len(quoted); n++ {
		if quoted[n] == '\\' {
			n++
		}
		b = append(b, quoted[n])
	}
	return string(b)
}
