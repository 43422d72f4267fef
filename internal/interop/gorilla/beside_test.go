package gorilla

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	ours "github.com/closeonce/websocket/gorilla"
	theirs "github.com/gorilla/websocket"
)

// A side is one of the two packages, with what the tests of handshakes use of it.
type side struct {
	upgrade func(u theirs.Upgrader, w http.ResponseWriter, r *http.Request, h http.Header) (end, error)
	dial    func(d theirs.Dialer, url string, h http.Header) (end, *http.Response, error)
	join    func(e end, term string) io.Reader
}

// An end is a Conn of either package.
type end interface {
	ReadMessage() (int, []byte, error)
	WriteMessage(int, []byte) error
	Subprotocol() string
	NetConn() net.Conn
	Close() error
}

var theirSide = side{
	upgrade: func(u theirs.Upgrader, w http.ResponseWriter, r *http.Request, h http.Header) (end, error) {
		c, err := u.Upgrade(w, r, h)
		return c, err
	},
	dial: func(d theirs.Dialer, url string, h http.Header) (end, *http.Response, error) {
		c, resp, err := d.Dial(url, h)
		return c, resp, err
	},
	join: func(e end, term string) io.Reader {
		return theirs.JoinMessages(e.(*theirs.Conn), term)
	},
}

var ourSide = side{
	upgrade: func(u theirs.Upgrader, w http.ResponseWriter, r *http.Request, h http.Header) (end, error) {
		c, err := (&ours.Upgrader{
			HandshakeTimeout: u.HandshakeTimeout, ReadBufferSize: u.ReadBufferSize, WriteBufferSize: u.WriteBufferSize, WriteBufferPool: u.WriteBufferPool,
			Subprotocols: u.Subprotocols, Error: u.Error, CheckOrigin: u.CheckOrigin, EnableCompression: u.EnableCompression,
		}).Upgrade(w, r, h)
		return c, err
	},
	dial: func(d theirs.Dialer, url string, h http.Header) (end, *http.Response, error) {
		c, resp, err := (&ours.Dialer{
			NetDial: d.NetDial, NetDialContext: d.NetDialContext, NetDialTLSContext: d.NetDialTLSContext, Proxy: d.Proxy,
			TLSClientConfig: d.TLSClientConfig, HandshakeTimeout: d.HandshakeTimeout, ReadBufferSize: d.ReadBufferSize,
			WriteBufferSize: d.WriteBufferSize, WriteBufferPool: d.WriteBufferPool, Subprotocols: d.Subprotocols,
			EnableCompression: d.EnableCompression, Jar: d.Jar,
		}).Dial(url, h)
		return c, resp, err
	},
	join: func(e end, term string) io.Reader {
		return ours.JoinMessages(e.(*ours.Conn), term)
	},
}

// beside runs the same with both packages, and compares what comes of it. differs is something that only ours has; if it is
// empty, both must have the same.
func beside(t *testing.T, differs string, outcome func(t *testing.T, s side) string) {
	t.Helper()
	their, our := outcome(t, theirSide), outcome(t, ourSide)
	switch {
	case differs == "" && their != our, !strings.Contains(our, differs):
		t.Errorf("\ngorilla/websocket: %s\nours:              %s\nwant:              %s", their, our, differs)
	case differs != "" && strings.Contains(their, differs):
		t.Errorf("gorilla/websocket has it, too: %s", their)
	}
}

// fields writes a header, sorted, without the date.
func fields(h http.Header) string {
	var lines []string
	for name, values := range h {
		if name != "Date" {
			lines = append(lines, fmt.Sprintf("%s=%q", name, values))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, " ")
}

// described writes an error with its type, and without addresses.
func described(err error) string {
	if err == nil {
		return "no error"
	}
	words := strings.Fields(err.Error())
	words = slices.DeleteFunc(words, func(w string) bool { return strings.Contains(w, "127.0.0.1:") })
	s := fmt.Sprintf("%s (%s", strings.Join(words, " "), strings.TrimLeft(fmt.Sprintf("%T", err), "*"))
	if e, ok := err.(net.Error); ok {
		s += fmt.Sprintf(", Timeout() is %t", e.Timeout())
	}
	return s + ")"
}
