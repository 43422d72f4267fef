package handshake

import "testing"

// TestParseURL: what is sent is what a browser sends for the same URL.
func TestParseURL(t *testing.T) {
	for raw, want := range map[string]string{
		"ws://h":                       "http://h",
		"wss://h:1/a%20b?c=d%20e":      "https://h:1/a%20b?c=d%20e",
		"ws://h/?q=a b":                "http://h/?q=a%20b",
		"ws://h/?q=a b HTTP/1.1":       "http://h/?q=a%20b%20HTTP/1.1",
		"ws://h/a b/%2F":               "http://h/a%20b/%2F",
		"ws://h/?n=Zoë&m=%C3%AB":       "http://h/?n=Zo%C3%AB&m=%C3%AB",
		"ws://h/?bad=\xff":             "http://h/?bad=%FF",
		"ws://h/é/%2F":                 "http://h/%C3%A9/%2F",
		"ws://h/é/%2f;x=[1]|2?a=%2f|[": "http://h/%C3%A9/%2f;x=[1]%7C2?a=%2f|[",
		"ws://h/%2F\"<>\\^`{|}":        "http://h/%2F%22%3C%3E%5C%5E%60%7B%7C%7D",
		"ws://h/?a=\"<>'{}":            "http://h/?a=%22%3C%3E%27{}",
		"ws://h/%2F%zz":                "",
		"ws://h/?a=%zz":                "http://h/?a=%zz",
		"ws://h/a\x00b":                "",
		"ws://h/a\nb":                  "",
	} {
		u, err := ParseURL(raw)
		if err != nil {
			if want != "" {
				t.Errorf("%q: %v", raw, err)
			}
			continue
		}
		if got := u.Scheme + "://" + u.Host + u.EscapedPath(); got+query(u.RawQuery) != want {
			t.Errorf("%q: got %q, want %q", raw, got+query(u.RawQuery), want)
		}
	}
}

func query(raw string) string {
	if raw == "" {
		return ""
	}
	return "?" + raw
}
