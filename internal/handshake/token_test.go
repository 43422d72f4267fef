package handshake

import (
	"slices"
	"testing"
)

func TestAcceptKey(t *testing.T) {
	// The sample of RFC 6455, section 1.3.
	if got := string(AppendAccept(nil, "dGhlIHNhbXBsZSBub25jZQ==")); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Error(got)
	}
}

func TestTokens(t *testing.T) {
	for _, tt := range []struct {
		lines []string
		want  []string
	}{
		{nil, nil},
		{[]string{""}, nil},
		{[]string{"chat"}, []string{"chat"}},
		{[]string{"chat, superchat"}, []string{"chat", "superchat"}},
		{[]string{"a,b", "c"}, []string{"a", "b", "c"}},
		{[]string{" \ta\t ,, b ,"}, []string{"a", "b"}},
		{[]string{"Chat"}, []string{"Chat"}},
	} {
		if got := Tokens(tt.lines); !slices.Equal(got, tt.want) {
			t.Errorf("%q has %q, want %q", tt.lines, got, tt.want)
		}
		for _, token := range tt.want {
			if !HasToken(tt.lines, token) {
				t.Errorf("%q has no %q", tt.lines, token)
			}
		}
	}
}

func TestHasToken(t *testing.T) {
	for _, tt := range []struct {
		lines []string
		want  bool
	}{
		{[]string{"Upgrade"}, true},
		{[]string{"upgrade"}, true},
		{[]string{"UPGRADE"}, true},
		{[]string{"keep-alive, Upgrade"}, true},
		{[]string{"keep-alive", "\tUpgrade "}, true},
		{nil, false},
		{[]string{""}, false},
		{[]string{"Upgraded"}, false},
		{[]string{"no upgrade"}, false},
		{[]string{"upgrade;q=1"}, false},
	} {
		if got := HasToken(tt.lines, "upgrade"); got != tt.want {
			t.Errorf("%q: %t", tt.lines, got)
		}
	}
}

// TestEqualFold: only ASCII letters are the same in both cases. In Unicode the Kelvin sign is a k, and the long s an s.
func TestEqualFold(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"websocket", "WebSocket", true},
		{"azAZ@[`{", "AZaz@[`{", true},
		{"websoc\u212aet", "websocket", false},
		{"web\u017focket", "websocket", false},
		{"\u212ak", "k\u212a", false}, // as long as each other
		{"@", "`", false},
		{"[", "{", false},
		{"\u00c4", "\u00e4", false},
		{"\xff", "\xfe", false},
		{"a", "ab", false},
	} {
		if EqualFold(tt.a, tt.b) != tt.want || EqualFold(tt.b, tt.a) != tt.want || (toLower(tt.a) == toLower(tt.b)) != tt.want {
			t.Errorf("%q and %q: want %t", tt.a, tt.b, tt.want)
		}
		if HasToken([]string{tt.a}, tt.b) != tt.want {
			t.Errorf("%q has %q: want %t", tt.a, tt.b, tt.want)
		}
	}
}

func TestIsToken(t *testing.T) {
	// RFC 9110, section 5.6.2: tchar, from the ABNF.
	const tchar = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	legal := 0
	for c := range 256 {
		want := slices.Contains([]byte(tchar), byte(c))
		for _, s := range []string{string([]byte{byte(c)}), string([]byte{'a', byte(c)})} {
			if IsToken(s) != want {
				t.Errorf("%q is a token: %t", s, !want)
			}
		}
		if want {
			legal++
		}
	}
	if legal != 77 || IsToken("") || !IsToken("v12.stomp") {
		t.Error("the list of characters", legal)
	}
}

func TestIsSubprotocol(t *testing.T) {
	for c := range 256 {
		want := c > ' ' && c < 0x7F && c != ','
		for _, s := range []string{string([]byte{byte(c)}), string([]byte{'a', byte(c), 'b'})} {
			if IsSubprotocol(s) != want {
				t.Errorf("%q is the name of a subprotocol: %t", s, !want)
			}
		}
	}
	for s, want := range map[string]bool{"": false, "base64.YWJj/+0=": true, "http://example.com/chat": true, "a b": false, "a,b": false, "a\r\nb": false} {
		if IsSubprotocol(s) != want {
			t.Errorf("%q is the name of a subprotocol: %t", s, !want)
		}
	}
}

func TestKey(t *testing.T) {
	// The sample of RFC 6455, section 4.1: "0x01 0x02 ... 0x10".
	if got := Key([16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}); got != "AQIDBAUGBwgJCgsMDQ4PEA==" || !IsKey(got) {
		t.Error(got)
	}
}
