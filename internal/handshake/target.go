package handshake

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// ForHTTP makes a WebSocket's URL one for net/http: with the scheme http or https instead of ws or wss, and percent-encoded (RFC 3986,
// section 2.1) where net/http would send what no request may have, or lose the path's own percent-encoding.
func ForHTTP(u *url.URL) {
	switch u.Scheme {
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	}
	u.RawPath, u.RawQuery = encoded(u.RawPath, "\"<>\\^`{|}"), encoded(u.RawQuery, "\"<>'")
}

// encoded percent-encodes spaces, control characters, all outside ASCII, and what is in more.
func encoded(s, more string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7F || strings.IndexByte(more, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// ErrURL says that a URL is malformed, and not how.
var ErrURL = errors.New("websocket: the URL is malformed (it is not shown, because it may contain a password)")

// ParseURL parses a URL. It may contain a password, so errors must not quote it.
func ParseURL(rawURL string) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		if strings.Contains(rawURL, "@") {
			return nil, ErrURL
		}
		return nil, fmt.Errorf("websocket: %w", err)
	}
	ForHTTP(u)
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("websocket: the URL has the scheme %q; it must be ws, wss, http or https", u.Scheme)
	}
	if u.Host == "" {
		return nil, errors.New("websocket: the URL has no Host")
	}
	return u, nil
}

// Offered returns the subprotocols to offer: those of the option Subprotocols, then those of the option HTTPHeader.
func Offered(subprotocols []string, header map[string][]string) ([]string, error) {
	var offered []string
	for _, p := range subprotocols {
		if p == "" {
			continue
		}
		if !IsSubprotocol(p) {
			return nil, fmt.Errorf("websocket: the subprotocol %q has a comma, a space, or a character that is not printable ASCII", p)
		}
		offered = append(offered, p)
	}
	for name, lines := range header {
		if !EqualFold(name, "Sec-WebSocket-Protocol") {
			continue
		}
		for p := range EachToken(lines) {
			if !IsSubprotocol(p) {
				return nil, fmt.Errorf("websocket: HTTPHeader's Sec-WebSocket-Protocol has %q: a space, or a character that is not printable ASCII", p)
			}
			if !slices.Contains(offered, p) { // "MUST all be unique strings"
				offered = append(offered, p)
			}
		}
	}
	return offered, nil
}
