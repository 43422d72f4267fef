package handshake

import (
	"fmt"
	"strings"
)

// CheckResponse compares the header fields of a server's answer with status 101 with RFC
// 6455, section 4.1. It returns the subprotocol that the server chose of those that were
// offered, or else why the client must fail the connection. The names in h are in
// net/http's canonical form.
func CheckResponse(h map[string][]string, key string, offered []string) (subprotocol string, err error) {
	if !HasToken(h["Upgrade"], "websocket") {
		return "", fmt.Errorf("the answer has Upgrade: %.64q, not websocket", joined(h["Upgrade"]))
	}
	if !HasToken(h["Connection"], "upgrade") {
		return "", fmt.Errorf("the answer has Connection: %.64q, not Upgrade", joined(h["Connection"]))
	}
	if got := h["Sec-Websocket-Accept"]; len(got) != 1 || strings.TrimSpace(got[0]) != string(AppendAccept(nil, key)) {
		return "", fmt.Errorf("the answer has Sec-WebSocket-Accept: %.64q, which does not belong to the key %q", joined(got), key)
	}
	return CheckStreamResponse(h, key, offered)
}

// CheckStreamResponse is CheckResponse for the status 200 of HTTP/2 (RFC 8441, section 5), where nothing depends on the key.
func CheckStreamResponse(h map[string][]string, _ string, offered []string) (subprotocol string, err error) {
	// "the client MUST _Fail the WebSocket Connection_" if there is a subprotocol
	// "that was not present in the client's handshake". Some servers send an empty field
	// if they choose none.
	chosen, n := "", 0
	for _, line := range h["Sec-Websocket-Protocol"] {
		if line = strings.TrimSpace(line); line != "" {
			chosen = line
			n++
		}
	}
	if n > 1 {
		return "", fmt.Errorf("the answer has %d subprotocols", n)
	}
	if n == 0 {
		return "", nil
	}
	for _, p := range offered {
		if EqualFold(p, chosen) {
			return chosen, nil
		}
	}
	return "", fmt.Errorf("the answer has the subprotocol %.64q, which was not offered", chosen)
}
