package faulty

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func hasToken(h http.Header, name, token string) bool {
	for _, v := range h[name] {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// Serve is the server: it answers the handshake on conn, which it closes in
// the end, and echoes. Faults that hold on to TCP let go when ctx ends.
func Serve(ctx context.Context, conn net.Conn, f Fault) {
	br := bufio.NewReaderSize(conn, 32<<10)
	var head bytes.Buffer
	r, err := http.ReadRequest(bufio.NewReader(io.TeeReader(oneAtATime{br}, &head)))
	refuse := func(code int, extra string) {
		fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\n%sConnection: close\r\nContent-Length: 0\r\n\r\n", code, http.StatusText(code), extra)
		e := &endpoint{ctx: ctx, conn: conn, br: br}
		e.end()
		conn.Close()
	}
	if err != nil || strings.Contains(head.String(), " :") || strings.Contains(head.String(), "\r\n:") || strings.Contains(head.String(), "\x00") ||
		strings.Count(strings.ToLower(head.String()), "\r\nhost:") > 1 {
		refuse(400, "")
		return
	}
	upgrade := hasToken(r.Header, "Upgrade", "websocket")
	if f == "compares Upgrade with regard to case" {
		upgrade = r.Header.Get("Upgrade") == "websocket"
	}
	keys := r.Header["Sec-Websocket-Key"]
	if len(keys) == 0 {
		keys = []string{""}
	}
	nonce, err := base64.StdEncoding.DecodeString(keys[0])
	versions := r.Header["Sec-Websocket-Version"]
	switch {
	case r.Method != "GET" && f != "accepts every method":
		refuse(405, "Allow: GET\r\n")
		return
	case !r.ProtoAtLeast(1, 1) && f != "accepts HTTP/1.0":
		refuse(400, "")
		return
	case r.Host == "" && f != "accepts no Host",
		!upgrade && f != "accepts no Upgrade",
		!hasToken(r.Header, "Connection", "upgrade") && f != "accepts no Connection",
		(err != nil || len(nonce) != 16 || len(keys) != 1) && f != "accepts every key":
		refuse(400, "")
		return
	case (len(versions) != 1 || versions[0] != "13") && f != "accepts every version":
		extra := "Sec-WebSocket-Version: 13\r\n"
		if f == "does not name its version" {
			extra = ""
		}
		refuse(426, extra)
		return
	}
	fields := []string{"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: " + accept(keys[0])}
	status := "101 Switching Protocols"
	switch f {
	case "sends a constant Accept":
		fields[2] = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
	case "answers without Upgrade":
		fields = fields[1:]
	case "answers without Connection":
		fields = []string{fields[0], fields[2]}
	case "answers 200":
		status = "200 OK"
	case "names a subprotocol nobody offered":
		fields = append(fields, "Sec-WebSocket-Protocol: x-faulty")
	case "names an extension nobody offered":
		fields = append(fields, "Sec-WebSocket-Extensions: x-faulty")
	}
	answer, a := f.choose(strings.Join(r.Header["Sec-Websocket-Extensions"], ","))
	if a != nil {
		fields = append(fields, "Sec-WebSocket-Extensions: "+answer)
	}
	fmt.Fprintf(conn, "HTTP/1.1 %s\r\n%s\r\n\r\n", status, strings.Join(fields, "\r\n"))
	e := &endpoint{ctx: ctx, conn: conn, br: br, fault: f}
	e.start(a)
	e.run()
}

// oneAtATime reads bytes one by one, so that what is read of the header takes
// nothing of what follows.
type oneAtATime struct{ r io.Reader }

func (o oneAtATime) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }
