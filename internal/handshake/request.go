package handshake

import (
	"fmt"
	"strings"
)

// A Request is what is checked of a client's opening handshake.
type Request struct {
	Method       string
	Proto        string // as it is on the wire: "HTTP/1.1"
	Major, Minor int
	Header       map[string][]string // its names are in net/http's canonical form
	HasBody      bool                // of an extended CONNECT: it says how long its data is
}

// A Refusal says with which HTTP status a handshake is refused, and why.
type Refusal struct {
	Status int
	Reason string
	// Name and Value are a header field to send with it, if Name is not empty.
	Name, Value string
}

// The statuses of refusals.
const (
	badRequest          = 400
	forbidden           = 403
	methodNotAllowed    = 405
	upgradeRequired     = 426
	internalServerError = 500
	notImplemented      = 501
)

// Forbidden is the refusal of a request from an Origin that may not connect.
func Forbidden(format string, args ...any) *Refusal {
	return &Refusal{Status: forbidden, Reason: fmt.Sprintf(format, args...)}
}

// CheckRequest compares a request with RFC 6455, section 4.2.1. It returns nil if the
// request is a valid opening handshake.
func CheckRequest(r Request) *Refusal {
	bad := func(format string, args ...any) *Refusal {
		return &Refusal{Status: badRequest, Reason: fmt.Sprintf(format, args...)}
	}
	// "An HTTP/1.1 or higher GET request"
	if r.Major >= 2 {
		if refused := checkConnect(r); refused != nil {
			return refused
		}
		return checkFields(r)
	}
	if !HasToken(r.Header["Connection"], "upgrade") {
		return &Refusal{Status: upgradeRequired, Reason: "this URL is for WebSockets: the request has no \"Connection: Upgrade\""}
	}
	if !HasToken(r.Header["Upgrade"], "websocket") {
		return &Refusal{Status: upgradeRequired, Reason: "this URL is for WebSockets: the request has no \"Upgrade: websocket\""}
	}
	if r.Method != "GET" {
		return &Refusal{Status: methodNotAllowed, Reason: fmt.Sprintf("the method is %.64s, not GET", r.Method), Name: "Allow", Value: "GET"}
	}
	if r.Major != 1 || r.Minor < 1 {
		return bad("the request is of %s, not of HTTP/1.1", r.Proto)
	}
	// "a base64-encoded ... value that, when decoded, is 16 bytes in length"
	if refused := checkFields(r); refused != nil {
		return refused
	}
	keys := r.Header["Sec-Websocket-Key"]
	if len(keys) != 1 {
		return bad("there are %d Sec-WebSocket-Key header fields, not one", len(keys))
	}
	if !IsKey(keys[0]) {
		return bad("Sec-WebSocket-Key %.64q is not 16 bytes in base64", keys[0])
	}
	// A body would be taken for frames.
	if r.HasBody {
		return bad("the request has a body")
	}
	return nil
}

// EndRefused adds "Connection: close" to the answer to a refused request that asks for an Upgrade. Something in between may take the
// Upgrade for granted, and what the client sends behind the request must not be answered as another one. (HTTP/2 has no such field, and
// net/http would end all streams.) It is in the first line, where net/http looks for it.
func EndRefused(answer map[string][]string, major int, asked map[string][]string) {
	if c := answer["Connection"]; major == 1 && len(asked["Upgrade"]) > 0 && (len(c) == 0 || c[0] != "close") {
		answer["Connection"] = append([]string{"close"}, c...)
	}
}

// checkConnect compares a request of HTTP/2 or later with RFC 8441, section 4, and RFC 9220.
func checkConnect(r Request) *Refusal {
	protocol := r.Header[":protocol"]
	switch {
	case r.Method != "CONNECT":
		return &Refusal{Status: notImplemented, Reason: "a WebSocket over " + r.Proto + " is opened by an extended CONNECT (RFC 8441), the method is " + fmt.Sprintf("%.64s", r.Method)}
	case len(protocol) == 0:
		return &Refusal{Status: notImplemented, Reason: "the CONNECT has no :protocol"}
	case len(protocol) > 1 || protocol[0] != "websocket":
		return &Refusal{Status: notImplemented, Reason: fmt.Sprintf("the :protocol is %.64q, not websocket", joined(protocol))}
	case r.HasBody:
		return &Refusal{Status: badRequest, Reason: "the CONNECT has a Content-Length, or ends its stream"}
	}
	return nil // Sec-WebSocket-Key means nothing here; proxies forward it
}

// checkFields checks what is the same in all versions of HTTP.
func checkFields(r Request) *Refusal {
	// Section 4.4: "the server MUST ... respond with a |Sec-WebSocket-Version|
	// header field" that it understands.
	if v := r.Header["Sec-Websocket-Version"]; len(v) != 1 || strings.TrimSpace(v[0]) != "13" {
		status := upgradeRequired
		if r.Major >= 2 { // where nothing is upgraded
			status = badRequest
		}
		return &Refusal{Status: status, Reason: fmt.Sprintf("Sec-WebSocket-Version is %.64q, not 13", joined(v)), Name: "Sec-WebSocket-Version", Value: "13"}
	}
	for p := range EachToken(r.Header["Sec-Websocket-Protocol"]) {
		if !IsSubprotocol(p) {
			return &Refusal{Status: badRequest, Reason: fmt.Sprintf("Sec-WebSocket-Protocol has %.64q, which can't be the name of a subprotocol", p)}
		}
	}
	return nil
}

// joined joins the first lines of a field for an error, which quotes the start of them.
func joined(lines []string) string {
	var b []byte
	for i, line := range lines {
		if len(b) > 64 {
			break
		}
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, line[:min(len(line), 65)]...)
	}
	return string(b)
}

// ChooseSubprotocol returns the first of the server's own subprotocols that the client
// offers, as the client spells it, or "". The comparison ignores the case of ASCII letters.
func ChooseSubprotocol(offered, own []string) string {
	chosen, best := "", len(own)
	for theirs := range EachToken(offered) {
		for i, ours := range own[:best] {
			if EqualFold(ours, theirs) {
				chosen, best = theirs, i
				break
			}
		}
	}
	return strings.Clone(chosen) // not the whole line, which may be long
}
