package websocket

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/closeonce/websocket/internal/browsersocket"
	"github.com/closeonce/websocket/internal/handshake"
	"github.com/closeonce/websocket/internal/mask"
	"github.com/closeonce/websocket/internal/streamconn"
)

// This file is Dial where a program has no TCP, but the WebSockets of a browser (GOOS=js). A Conn runs on a browserStream as
// on TCP, so all that it promises holds there, too.

// dialBrowser is Dial in a browser.
func dialBrowser(ctx context.Context, rawURL string, opts *DialOptions) (*Conn, *http.Response, error) {
	u, err := browserURL(rawURL, browsersocket.Location())
	if err != nil {
		return nil, nil, err
	}
	subprotocols, err := opts.forBrowser()
	if err != nil {
		return nil, nil, err
	}
	if client := cmp.Or(opts.HTTPClient, http.DefaultClient); client.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, client.Timeout)
		defer cancel()
	}
	s := newBrowserStream()
	socket, err := browsersocket.Dial(ctx, u, subprotocols, browsersocket.Events{Message: s.received, Closed: s.ended})
	if err != nil {
		return nil, nil, fmt.Errorf("websocket: the handshake failed: %w", err)
	}
	s.socket = socket
	return browserConn(ctx, s, socket.Subprotocol, opts), switchedProtocols(socket), nil
}

// browserConn returns a Conn on the stream.
func browserConn(ctx context.Context, s *browserStream, subprotocol string, opts *DialOptions) *Conn {
	set := newSettings(opts.QueueLimit, opts.CloseTimeout, -1) // a browser watches over its connections itself
	set.cancels, set.trace = opts.CloseOnCancel, opts.Trace
	return newConn(streamconn.New(s), config{
		client:      true,
		subprotocol: subprotocol,
		parent:      ctx,
		readLimit:   orDefault(opts.ReadLimit, defaultReadLimit, -1),
		settings:    set,
	})
}

// switchedProtocols returns the response as far as a program in a browser may know it.
func switchedProtocols(socket *browsersocket.Socket) *http.Response {
	h := http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}}
	if socket.Subprotocol != "" {
		h["Sec-Websocket-Protocol"] = []string{socket.Subprotocol}
	}
	if socket.Extensions != "" {
		h["Sec-Websocket-Extensions"] = []string{socket.Extensions}
	}
	return &http.Response{
		Status: "101 Switching Protocols", StatusCode: http.StatusSwitchingProtocols,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: http.NoBody,
	}
}

// forBrowser returns the subprotocols to offer, and an error if the options ask for what no program in a browser can do and the
// server would miss.
func (opts *DialOptions) forBrowser() ([]string, error) {
	for name := range opts.HTTPHeader {
		if http.CanonicalHeaderKey(name) != "Sec-Websocket-Protocol" {
			return nil, fmt.Errorf("websocket: a browser sends no header fields of a program's: HTTPHeader has %q; "+
				"use the URL, a subprotocol or the first message instead: %w", name, errors.ErrUnsupported)
		}
	}
	if opts.Host != "" {
		return nil, fmt.Errorf("websocket: a browser sends the Host of the URL; the option Host can't be used: %w", errors.ErrUnsupported)
	}
	return handshake.Offered(opts.Subprotocols, opts.HTTPHeader)
}

// browserURL returns the URL to open: ws or wss, relative to the page if it is relative, without a fragment.
func browserURL(rawURL, page string) (string, error) {
	u, err := url.Parse(rawURL)
	if base, baseErr := url.Parse(page); err == nil && !u.IsAbs() && page != "" && baseErr == nil {
		handshake.ForHTTP(base) // or the paths' own percent-encoding would be lost
		handshake.ForHTTP(u)
		rawURL = base.ResolveReference(u).String()
	}
	if u, err = handshake.ParseURL(rawURL); err != nil {
		return "", err
	}
	u.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]
	u.Fragment, u.RawFragment = "", ""
	return u.String(), nil
}

const (
	// browserUnsent is how many bytes the browser may have to send before a write waits.
	browserUnsent = 1 << 20
	// browserUnread is how many bytes may wait to be read. A browser can't be told to receive more slowly.
	browserUnread = 16 << 20
)

var errUnread = fmt.Errorf("websocket: over %d MiB waited to be read, and a browser can't keep the server from sending more: "+
	"read faster, or have the server wait for answers", browserUnread>>20)

// A browserSocket is a *browsersocket.Socket.
type browserSocket interface {
	Send(text bool, p []byte) error
	Buffered() int
	Close(code int, reason string)
}

// A browserStream is a stream of frames that has the messages of a browser's WebSocket behind it: what a client's Conn writes
// leaves as messages, and what has come is read as frames of a server. Pings are answered here, because a program in a browser
// can't send any.
type browserStream struct {
	socket browserSocket
	closed chan struct{} // closed by Close
	came   chan struct{} // holds one: something to read, or the end, has come

	mu     sync.Mutex
	unread []byte
	end    error // what Read returns behind unread; nil: more may come

	// One goroutine at a time writes.
	out       []byte // the start of a frame
	fragments []byte // of the message before it
	typ       opcode // of the fragmented message; 0: there is none
}

func newBrowserStream() *browserStream {
	return &browserStream{closed: make(chan struct{}), came: make(chan struct{}, 1)}
}

// received takes a message from the browser.
func (s *browserStream) received(text bool, p []byte) {
	if text {
		s.push(opText, p)
	} else {
		s.push(opBinary, p)
	}
}

// push adds a frame to what is read. It does not block.
func (s *browserStream) push(op opcode, p []byte) {
	s.mu.Lock()
	switch {
	case s.end != nil:
	case len(s.unread) > browserUnread && !op.control():
		s.end = errUnread
	default:
		s.unread = append(appendHeader(s.unread, header{fin: true, opcode: op, length: int64(len(p))}), p...)
	}
	s.mu.Unlock()
	s.wake()
}

// ended is called when the browser's connection has ended. It has answered the peer's Close frame, if clean is set.
func (s *browserStream) ended(code int, reason string, clean bool) {
	if clean {
		var p []byte
		if StatusCode(code) != StatusNoStatusRcvd {
			p = append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
		}
		s.push(opClose, p)
	}
	s.mu.Lock()
	s.end = cmp.Or(s.end, io.EOF)
	s.mu.Unlock()
	s.wake()
}

func (s *browserStream) wake() {
	select {
	case s.came <- struct{}{}:
	default:
	}
}

// Read reads frames. One goroutine at a time may call it.
func (s *browserStream) Read(p []byte) (int, error) {
	for {
		s.mu.Lock()
		n := copy(p, s.unread)
		if s.unread = s.unread[n:]; len(s.unread) == 0 {
			s.unread = nil
		}
		end := s.end
		s.mu.Unlock()
		switch {
		case n > 0:
			return n, nil
		case end != nil:
			return 0, end
		}
		select {
		case <-s.came:
		case <-s.closed:
			return 0, net.ErrClosed
		}
	}
}

// Write takes frames of a client, whole or in pieces. It waits while the browser has much to send.
func (s *browserStream) Write(p []byte) (int, error) {
	s.out = append(s.out, p...)
	b := s.out
	for {
		h, n, err := parseHeader(b)
		if err != nil {
			return 0, err
		}
		if n == 0 || h.length > int64(len(b)-n) {
			break
		}
		payload := b[n:][:h.length]
		mask.XOR(payload, h.key, 0)
		if err := s.write(h, payload); err != nil {
			return 0, err
		}
		b = b[n+len(payload):]
	}
	if len(b) == 0 {
		s.out = nil
	} else if len(b) < len(s.out) {
		s.out = s.out[:copy(s.out, b)]
	}
	return len(p), nil
}

// write gives one frame to the browser.
func (s *browserStream) write(h header, payload []byte) error {
	switch h.opcode {
	case opPing:
		s.push(opPong, payload)
		return nil
	case opPong:
		return nil
	case opClose:
		s.socket.Close(browserClose(payload))
		return nil
	case opContinuation:
	default:
		s.typ = h.opcode
	}
	if !h.fin || len(s.fragments) > 0 {
		s.fragments = append(s.fragments, payload...)
		payload = s.fragments
	}
	if !h.fin {
		return nil
	}
	s.fragments = nil
	return s.send(s.typ == opText, payload)
}

// send gives one message to the browser, when it has sent most of those before.
func (s *browserStream) send(text bool, p []byte) error {
	for wait := time.Millisecond; s.socket.Buffered() > browserUnsent; wait = min(2*wait, 16*time.Millisecond) {
		if s.over() { // Buffered stays as it is
			return nil
		}
		select {
		case <-time.After(wait):
		case <-s.closed:
			return net.ErrClosed
		}
	}
	return s.socket.Send(text, p)
}

// over reports whether the browser's connection has ended. What is written then is lost, as it is on any other connection; what
// is read says why.
func (s *browserStream) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end != nil
}

// browserClose returns the code and the reason of a Close frame, as a program in a browser may give them; code 0 is none.
func browserClose(payload []byte) (code int, reason string) {
	if len(payload) < 2 {
		return 0, ""
	}
	code = int(binary.BigEndian.Uint16(payload))
	if code != int(StatusNormalClosure) && code < 3000 {
		return 0, ""
	}
	return code, string(payload[2:])
}

// Close closes the browser's WebSocket. It can't be cut: the browser makes the closing handshake.
func (s *browserStream) Close() error {
	close(s.closed)
	s.socket.Close(0, "")
	return nil
}

// ownDialer reports whether the option HTTPClient opens connections by a function of the application's, such as one in memory.
func (opts *DialOptions) ownDialer() bool {
	if opts.HTTPClient == nil {
		return false
	}
	t, ok := opts.HTTPClient.Transport.(*http.Transport)
	return ok && t != nil && (t.DialContext != nil || t.DialTLSContext != nil)
}
