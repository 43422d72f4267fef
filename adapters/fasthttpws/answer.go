package fasthttpws

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/closeonce/websocket"
	"github.com/valyala/fasthttp"
)

// answerFields are the handshake's own, and those of a body: what the handler has set of them is not sent.
var answerFields = []string{
	"Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions",
	"Content-Length", "Transfer-Encoding", "Content-Type", "Content-Encoding", "Trailer",
}

// answer makes the response the handshake's.
func answer(resp *fasthttp.Response, h *websocket.Handshake) {
	resp.ResetBody()
	deleteAnswer(&resp.Header)
	resp.SetStatusCode(h.Status)
	for name, values := range h.Header {
		resp.Header.SetCanonical([]byte(name), []byte(values[0])) // in this spelling
	}
}

// deleteAnswer deletes the answer's own fields from h, in any spelling: a server may leave names as they are.
func deleteAnswer(h *fasthttp.ResponseHeader) {
	before := headerOf(h)
	after := maps.Clone(before)
	maps.DeleteFunc(after, func(name string, _ []string) bool {
		return slices.ContainsFunc(answerFields, func(own string) bool { return sameName(own, name) })
	})
	for _, name := range answerFields { // fasthttp does not list all that it keeps of them
		h.Del(name)
	}
	setHeader(h, before, after)
}

// preset adds to the answer the subprotocol that the handler has set on the response, if the answer has none.
func preset(header *fasthttp.ResponseHeader, h *websocket.Handshake) error {
	if h.Conn.Subprotocol != "" {
		return nil
	}
	chosen, err := presetSubprotocol(header)
	if err != nil {
		h.Status, h.Header = http.StatusInternalServerError, nil
		deleteAnswer(header) // no client could read the error with them
		return err
	}
	if chosen != "" {
		h.Conn.Subprotocol = chosen
		h.Header["Sec-WebSocket-Protocol"] = []string{chosen}
	}
	return nil
}

// presetSubprotocol returns the subprotocol that a handler chose by setting the header field, or "". The rules are those of
// websocket.Accept.
func presetSubprotocol(h *fasthttp.ResponseHeader) (string, error) {
	preset := ""
	for key, bytes := range h.All() {
		if !sameName(string(key), "Sec-WebSocket-Protocol") {
			continue
		}
		switch value := strings.Trim(string(bytes), " \t"); {
		case value == "":
		case preset != "" && preset != value:
			return "", fmt.Errorf("websocket: the handler has set two subprotocols, %.64q and %.64q", preset, value)
		default:
			preset = value
		}
	}
	if !isSubprotocol(preset) {
		return "", fmt.Errorf("websocket: the handler has set Sec-WebSocket-Protocol to %.64q, which can't be the name of a subprotocol", preset)
	}
	return preset, nil
}

// isSubprotocol reports whether s can be the name of a subprotocol. RFC 6455, section 4.1, wants a token, but others are in wide use.
// A comma would make two of one.
func isSubprotocol(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7F || c == ',' })
}
