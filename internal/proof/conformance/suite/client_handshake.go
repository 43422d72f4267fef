package suite

import (
	"fmt"
	"strings"
)

// clientHandshake tests the opening handshake of an endpoint that is a client.
func clientHandshake(b *builder) {
	hello := one(text("Hello"))
	b.in("4.1", "The client's opening handshake … MUST be a valid HTTP request")
	b.roles = Client
	asks := func(name string, check func(s *session, r head) string) {
		b.echo(name, hello, frames(text("Hello"))).open.checkRequest = check
	}
	expect := func(name string, value string) func(*session, head) string {
		return func(_ *session, h head) string {
			if v := h.values(name); len(v) != 1 || !strings.EqualFold(v[0], value) {
				return fmt.Sprintf("%s is %q", name, v)
			}
			return ""
		}
	}
	asks("the method is GET and the version HTTP/1.1", func(_ *session, h head) string {
		if !strings.HasPrefix(h.line, "GET /") || !strings.HasSuffix(h.line, " HTTP/1.1") {
			return fmt.Sprintf("request line %q", h.line)
		}
		return ""
	})
	asks("the target keeps the URL's path and query", func(s *session, h head) string {
		if !strings.Contains(h.line, "/case?") {
			return fmt.Sprintf("request line %q", h.line)
		}
		return ""
	})
	asks("Host is there once, with the port when it is not the scheme's", func(s *session, h head) string {
		_, port, _ := strings.Cut(s.conn.LocalAddr().String(), ":")
		if v := h.values("Host"); len(v) != 1 || !strings.HasSuffix(v[0], ":"+port[strings.LastIndexByte(port, ':')+1:]) {
			return fmt.Sprintf("Host is %q", v)
		}
		return ""
	})
	asks("Upgrade includes websocket", func(_ *session, h head) string {
		if !h.has("Upgrade", "websocket") {
			return fmt.Sprintf("Upgrade is %q", h.values("Upgrade"))
		}
		return ""
	})
	asks("Connection includes Upgrade", func(_ *session, h head) string {
		if !h.has("Connection", "upgrade") {
			return fmt.Sprintf("Connection is %q", h.values("Connection"))
		}
		return ""
	})
	asks("Sec-WebSocket-Version is 13", expect("Sec-WebSocket-Version", "13"))
	asks("Sec-WebSocket-Key is 16 bytes in base64, once", func(_ *session, h head) string { return brokenRequest(h) })
	asks("the nonce is selected randomly for each connection", func(s *session, h head) string {
		if s.opts.seenKeys(s.opts.Agent, h.get("Sec-WebSocket-Key")) > 1 {
			return fmt.Sprintf("Sec-WebSocket-Key %q was sent before", h.get("Sec-WebSocket-Key"))
		}
		return ""
	})
	asks("no frame and no body before the response", func(s *session, h head) string {
		if s.br.Buffered() > 0 || h.get("Content-Length") != "" && h.get("Content-Length") != "0" {
			return "bytes follow the request"
		}
		return ""
	})

	validResponses(b)
	brokenResponses(b)
}

func validResponses(b *builder) {
	b.in("4.1", "If the response includes … an ASCII case-insensitive match, the client proceeds; unknown header fields are none of its business")
	b.roles = Client
	accepted := func(name string, change func(*response)) *Case {
		c := b.echo(name, one(text("Hello")), frames(text("Hello")))
		c.open.response = change
		return c
	}
	set := func(name, value string) func(*response) { return func(r *response) { r.set(name, value) } }
	rename := func(change func(string) string) func(*response) {
		return func(r *response) {
			for i := range r.fields {
				r.fields[i].name = change(r.fields[i].name)
			}
		}
	}
	accepted("header names in lower case", rename(strings.ToLower))
	accepted("header names in upper case", rename(strings.ToUpper))
	accepted("Upgrade: WebSocket", set("Upgrade", "WebSocket"))
	accepted("Upgrade: WEBSOCKET", set("Upgrade", "WEBSOCKET"))
	accepted("Connection: upgrade", set("Connection", "upgrade"))
	accepted("Connection: keep-alive, Upgrade", set("Connection", "keep-alive, Upgrade"))
	accepted("Connection in two lines", func(r *response) { r.set("Connection", "keep-alive"); r.add("Connection", "Upgrade") })
	accepted("spaces around the Accept value", func(r *response) {
		r.set("Sec-WebSocket-Accept", "  "+r.get("Sec-WebSocket-Accept")+"  ")
	})
	accepted("another reason phrase", func(r *response) { r.line = "HTTP/1.1 101 Web Socket Protocol Handshake" })
	accepted("an empty reason phrase", func(r *response) { r.line = "HTTP/1.1 101 " })
	accepted("unknown header fields", func(r *response) { r.set("X-Unknown", "value"); r.set("Server", "conformance") })
	accepted("a header field of 3000 bytes", set("X-Long", strings.Repeat("x", 3000)))
	accepted("50 header fields", func(r *response) {
		for i := range 50 {
			r.add(fmt.Sprintf("X-Field-%d", i), "value")
		}
	})
	accepted("header fields in reverse order", func(r *response) {
		for i, j := 0, len(r.fields)-1; i < j; i, j = i+1, j-1 {
			r.fields[i], r.fields[j] = r.fields[j], r.fields[i]
		}
	})
	accepted("cookies", func(r *response) { r.add("Set-Cookie", "a=b"); r.add("Set-Cookie", "c=d; HttpOnly") })
	for _, n := range []int{1, 7, 100} {
		accepted(fmt.Sprintf("the response in pieces of %d bytes", n), nil).open.pieces = n
	}
}

func brokenResponses(b *builder) {
	refused := func(name string, change func(*response)) *Case {
		c := b.add(Case{Name: name})
		c.open.refused, c.open.response = true, change
		return c
	}
	set := func(name, value string) func(*response) { return func(r *response) { r.set(name, value) } }
	del := func(name string) func(*response) { return func(r *response) { r.del(name) } }

	b.in("4.1", "If the status code received from the server is not 101, the client handles the response per HTTP [RFC2616] procedures.")
	b.roles = Client
	for _, status := range []string{"200 OK", "204 No Content", "400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found", "426 Upgrade Required", "500 Internal Server Error", "503 Service Unavailable"} {
		refused("status "+status+" with all the right header fields", func(r *response) {
			r.line = "HTTP/1.1 " + status
			r.set("Content-Length", "0")
		})
	}
	refused("status 302 without a Location", func(r *response) {
		r.line = "HTTP/1.1 302 Found"
		r.set("Connection", "close")
		r.set("Content-Length", "0")
	})
	refused("status 400 with a body that looks like frames", func(r *response) {
		r.line = "HTTP/1.1 400 Bad Request"
		r.set("Connection", "close")
		r.set("Content-Length", "14")
		r.body = "\x81\x05Hello\x89\x05World"
	})
	refused("no HTTP at all", func(r *response) { r.line = "Hello" })
	refused("a status line without a code", func(r *response) { r.line = "HTTP/1.1 Switching Protocols" })

	b.in("4.1", "If the response lacks an |Upgrade| header field or the |Upgrade| header field contains a value that is not an ASCII case-insensitive match for the value \"websocket\", the client MUST _Fail the WebSocket Connection_.")
	b.roles = Client
	refused("no Upgrade", del("Upgrade"))
	refused("an empty Upgrade", set("Upgrade", ""))
	refused("Upgrade: h2c", set("Upgrade", "h2c"))
	refused("Upgrade: websockets", set("Upgrade", "websockets"))
	refused("Upgrade: web socket", set("Upgrade", "web socket"))

	b.in("4.1", "If the response lacks a |Connection| header field or the |Connection| header field doesn't contain a token that is an ASCII case-insensitive match for the value \"Upgrade\", the client MUST _Fail the WebSocket Connection_.")
	b.roles = Client
	refused("no Connection", del("Connection"))
	refused("an empty Connection", set("Connection", ""))
	refused("Connection: keep-alive", set("Connection", "keep-alive"))
	refused("Connection: close", set("Connection", "close"))
	refused("Connection: upgraded", set("Connection", "upgraded"))
	refused("Connection: not-upgrade", set("Connection", "not-upgrade"))

	b.in("4.1", "If the response lacks a |Sec-WebSocket-Accept| header field or the |Sec-WebSocket-Accept| contains a value other than the base64-encoded SHA-1 of the concatenation of the |Sec-WebSocket-Key| … the client MUST _Fail the WebSocket Connection_.")
	b.roles = Client
	refused("no Accept", del("Sec-WebSocket-Accept"))
	refused("an empty Accept", set("Sec-WebSocket-Accept", ""))
	refused("the Accept of another key", set("Sec-WebSocket-Accept", exampleAccept))
	change := func(f func(string) string) func(*response) {
		return func(r *response) { r.set("Sec-WebSocket-Accept", f(r.get("Sec-WebSocket-Accept"))) }
	}
	refused("an Accept of one character less", change(func(s string) string { return s[:len(s)-1] }))
	refused("an Accept of one character more", change(func(s string) string { return s + "=" }))
	refused("an Accept in another case", change(swapCase))
	refused("an Accept with another first character", change(func(s string) string { return string(s[0]^1) + s[1:] }))
	refused("an Accept with its end cut off", change(func(s string) string { return s[:10] }))
	refused("an Accept in quotes", change(func(s string) string { return `"` + s + `"` }))
	refused("the Accept twice in one line", change(func(s string) string { return s + ", " + s }))

	b.in("4.1", "If the response includes a |Sec-WebSocket-Extensions| header field and this header field indicates the use of an extension that was not present in the client's handshake …, the client MUST _Fail the WebSocket Connection_.")
	b.roles = Client
	refused("an extension nobody asked for", set("Sec-WebSocket-Extensions", "x-conformance-unknown"))
	refused("an extension nobody asked for, with parameters", set("Sec-WebSocket-Extensions", "x-conformance-unknown; a=1"))
	refused("two extensions nobody asked for", set("Sec-WebSocket-Extensions", "x-conformance-a, x-conformance-b"))
	refused("an extension whose name begins like a known one", set("Sec-WebSocket-Extensions", "permessage-deflate2"))

	b.in("4.1", "If the response includes a |Sec-WebSocket-Protocol| header field and this header field indicates the use of a subprotocol that was not present in the client's handshake …, the client MUST _Fail the WebSocket Connection_.")
	b.roles = Client
	refused("a subprotocol nobody asked for", set("Sec-WebSocket-Protocol", "x-conformance-unknown"))
	refused("two subprotocols nobody asked for", set("Sec-WebSocket-Protocol", "x-conformance-a, x-conformance-b"))

	b.in("4.1", "the response is an HTTP response: what HTTP forbids is no valid handshake")
	b.roles = Client
	refused("a header line without a colon", func(r *response) { r.line += "\r\nno colon here" })
}

func swapCase(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			b[i] = c ^ 0x20
		}
	}
	return string(b)
}
