package handshake

import (
	"fmt"
	"strings"
)

// An extension is one element of Sec-WebSocket-Extensions.
type extension struct {
	name   string
	params []extensionParam
}

type extensionParam struct {
	name, value string
	hasValue    bool
}

// parseExtensions reads a Sec-WebSocket-Extensions field (RFC 6455, section
// 9.1), which may stand in several lines.
func parseExtensions(lines []string) ([]extension, error) {
	var all []extension
	for _, line := range lines {
		s := extensionScanner{rest: line}
		for {
			s.space()
			if s.rest == "" {
				break
			}
			if s.take(',') {
				continue // empty elements count for nothing
			}
			var e extension
			if e.name = s.token(); e.name == "" {
				return nil, s.bad("an extension's name")
			}
			for s.space(); s.take(';'); s.space() {
				s.space()
				var p extensionParam
				if p.name = s.token(); p.name == "" {
					return nil, s.bad("a parameter's name")
				}
				s.space()
				if s.take('=') {
					s.space()
					if p.value, p.hasValue = s.value(); !p.hasValue {
						return nil, s.bad("a parameter's value")
					}
				}
				e.params = append(e.params, p)
			}
			if s.rest != "" && !s.take(',') {
				return nil, s.bad("a comma")
			}
			all = append(all, e)
		}
	}
	return all, nil
}

// extensionScanner takes apart one line of the field.
type extensionScanner struct{ rest string }

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
	var b []byte
	for s.rest != "" {
		c := s.rest[0]
		s.rest = s.rest[1:]
		if c == '"' {
			return string(b), IsToken(string(b))
		}
		if c == '\\' {
			if s.rest == "" {
				break
			}
			c = s.rest[0]
			s.rest = s.rest[1:]
		}
		b = append(b, c)
	}
	return "", false
}
