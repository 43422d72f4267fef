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
		status     int
		err        string
	}{
		{"whole", whole, 101, ""},
		{"with what was there before", whole + "old: bytes\r\n\r\n", 101, ""},
		{"names in another spelling", strings.Replace(whole, "Sec-WebSocket-Accept", "sec-websocket-accept", 1), 101, ""},
		{"nothing", "", 0, ""},
		{"another response", "HTTP/1.1 200 OK\r\nUpgrade: websocket\r\n\r\n", 0, ""},
		{"the end of a long one", "ept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", 101, ""},
		{"another status", strings.Replace(whole, "101 Switching Protocols", "403 Forbidden", 1), 403, ""},
		{"the end of a long one before an older response", "pt: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nHTTP/1.1 403 Forbidden\r\n\r\n", 101, ""},
		{"no hash", strings.Replace(whole, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "", 1), 101, `Sec-WebSocket-Accept: "", not "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="`},
		{"another key's", strings.Replace(whole, "s3p", "S3P", 1), 101, `Sec-WebSocket-Accept: "S3P`},
		{"no Upgrade", strings.Replace(whole, "Upgrade: websocket\r\n", "", 1), 101, "no Upgrade"},
		{"two", strings.Replace(whole, "Connection", "upgrade: websocket\r\nConnection", 1), 101, `Upgrade: "websocket, websocket"`},
		{"a length", strings.Replace(whole, "X-Room", "content-LENGTH", 1), 101, `Content-Length: "blue", which must not be there`},
		{"an extension", strings.Replace(whole, "X-Room", "Sec-WebSocket-Extensions", 1), 101, `Sec-WebSocket-Extensions: "blue", which must not be there`},
	} {
		status, err := a.CheckText([]byte(tt.text))
		if status != tt.status || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %d, %v; want %d, %q", tt.name, status, err, tt.status, tt.err)
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
