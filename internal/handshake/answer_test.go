package handshake

import (
	"strings"
	"testing"
)

// TestAnswerText: the text of an answer is found where it was written, and what is wrong in it is named.
func TestAnswerText(t *testing.T) {
	a := Answer{Key: "dGhlIHNhbXBsZSBub25jZQ==", Subprotocol: "chat"}
	whole := string(a.Append(nil)) + "X-Room: blue\r\n\r\n"
	for _, tt := range []struct {
		name, text string
		sent       bool
		err        string
	}{
		{"whole", whole, true, ""},
		{"with what was there before", whole + "old: bytes\r\n\r\n", true, ""},
		{"names in another spelling", strings.Replace(whole, "Sec-WebSocket-Accept", "sec-websocket-accept", 1), true, ""},
		{"nothing", "", false, ""},
		{"another response", "HTTP/1.1 200 OK\r\nUpgrade: websocket\r\n\r\n", false, ""},
		{"the end of a long one", "ept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", true, ""},
		{"no hash", strings.Replace(whole, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "", 1), true, `Sec-WebSocket-Accept: "", not "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="`},
		{"another key's", strings.Replace(whole, "s3p", "S3P", 1), true, `Sec-WebSocket-Accept: "S3P`},
		{"no Upgrade", strings.Replace(whole, "Upgrade: websocket\r\n", "", 1), true, "no Upgrade"},
		{"two", strings.Replace(whole, "Connection", "upgrade: websocket\r\nConnection", 1), true, `Upgrade: "websocket, websocket"`},
		{"a length", strings.Replace(whole, "X-Room", "content-LENGTH", 1), true, `Content-Length: "blue", which must not be there`},
		{"an extension", strings.Replace(whole, "X-Room", "Sec-WebSocket-Extensions", 1), true, `Sec-WebSocket-Extensions: "blue", which must not be there`},
	} {
		sent, err := a.CheckText([]byte(tt.text))
		if sent != tt.sent || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %t, %v; want %t, %q", tt.name, sent, err, tt.sent, tt.err)
		}
	}
}

// TestAnswerSet: what Set has set passes Check, whatever was there before, and no value has a control character.
func TestAnswerSet(t *testing.T) {
	a := Answer{Key: "dGhlIHNhbXBsZSBub25jZQ==", Extension: "permessage-deflate"}
	h := map[string][]string{
		"CONNECTION": {"close"}, "connection": {"close"}, "Sec-Websocket-Protocol": {"x"}, "content-length": {"1"}, "Transfer-Encoding": {"chunked"},
		"X-Evil": {"ok", "a\r\nb\x7f"},
	}
	shared := h["X-Evil"]
	a.Set(h)
	if err := a.Check(h); err != nil {
		t.Error(err)
	}
	if len(h) != 5 || h["X-Evil"][1] != "a  b " || shared[1] != "a\r\nb\x7f" {
		t.Errorf("%q", h)
	}
	if got := string(AppendFields(nil, h)); got != "X-Evil: ok\r\nX-Evil: a  b \r\n" {
		t.Errorf("%q", got)
	}
}
