package faulty

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// Play is the client: it opens a WebSocket at target (path and query) on conn,
// which it closes in the end, and echoes. It returns when the connection is
// over; faults that hold on to TCP let go when ctx ends. With compression it
// offers permessage-deflate.
func Play(ctx context.Context, conn net.Conn, target string, compression bool, f Fault) {
	defer conn.Close()
	nonce := make([]byte, 16)
	rand.Read(nonce)
	version := 13
	switch f {
	case "sends one key for all connections":
		nonce = []byte("always this one.")
	case "sends a key of 15 bytes":
		nonce = nonce[:15]
	case "sends version 8":
		version = 8
	}
	key := base64.StdEncoding.EncodeToString(nonce)
	extra := ""
	if compression {
		extra = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
	}
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Version: %d\r\n%s\r\n",
		target, conn.RemoteAddr(), key, version, extra)
	br := bufio.NewReaderSize(conn, 32<<10)
	resp, err := http.ReadResponse(bufio.NewReader(oneAtATime{br}), nil)
	if err != nil {
		return
	}
	upgrade := strings.EqualFold(resp.Header.Get("Upgrade"), "websocket")
	if f == "compares Upgrade with regard to case" {
		upgrade = resp.Header.Get("Upgrade") == "websocket"
	}
	a, ok := f.agreed(strings.Join(resp.Header["Sec-Websocket-Extensions"], ","))
	accepted := resp.Header.Get("Sec-WebSocket-Accept")
	switch {
	case resp.StatusCode != 101 && f != "does not check the status",
		!upgrade && f != "does not check Upgrade",
		!hasToken(resp.Header, "Connection", "upgrade") && f != "does not check Connection",
		resp.Header.Get("Sec-WebSocket-Protocol") != "" && f != "does not check the subprotocol",
		!ok, a != nil && !compression && f != "does not check extensions":
		return
	case accepted != accept(key) && f != "does not check Accept" &&
		!(f == "checks Accept without regard to case" && strings.EqualFold(accepted, accept(key))):
		return
	}
	e := &endpoint{ctx: ctx, conn: conn, br: br, client: true, fault: f}
	if f == "loses what comes with the response" {
		io.CopyN(io.Discard, br, int64(br.Buffered()))
	}
	e.start(a)
	if f == "does not check the status" && resp.StatusCode != 101 {
		e.send(0x81, []byte("open"))
	}
	e.run()
}
