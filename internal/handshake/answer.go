package handshake

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// An Answer is what the server answers to a handshake that it accepts (RFC 6455, section
// 4.2.2).
type Answer struct {
	Key                    string // the client's Sec-WebSocket-Key
	Subprotocol, Extension string // what was agreed on, or ""
}

// answerFields are the handshake's own: what others have set of them is not sent.
var answerFields = []string{
	"Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions",
	"Content-Length", "Transfer-Encoding", "Content-Type", "Content-Encoding", "Trailer",
}

// isAnswerField reports whether a name, in any spelling, is of a field of the handshake's
// own.
func isAnswerField(name string) bool {
	return slices.ContainsFunc(answerFields, func(own string) bool { return EqualFold(own, name) })
}

// Append appends the status line and the handshake's own fields.
func (a *Answer) Append(b []byte) []byte {
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = AppendAccept(b, a.Key)
	b = append(b, "\r\n"...)
	if s := a.Subprotocol; s != "" {
		b = append(append(append(b, "Sec-WebSocket-Protocol: "...), s...), "\r\n"...)
	}
	if s := a.Extension; s != "" {
		b = append(append(append(b, "Sec-WebSocket-Extensions: "...), s...), "\r\n"...)
	}
	return b
}

// AppendFields appends the fields of h, except the handshake's own and those whose name
// is not a token.
func AppendFields(b []byte, h map[string][]string) []byte {
	for name, values := range h {
		if isAnswerField(name) || !IsToken(name) {
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

// Set makes the handshake's own fields in h what the answer says, for net/http to send, and
// replaces control characters in the others.
func (a *Answer) Set(h map[string][]string) {
	DeleteAnswer(h)
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
	h["Sec-WebSocket-Accept"] = []string{string(AppendAccept(nil, a.Key))}
	if a.Subprotocol != "" {
		h["Sec-WebSocket-Protocol"] = []string{a.Subprotocol}
	}
	if a.Extension != "" {
		h["Sec-WebSocket-Extensions"] = []string{a.Extension}
	}
}

// SetStream is Set for HTTP/2 (RFC 8441, section 5), where the status is 200 and nothing depends on a key.
func (a *Answer) SetStream(h map[string][]string) {
	a.Set(h)
	for _, name := range []string{"Upgrade", "Connection", "Sec-WebSocket-Accept"} {
		delete(h, name)
	}
}

// Check compares header fields that are sent with the answer, and says which of the
// handshake's own is wrong.
func (a *Answer) Check(h map[string][]string) error {
	return check(h,
		field{"Upgrade", "websocket"}, field{"Connection", "Upgrade"}, field{"Sec-WebSocket-Accept", string(AppendAccept(nil, a.Key))},
		field{"Sec-WebSocket-Protocol", a.Subprotocol}, field{"Sec-WebSocket-Extensions", a.Extension},
		field{"Content-Length", ""}, field{"Transfer-Encoding", ""}) // RFC 9110, section 8.6, and RFC 9112, section 6.1
}

// CheckStream is Check for HTTP/2, where frames are the body of the response.
func (a *Answer) CheckStream(h map[string][]string) error {
	return check(h,
		field{"Sec-WebSocket-Protocol", a.Subprotocol}, field{"Sec-WebSocket-Extensions", a.Extension},
		field{"Content-Length", ""}, field{"Content-Encoding", ""})
}

// A field is what the value of a header field must be; empty: there must be none.
type field struct{ name, want string }

func check(h map[string][]string, fields ...field) error {
	for _, own := range fields {
		var lines []string
		for name, values := range h {
			if EqualFold(name, own.name) {
				lines = append(lines, values...)
			}
		}
		switch got := joined(lines); {
		case own.want == "" && len(lines) > 0:
			return fmt.Errorf("%s: %.64q, which must not be there", own.name, got)
		case own.want != "" && len(lines) == 0:
			return fmt.Errorf("no %s", own.name)
		case len(lines) > 1 || len(lines) == 1 && lines[0] != own.want:
			return fmt.Errorf("%s: %.64q, not %.64q", own.name, got, own.want)
		}
	}
	return nil
}

// CheckText looks for the answer in what was written last. It returns the status with which
// it is there, or 0, and which of the handshake's own fields is wrong if the status is 101.
func (a *Answer) CheckText(text []byte) (status int, err error) {
	head, _, whole := bytes.Cut(text, []byte("\r\n\r\n"))
	lines := strings.Split(string(head), "\r\n")
	status = statusOf(lines[0])
	if !whole || status != 101 {
		hash := AppendAccept(nil, a.Key)
		switch {
		case !bytes.Contains(text, hash):
			return 0, nil
		case status == 0 || !bytes.Contains(head, hash):
			status = 101 // a long answer has lost its start
		}
		return status, nil
	}
	h := map[string][]string{}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		h[name] = append(h[name], strings.TrimSpace(value))
	}
	return 101, a.Check(h)
}

// statusOf returns the status in a status line, or 0.
func statusOf(line string) int {
	if rest, ok := strings.CutPrefix(line, "HTTP/1.1 "); ok {
		code, _, _ := strings.Cut(rest, " ")
		status, _ := strconv.Atoi(code)
		return status
	}
	return 0
}

// DeleteAnswer deletes the handshake's own fields from h.
func DeleteAnswer(h map[string][]string) {
	for name := range h {
		if isAnswerField(name) {
			delete(h, name)
		}
	}
}

// PresetSubprotocol returns the subprotocol that a handler chose by setting the header
// field, or "".
func PresetSubprotocol(h map[string][]string) (string, error) {
	var preset string
	for name, values := range h {
		if !EqualFold(name, "Sec-WebSocket-Protocol") {
			continue
		}
		for _, value := range values {
			value = strings.Trim(value, " \t")
			if value == "" {
				continue
			}
			if preset != "" && preset != value {
				return "", fmt.Errorf("the handler has set two subprotocols, %.64q and %.64q", preset, value)
			}
			preset = value
		}
	}
	if preset != "" && !IsSubprotocol(preset) {
		return "", fmt.Errorf("the handler has set Sec-WebSocket-Protocol to %.64q, which can't be the name of a subprotocol", preset)
	}
	return preset, nil
}
