package handshake

import (
	"path"
	"strings"
	"testing"
)

func TestSameHost(t *testing.T) {
	for _, tt := range []struct {
		scheme, origin, host string
		want                 bool
	}{
		{"http", "example.com", "example.com", true},
		{"https", "EXAMPLE.com", "example.COM", true},
		{"https", "example.com", "example.com:443", true},
		{"https", "example.com:443", "example.com", true},
		{"http", "example.com", "example.com:80", true},
		{"http", "example.com:80", "example.com", true},
		{"http", "example.com:8080", "example.com:8080", true},
		{"http", "[::1]", "[::1]:80", true},
		{"https", "[::1]:443", "[::1]", true},
		{"http", "[::1]:3000", "[::1]:3000", true},
		{"tauri", "localhost", "localhost", true},

		{"http", "example.com", "example.com:443", false},
		{"https", "example.com", "example.com:80", false},
		{"https", "example.com:80", "example.com", false},
		{"http", "example.com:443", "example.com", false},
		{"http", "example.com:8080", "example.com", false},
		{"http", "example.com", "example.com:8080", false},
		{"http", "example.com", "", false},
		{"", "", "", false},
		{"file", "", "", false},
		{"https", "", ":443", false},
		{"https", ":443", "", false},
		{"http", "[::1]", "[::1]:443", false},
		{"http", "[::80]", "[::", false},
		{"http", "::80", "::80:80", false},
		{"tauri", "localhost", "localhost:80", false},
		{"http", "\u212aelvin.example", "kelvin.example", false}, // the Kelvin sign
		{"http", "kelvin.example", "\u212aelvin.example", false},
	} {
		if got := NewOrigin(tt.scheme, tt.origin).SameHost(tt.host); got != tt.want {
			t.Errorf("%s://%s and Host: %s are the same: %t", tt.scheme, tt.origin, tt.host, got)
		}
	}
}

func TestOriginMatches(t *testing.T) {
	for _, tt := range []struct {
		scheme, origin, pattern string
		want                    bool
	}{
		{"http", "[::1]:3000", "[::1]:3000", true},
		{"http", "[::1]:3000", "http://[::1]:3000", true},
		{"http", "[::1]:3000", "[::1]:*", true},
		{"https", "[2001:DB8::1]", "https://[2001:db8::1]", true},
		{"http", "[::1]:3000", "[::2]:3000", false},
		{"http", "::3000", "[::1]:3000", false}, // [::1] is not a class of characters
		{"http", "a.example", "[a-c].example", true},
		{"http", "d.example", "[a-c].example", false},

		{"https", "a.example", "a.example:443", true},
		{"https", "a.example", "https://a.example:443", true},
		{"https", "a.example:443", "a.example", true},
		{"http", "a.example", "a.example:80", true},
		{"http", "a.example", "a.example:443", false},
		{"https", "a.example", "a.example:*", true},
		{"https", "a.example:444", "a.example", false},

		{"", "", "null", true},
		{"", "", "NULL", true},
		{"", "", "*", true},
		{"", "", "n*", false},
		{"", "", "", false},
		{"", "", "*://*", false},
		{"http", "null", "null", true}, // a host of that name
		{"file", "", "file://", true},
		{"file", "", "", false},
		{"http", "a.example", "", false},
		{"http", "\u212aelvin.example", "kelvin.example", false}, // the Kelvin sign
		{"http", "kelvin.example", "\u212aelvin.example", false},
		{"http", "KELVIN.example", "Kelvin.*", true},
	} {
		if got := NewOrigin(tt.scheme, tt.origin).Matches(tt.pattern); got != tt.want {
			t.Errorf("%s://%s matches %q: %t", tt.scheme, tt.origin, tt.pattern, got)
		}
	}
}

func TestCheckPattern(t *testing.T) {
	for pattern, says := range map[string]string{
		"": "", "null": "", "*": "", "*.a.example": "", "https://*": "", "[::1]:3000": "", "http://[::1]:*": "", "[a-c].example": "", "file://": "", "a.example:*": "", `a\*b`: "",
		"https://a.example/": "slash", "a.example/chat": "path", "file:///": "path", "/": "path",
		"[a": "malformed", `a\`: "malformed", "[::1": "malformed", "[]": "malformed",
		" a.example": "space", "a.example ": "space", "a b": "space",
		"user@a.example": "user", "https://user@a.example": "user", "a.example#x": "fragment",
	} {
		err := CheckPattern(pattern)
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want something of %q", pattern, err, says)
		}
	}
}

// FuzzOrigin: a pattern that is found fault with matches no Origin that a browser sends, and nothing without
// a wildcard matches two hosts.
func FuzzOrigin(f *testing.F) {
	f.Add("https", "a.example:443", "a.example")
	f.Add("http", "[::1]:3000", "[::1]:3000")
	f.Add("", "", "null")
	f.Fuzz(func(t *testing.T, scheme, host, pattern string) {
		o := NewOrigin(scheme, host)
		if !o.SameHost(host) && o.Host != "" {
			t.Errorf("%q is not the same as itself", host)
		}
		if strings.ContainsAny(scheme+host, "/@# \t\r\n\\[]*?") || strings.Contains(scheme, ":") {
			return // not what a browser sends
		}
		matches := o.Matches(pattern)
		if err := CheckPattern(pattern); err != nil && matches {
			if _, bad := path.Match(pattern, ""); bad == nil && !strings.ContainsAny(pattern, "[]\\") {
				t.Errorf("%q matches %q, which %v", host, pattern, err)
			}
		}
		if matches && !strings.ContainsAny(pattern, `*?[\`) {
			plain := toLower(pattern)
			if _, rest, ok := strings.Cut(plain, "://"); ok {
				plain = rest
			}
			if plain != "null" && !NewOrigin(scheme, plain).SameHost(host) && o.Host != "" {
				t.Errorf("%q matches %q", host, pattern)
			}
		}
	})
}
