package suite

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// serverHandshake tests the opening handshake of an endpoint that is a server.
func serverHandshake(b *builder) {
	hello := one(text("Hello"))
	accepted := func(name string, change func(*request)) *Case {
		c := b.echo(name, hello, frames(text("Hello")))
		c.open.request = change
		return c
	}
	b.in("4.2.2", "If the server chooses to accept the incoming connection, it MUST reply with a valid HTTP response")
	b.roles = Server
	as := func(name string, check func(h head) string) {
		accepted(name, nil).open.checkReply = check
	}
	as("the status line of the response", func(h head) string {
		if !strings.HasPrefix(h.line, "HTTP/1.1 101 ") {
			return fmt.Sprintf("status line %q", h.line)
		}
		return ""
	})
	once := func(name, value string) func(head) string {
		return func(h head) string {
			if v := h.values(name); len(v) != 1 || !strings.EqualFold(v[0], value) {
				return fmt.Sprintf("%s is %q", name, v)
			}
			return ""
		}
	}
	as("Upgrade is there once, with the value websocket", once("Upgrade", "websocket"))
	as("Connection has the token Upgrade", func(h head) string {
		if !h.has("Connection", "upgrade") {
			return fmt.Sprintf("Connection is %q", h.values("Connection"))
		}
		return ""
	})
	accepted("the key of RFC 6455, section 1.3", func(r *request) { r.set("Sec-WebSocket-Key", exampleKey) }).
		open.checkReply = once("Sec-WebSocket-Accept", exampleAccept)
	absent := func(name string) func(head) string {
		return func(h head) string {
			if v := h.values(name); len(v) > 0 {
				return fmt.Sprintf("%s is %q, though none was asked for", name, v)
			}
			return ""
		}
	}
	as("no subprotocol, for none was offered", absent("Sec-WebSocket-Protocol"))
	as("no extension, for none was offered", absent("Sec-WebSocket-Extensions"))
	as("no Content-Length or Transfer-Encoding in a 101 (RFC 7230, 3.3)", func(h head) string {
		return absent("Content-Length")(h) + absent("Transfer-Encoding")(h)
	})

	validRequests(b, accepted)
	brokenRequests(b)
}

func validRequests(b *builder, accepted func(string, func(*request)) *Case) {
	b.in("4.2.1", "The client's opening handshake consists of the following parts. … Any other header fields … MUST be ignored.")
	b.roles = Server
	rename := func(change func(string) string) func(*request) {
		return func(r *request) {
			for i := range r.fields {
				r.fields[i].name = change(r.fields[i].name)
			}
		}
	}
	set := func(name, value string) func(*request) { return func(r *request) { r.set(name, value) } }
	accepted("header names in lower case", rename(strings.ToLower))
	accepted("header names in upper case", rename(strings.ToUpper))
	accepted("Upgrade: WebSocket", set("Upgrade", "WebSocket"))
	accepted("Upgrade: WEBSOCKET", set("Upgrade", "WEBSOCKET"))
	accepted("Connection: upgrade", set("Connection", "upgrade"))
	accepted("Connection: keep-alive, Upgrade", set("Connection", "keep-alive, Upgrade"))
	accepted("Connection: Upgrade,keep-alive", set("Connection", "Upgrade,keep-alive"))
	accepted("Connection in two lines", func(r *request) { r.set("Connection", "keep-alive"); r.add("Connection", "Upgrade") })
	accepted("spaces around the key", func(r *request) { r.set("Sec-WebSocket-Key", "  "+r.get("Sec-WebSocket-Key")+"  ") })
	accepted("spaces around the version", set("Sec-WebSocket-Version", "  13 "))
	accepted("unknown header fields", func(r *request) { r.set("X-Unknown", "value"); r.set("Sec-WebSocket-Unknown", "value") })
	accepted("a header field of 4000 bytes", set("X-Long", strings.Repeat("x", 4000)))
	accepted("50 header fields", func(r *request) {
		for i := range 50 {
			r.add(fmt.Sprintf("X-Field-%d", i), "value")
		}
	})
	accepted("header fields in reverse order", func(r *request) {
		for i, j := 0, len(r.fields)-1; i < j; i, j = i+1, j-1 {
			r.fields[i], r.fields[j] = r.fields[j], r.fields[i]
		}
	})
	accepted("a User-Agent, cookies and cache control, as browsers send", func(r *request) {
		r.add("User-Agent", "Mozilla/5.0")
		r.add("Cookie", "a=b; c=d")
		r.add("Cache-Control", "no-cache")
		r.add("Pragma", "no-cache")
	})
	accepted("a subprotocol nobody knows is offered", set("Sec-WebSocket-Protocol", "x-conformance-unknown"))
	accepted("two subprotocols nobody knows are offered, in two lines", func(r *request) {
		r.add("Sec-WebSocket-Protocol", "x-conformance-a")
		r.add("Sec-WebSocket-Protocol", "x-conformance-b")
	})
	accepted("an extension nobody knows is offered", set("Sec-WebSocket-Extensions", "x-conformance-unknown; a=1; b=\"2\"")).
		open.checkReply = func(h head) string {
		if v := h.get("Sec-WebSocket-Extensions"); v != "" {
			return fmt.Sprintf("Sec-WebSocket-Extensions is %q", v)
		}
		return ""
	}
	for _, n := range []int{1, 7, 100} {
		accepted(fmt.Sprintf("the request in pieces of %d bytes", n), nil).open.pieces = n
	}
	zero := base64.StdEncoding.EncodeToString(make([]byte, 16))
	accepted("a key of 16 zero bytes", set("Sec-WebSocket-Key", zero))
	accepted("a key with + and / in it", set("Sec-WebSocket-Key", "++//++//++//++//++//+w=="))
}

func brokenRequests(b *builder) {
	refused := func(name string, change func(*request)) *Case {
		c := b.add(Case{Name: name})
		c.open.refused, c.open.request = true, change
		return c
	}
	set := func(name, value string) func(*request) { return func(r *request) { r.set(name, value) } }
	del := func(name string) func(*request) { return func(r *request) { r.del(name) } }

	b.in("4.2.1", "If the server, while reading the handshake, finds that the client did not send a handshake that matches the description below …, the server MUST stop processing the client's handshake and return an HTTP response with an appropriate error code (such as 400 Bad Request).")
	b.roles = Server
	for _, method := range []string{"POST", "HEAD", "PUT", "DELETE", "OPTIONS", "get"} {
		refused("the method is "+method, func(r *request) { r.part(0, method) }).open.wantStatus = 501
	}
	refused("a POST with a body", func(r *request) { r.part(0, "POST"); r.set("Content-Length", "0") })
	refused("the version is HTTP/1.0", func(r *request) { r.part(2, "HTTP/1.0") }).open.wantStatus = 505
	refused("the version is HTTP/0.9", func(r *request) { r.part(2, "HTTP/0.9") }).open.wantStatus = 505
	refused("the version is HTTP/1", func(r *request) { r.part(2, "HTTP/1") }).open.wantStatus = 505
	refused("no Host", del("Host"))
	refused("two Hosts", func(r *request) { r.add("Host", "other.example") })
	refused("no Upgrade", del("Upgrade")).open.ordinary = true
	refused("an empty Upgrade", set("Upgrade", "")).open.ordinary = true
	refused("Upgrade: h2c", set("Upgrade", "h2c")).open.ordinary = true
	refused("Upgrade: websockets", set("Upgrade", "websockets")).open.ordinary = true
	refused("Upgrade: web socket", set("Upgrade", "web socket")).open.ordinary = true
	refused("no Connection", del("Connection")).open.ordinary = true
	refused("an empty Connection", set("Connection", "")).open.ordinary = true
	refused("Connection: keep-alive", set("Connection", "keep-alive")).open.ordinary = true
	refused("Connection: close", set("Connection", "close")).open.ordinary = true
	refused("Connection: upgraded", set("Connection", "upgraded")).open.ordinary = true
	refused("neither Upgrade nor Connection", func(r *request) { r.del("Upgrade"); r.del("Connection") }).open.ordinary = true

	b.in("4.2.1", "A |Sec-WebSocket-Key| header field with a base64-encoded value that, when decoded, is 16 bytes in length.")
	b.roles = Server
	refused("no key", del("Sec-WebSocket-Key"))
	refused("an empty key", set("Sec-WebSocket-Key", ""))
	for _, n := range []int{1, 8, 15, 17, 18, 24, 32} {
		refused(fmt.Sprintf("a key of %d bytes", n), set("Sec-WebSocket-Key", base64.StdEncoding.EncodeToString(someBinary(n))))
	}
	refused("a key that is not base64", set("Sec-WebSocket-Key", "this is no base64 at all"))
	refused("a key with illegal characters", set("Sec-WebSocket-Key", "!!!!!!!!!!!!!!!!!!!!!!=="))
	refused("a key without padding", set("Sec-WebSocket-Key", strings.TrimRight(exampleKey, "=")))
	refused("a key in the URL alphabet", set("Sec-WebSocket-Key", "__--__--__--__--__--_w=="))
	refused("two keys", func(r *request) { r.add("Sec-WebSocket-Key", exampleKey) })
	refused("the same key twice", func(r *request) { r.add("Sec-WebSocket-Key", r.get("Sec-WebSocket-Key")) })
	refused("two keys in one line", set("Sec-WebSocket-Key", exampleKey+", "+exampleKey))

	b.in("4.4", "If the server doesn't support the requested version, it MUST respond with a |Sec-WebSocket-Version| header field … containing all versions it is willing to use.")
	b.roles = Server
	for _, v := range []string{"0", "1", "6", "7", "8", "12", "14", "99", "255", "130", "13.0", "x"} {
		refused("version "+v, set("Sec-WebSocket-Version", v)).open.wantHeader = "Sec-WebSocket-Version: 13"
	}
	refused("no version", del("Sec-WebSocket-Version"))
	refused("an empty version", set("Sec-WebSocket-Version", ""))
	refused("two versions in two lines", func(r *request) { r.add("Sec-WebSocket-Version", "8") })
	refused("two versions in one line", set("Sec-WebSocket-Version", "13, 8"))
	refused("version 13 twice", func(r *request) { r.add("Sec-WebSocket-Version", "13") })

	b.in("4.2.1", "the handshake is an HTTP request: what HTTP forbids (RFC 7230, section 3.2.4) is no valid handshake")
	b.roles = Server
	refused("a space before a header's colon", func(r *request) { r.add("X-Space ", "value") })
	refused("a header line without a colon", func(r *request) { r.line += "\r\nno colon here" })
	refused("a NUL in a header's value", func(r *request) { r.add("X-Nul", "a\x00b") })
	refused("an empty header name", func(r *request) { r.add("", "value") })
	refused("a request line without a target", func(r *request) { r.line = "GET HTTP/1.1" })
	refused("a request line with a word too many", func(r *request) { r.line += " more" })
}
