package gorilla

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	ours "github.com/closeonce/websocket/gorilla"
	theirs "github.com/gorilla/websocket"
)

// A conn is a connection of either package.
type conn interface {
	ReadMessage() (messageType int, p []byte, err error)
	WriteMessage(messageType int, data []byte) error
	SetReadLimit(limit int64)
	Close() error
}

// upgraders open a server's connection with either package.
var upgraders = map[string]func(http.ResponseWriter, *http.Request) (conn, error){
	"gorilla/websocket": func(w http.ResponseWriter, r *http.Request) (conn, error) {
		return new(theirs.Upgrader).Upgrade(w, r, nil)
	},
	"ours": func(w http.ResponseWriter, r *http.Request) (conn, error) {
		return new(ours.Upgrader).Upgrade(w, r, nil)
	},
}

// accepted returns a server's connection, and the client's end of TCP.
func accepted(t *testing.T, upgrade func(http.ResponseWriter, *http.Request) (conn, error)) (conn, *net.TCPConn) {
	t.Helper()
	opened := make(chan conn, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrade(w, r)
		if err != nil {
			t.Error(err)
		}
		opened <- c
	}))
	t.Cleanup(server.Close)
	nc, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	io.WriteString(nc, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", resp, err)
	}
	c := <-opened
	t.Cleanup(func() { c.Close() })
	return c, nc.(*net.TCPConn)
}

// frame is a client's frame with a masking key of zeros.
func frame(first byte, payload string) string {
	if len(payload) > 125 {
		return string([]byte{first, 0x80 | 126, byte(len(payload) >> 8), byte(len(payload)), 0, 0, 0, 0}) + payload
	}
	return string([]byte{first, 0x80 | byte(len(payload)), 0, 0, 0, 0}) + payload
}

// describe describes an error as a program may see it, without addresses.
func describe(err error) string {
	text := fmt.Sprint(err)
	if op, ok := err.(*net.OpError); ok {
		text = op.Op + ": " + op.Err.Error()
	}
	kind := strings.NewReplacer("*websocket.", "").Replace(fmt.Sprintf("%T", err))
	return fmt.Sprintf("%s (%s)", text, kind)
}

// TestErrorsOfReading: after what a peer may do wrong, calls that read, and then one that writes, return the same errors in both packages.
func TestErrorsOfReading(t *testing.T) {
	for name, sent := range map[string]string{
		"RSV1":                       frame(0xc1, ""),
		"RSV2":                       frame(0xa1, ""),
		"a reserved opcode":          frame(0x83, ""),
		"another reserved opcode":    frame(0x8b, ""),
		"no mask":                    "\x81\x01a",
		"a control frame too long":   "\x89\xfe\x00\x7e\x00\x00\x00\x00",
		"a control frame in parts":   frame(0x09, ""),
		"a continuation of nothing":  frame(0x80, "x"),
		"a Close with code 1005":     frame(0x88, "\x03\xed"),
		"a Close with code 999":      frame(0x88, "\x03\xe7"),
		"a Close that is not UTF-8":  frame(0x88, "\x03\xe8\xff"),
		"a message over the limit":   frame(0x81, strings.Repeat("x", 200)),
		"a Close":                    frame(0x88, "\x03\xe8bye"),
		"a Close without a code":     frame(0x88, ""),
		"a message inside a message": frame(0x01, "") + frame(0x81, "b"),
	} {
		got := map[string]string{}
		for lib, upgrade := range upgraders {
			c, nc := accepted(t, upgrade)
			c.SetReadLimit(100)
			io.WriteString(nc, sent)
			_, _, first := c.ReadMessage()
			_, _, second := c.ReadMessage()
			got[lib] = describe(first) + ", " + describe(second) + "; " + describe(c.WriteMessage(theirs.TextMessage, nil))
		}
		if got["ours"] != got["gorilla/websocket"] {
			t.Errorf("%s:\ngorilla/websocket %s\nours              %s", name, got["gorilla/websocket"], got["ours"])
		}
	}
}

// TestErrorsOfLoss: a reset is the same error in both packages.
func TestErrorsOfLoss(t *testing.T) {
	got := map[string]string{}
	for lib, upgrade := range upgraders {
		c, nc := accepted(t, upgrade)
		nc.SetLinger(0)
		nc.Close()
		_, _, read := c.ReadMessage()
		write := c.WriteMessage(theirs.TextMessage, nil)
		var op *net.OpError
		got[lib] = fmt.Sprint(describe(read), errors.As(write, &op) && op.Op == "write")
	}
	if got["ours"] != got["gorilla/websocket"] {
		t.Errorf("gorilla/websocket %s, ours %s", got["gorilla/websocket"], got["ours"])
	}
}
