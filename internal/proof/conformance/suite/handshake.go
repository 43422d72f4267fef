package suite

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// The example of RFC 6455, section 1.3.
const (
	exampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	exampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// acceptOf computes Sec-WebSocket-Accept: RFC 6455, section 4.2.2.
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// keyFor is the Sec-WebSocket-Key of a case: fixed, one per case.
func keyFor(number string) string {
	sum := sha1.Sum([]byte(number))
	return base64.StdEncoding.EncodeToString(sum[:16])
}

// head is an HTTP/1.1 start line with its fields, in order, duplicates and
// spelling kept.
type head struct {
	line   string
	fields []field
}

type field struct{ name, value string }

func (h *head) set(name, value string) {
	h.del(name)
	h.add(name, value)
}

func (h *head) add(name, value string) { h.fields = append(h.fields, field{name, value}) }

func (h *head) del(name string) {
	kept := h.fields[:0]
	for _, f := range h.fields {
		if !strings.EqualFold(f.name, name) {
			kept = append(kept, f)
		}
	}
	h.fields = kept
}

func (h *head) values(name string) []string {
	var v []string
	for _, f := range h.fields {
		if strings.EqualFold(f.name, name) {
			v = append(v, f.value)
		}
	}
	return v
}

func (h *head) get(name string) string { return strings.Join(h.values(name), ", ") }

// has says whether a comma-separated field holds a token, in any case.
func (h *head) has(name, token string) bool {
	for _, v := range h.values(name) {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

func (h *head) bytes() []byte {
	var b strings.Builder
	b.WriteString(h.line + "\r\n")
	for _, f := range h.fields {
		b.WriteString(f.name + ": " + f.value + "\r\n")
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}

type request struct{ head }

// newRequest is the valid request of RFC 6455, section 4.1, for a ws or wss URL.
func newRequest(target, key string) *request {
	u, _ := url.Parse(target)
	r := &request{head{line: "GET " + u.RequestURI() + " HTTP/1.1"}}
	r.add("Host", u.Host)
	r.add("Upgrade", "websocket")
	r.add("Connection", "Upgrade")
	r.add("Sec-WebSocket-Key", key)
	r.add("Sec-WebSocket-Version", "13")
	return r
}

// part replaces the method, target or version (0, 1, 2) of the request line.
func (r *request) part(i int, s string) {
	p := strings.SplitN(r.line, " ", 3)
	p[i] = s
	r.line = strings.Join(p, " ")
}

type response struct {
	head
	body string
}

// newResponse is the valid response of RFC 6455, section 4.2.2.
func newResponse(accept string) *response {
	r := &response{head: head{line: "HTTP/1.1 101 Switching Protocols"}}
	r.add("Upgrade", "websocket")
	r.add("Connection", "Upgrade")
	r.add("Sec-WebSocket-Accept", accept)
	return r
}

func (r *response) bytes() []byte { return append(r.head.bytes(), r.body...) }

// largestHead bounds a start line and its fields.
const largestHead = 256 << 10

// readHead reads a start line and fields up to the empty line.
func readHead(r *bufio.Reader) (head, error) {
	var h head
	size := 0
	line := func() (string, error) {
		s, err := r.ReadString('\n')
		if size += len(s); size > largestHead {
			return "", errors.New("header too large")
		}
		return strings.TrimRight(s, "\r\n"), err
	}
	var err error
	if h.line, err = line(); err != nil {
		return h, err
	}
	for {
		l, err := line()
		if err != nil {
			return h, cutShort(err)
		}
		if l == "" {
			return h, nil
		}
		name, value, ok := strings.Cut(l, ":")
		if !ok || strings.ContainsAny(name, " \t") {
			return h, fmt.Errorf("header line %q", l)
		}
		h.add(name, strings.Trim(value, " \t"))
	}
}

// status is the code of a response's status line.
func (h *head) status() int {
	var major, minor, code int
	if _, err := fmt.Sscanf(h.line, "HTTP/%d.%d %d", &major, &minor, &code); err != nil {
		return 0
	}
	return code
}

// brokenReply says what is wrong with a server's 101 to a request, "" if
// nothing: RFC 6455, section 4.1, the client's checks.
func brokenReply(req *request, h head) string {
	key := req.values("Sec-WebSocket-Key")[0]
	switch {
	case !strings.HasPrefix(h.line, "HTTP/1.1 101"):
		return fmt.Sprintf("status line %q", h.line)
	case !strings.EqualFold(h.get("Upgrade"), "websocket"):
		return fmt.Sprintf("Upgrade is %q", h.get("Upgrade"))
	case !h.has("Connection", "upgrade"):
		return fmt.Sprintf("Connection is %q", h.get("Connection"))
	case h.get("Sec-WebSocket-Accept") != acceptOf(strings.TrimSpace(key)):
		return fmt.Sprintf("Sec-WebSocket-Accept is %q, not %q", h.get("Sec-WebSocket-Accept"), acceptOf(key))
	case len(h.values("Sec-WebSocket-Protocol")) > 1:
		return "Sec-WebSocket-Protocol is there twice"
	}
	if p := h.get("Sec-WebSocket-Protocol"); p != "" && !strings.Contains(", "+req.get("Sec-WebSocket-Protocol")+",", ", "+p+",") {
		return fmt.Sprintf("Sec-WebSocket-Protocol %q was not offered", p)
	}
	for _, e := range parseExtensions(h.get("Sec-WebSocket-Extensions")) {
		offered := false
		for _, o := range parseExtensions(req.get("Sec-WebSocket-Extensions")) {
			offered = offered || o.name == e.name
		}
		if !offered {
			return fmt.Sprintf("extension %q was not offered", e.name)
		}
	}
	return ""
}

// brokenRequest says what is wrong with a client's request, "" if nothing.
func brokenRequest(h head) string {
	method, rest, _ := strings.Cut(h.line, " ")
	target, version, _ := strings.Cut(rest, " ")
	nonce, err := base64.StdEncoding.DecodeString(h.get("Sec-WebSocket-Key"))
	switch {
	case method != "GET":
		return fmt.Sprintf("method %q", method)
	case version != "HTTP/1.1":
		return fmt.Sprintf("version %q", version)
	case !strings.HasPrefix(target, "/") || strings.Contains(target, "#"):
		return fmt.Sprintf("request target %q", target)
	case len(h.values("Host")) != 1 || h.get("Host") == "":
		return fmt.Sprintf("Host is %q", h.values("Host"))
	case !h.has("Upgrade", "websocket"):
		return fmt.Sprintf("Upgrade is %q", h.get("Upgrade"))
	case !h.has("Connection", "upgrade"):
		return fmt.Sprintf("Connection is %q", h.get("Connection"))
	case len(h.values("Sec-WebSocket-Version")) != 1 || h.get("Sec-WebSocket-Version") != "13":
		return fmt.Sprintf("Sec-WebSocket-Version is %q", h.values("Sec-WebSocket-Version"))
	case len(h.values("Sec-WebSocket-Key")) != 1:
		return "there must be one Sec-WebSocket-Key"
	case err != nil || len(nonce) != 16:
		return fmt.Sprintf("Sec-WebSocket-Key %q is not 16 bytes in base64", h.get("Sec-WebSocket-Key"))
	}
	return ""
}
