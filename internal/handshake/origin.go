package handshake

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// This file compares Origins (RFC 6454) with hosts and patterns.

// maxOrigin bounds an Origin's length: a host's name has at most 253 bytes.
const maxOrigin = 1024

// CheckOrigin keeps pages of other sites from connecting with the user's cookies (RFC
// 6455, sections 4.2.2 and 10.2). origins are the lines of the request's Origin header
// field, host is its Host. It returns nil if the Origin may connect.
func CheckOrigin(origins []string, host string, patterns []string) *Refusal {
	for _, pattern := range patterns {
		if err := CheckPattern(pattern); err != nil {
			return &Refusal{Status: internalServerError, Reason: fmt.Sprintf("the origin pattern %q is not valid: %v", pattern, err)}
		}
	}
	if len(origins) > 1 {
		return Forbidden("there are %d Origin header fields", len(origins))
	}
	if len(origins) == 0 || origins[0] == "" {
		return nil // no browser
	}
	origin := Origin{}
	if origins[0] != "null" {
		u, err := url.Parse(origins[0])
		if err != nil || len(origins[0]) > maxOrigin {
			return Forbidden("Origin %.64q is not a URL", origins[0])
		}
		if u.Scheme == "" {
			return Forbidden("Origin %.64q has no scheme", origins[0])
		}
		origin = NewOrigin(u.Scheme, u.Host)
	}
	if origin.SameHost(host) || slices.ContainsFunc(patterns, origin.Matches) {
		return nil
	}
	return Forbidden("Origin %.64q is not the host %.64q, nor does it match one of the OriginPatterns", origins[0], host)
}

// An Origin is where a page comes from, as a browser says it in the Origin header
// field. The Origin "null" has neither scheme nor host.
type Origin struct {
	// Scheme and Host have their ASCII letters in lower case. Host is without the scheme's default port.
	Scheme, Host string
	port         string // the default port, with a colon, if Host has it left out
}

// NewOrigin returns the Origin of a scheme and a host with or without port.
func NewOrigin(scheme, host string) Origin {
	o := Origin{Scheme: toLower(scheme), Host: toLower(host)}
	if o.Host == "" {
		return o
	}
	if o.port = defaultPort(o.Scheme); o.port != "" {
		o.Host, o.port = cutPort(o.Host, o.port)
	}
	return o
}

// defaultPort returns the port of a scheme's URLs that have none, with a colon.
func defaultPort(scheme string) string {
	switch scheme {
	case "http", "ws":
		return ":80"
	case "https", "wss":
		return ":443"
	}
	return ""
}

// cutPort takes the default port from a host. It returns what the host has left out
// then: the default port, or nothing if the host has another one.
func cutPort(host, port string) (string, string) {
	if h, ok := strings.CutSuffix(host, port); ok && (!strings.Contains(h, ":") || strings.HasSuffix(h, "]")) {
		return h, port
	}
	if strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']') {
		return host, ""
	}
	return host, port
}

// SameHost reports whether the Origin's host and port are those of a request's Host
// header field. A Host without port has the default port of the Origin's scheme. An
// Origin without host is never the same.
func (o Origin) SameHost(host string) bool {
	if o.Host == "" {
		return false
	}
	other := NewOrigin(o.Scheme, host)
	return o.Host == other.Host
}

// Matches reports whether a pattern names the Origin. The pattern is compared
// literally first, then by [path.Match], with the host; or with scheme://host if it
// has "://". A default port may stand in the pattern, and need not. "null" is the
// Origin of that name, which only "*" matches otherwise.
func (o Origin) Matches(pattern string) bool {
	pattern = toLower(pattern)
	if o.Host == "" && o.Scheme == "" {
		return pattern == "null" || pattern == "*"
	}
	target := o.Host
	if strings.Contains(pattern, "://") {
		target = o.Scheme + "://" + o.Host
	}
	return pattern != "" && (match(pattern, target) || o.port != "" && match(pattern, target+o.port))
}

func match(pattern, target string) bool {
	if pattern == target {
		return true
	}
	ok, err := path.Match(escapeIPv6(pattern), target)
	return ok && err == nil
}

// escapeIPv6 escapes the brackets of an IPv6 address, which would be a class of
// characters to path.Match.
func escapeIPv6(pattern string) string {
	scheme, host, ok := strings.Cut(pattern, "://")
	if !ok {
		scheme, host = "", pattern
	} else {
		scheme += "://"
	}
	address, rest, ok := strings.Cut(host, "]")
	if !ok || !strings.HasPrefix(address, "[") || !strings.Contains(address, ":") || strings.Trim(address[1:], "0123456789abcdefABCDEF:.") != "" {
		return pattern
	}
	return scheme + `\[` + address[1:] + `\]` + rest
}

// CheckPattern says why a pattern is malformed, or can never match an Origin. The empty
// pattern matches nothing and is no mistake.
func CheckPattern(pattern string) error {
	host := pattern
	if _, rest, ok := strings.Cut(pattern, "://"); ok {
		host = rest
	}
	switch _, err := path.Match(escapeIPv6(pattern), ""); {
	case err != nil:
		return errors.New("its brackets or backslashes are malformed")
	case strings.Contains(host, "/"):
		return errors.New("an Origin has no path, and no slash behind its host")
	case strings.ContainsAny(pattern, " \t\r\n"):
		return errors.New("an Origin has no space")
	case strings.ContainsAny(host, "@#"):
		return errors.New("an Origin has no user and no fragment")
	}
	return nil
}
