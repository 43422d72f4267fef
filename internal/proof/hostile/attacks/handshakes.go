package attacks

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/closeonce/websocket"
)

// handshakeAttacks come before there is a WebSocket.
func handshakeAttacks() []Attack {
	const why = "they are bytes of HTTP/1.1. Over HTTP/2 and HTTP/3, net/http and quic-go parse requests and bound their " +
		"size and time; the same functions check the fields; and TestBadPeer of http2 and http3 has the peers that break those protocols"
	// Who was refused may ask again, for as long as net/http lets him.
	refusing := settings{App: "echo", IdleTimeout: time.Second}
	return onlyHTTP1(why, []Attack{
		{
			name:    "10,000 half-open connections, half of them silent",
			subject: settings{App: "echo", ReadHeaderTimeout: 5 * time.Second},
			conns:   10000, few: 200,
			want: []string{"400", "end"}, // what a server says to those who have said something
			run:  halfOpen,
		},
		{
			name:    "handshake, one byte per second",
			subject: settings{App: "echo", ReadHeaderTimeout: 3 * time.Second},
			conns:   200, few: 20,
			want: []string{"400"},
			run:  slowHandshake,
		},
		{
			name:    "header of more than 1 MiB",
			subject: settings{App: "echo"},
			conns:   20, few: 4,
			want: []string{"431"},
			run: func(f *field) error {
				if err := f.request("Cookie: " + strings.Repeat("a", 1<<20+8<<10) + "\r\n"); err != nil {
					return err
				}
				return f.untilRid()
			},
		},
		{
			name:    "header of nearly 1 MiB",
			subject: settings{App: "stuck"},
			conns:   20, few: 4,
			want: []string{"101"},
			ends: silentPeers,
			run:  func(f *field) error { return f.request("Cookie: " + strings.Repeat("a", 1<<20-4<<10) + "\r\n") },
		},
		{
			name:    "key of 1 MiB, which the response must not repeat",
			subject: refusing,
			conns:   20, few: 4,
			want: []string{"400"},
			run: func(f *field) error {
				return f.requests([]refused{{"400", swap("Sec-WebSocket-Key: "+nonce, "Sec-WebSocket-Key: "+strings.Repeat("\x80", 1<<20-4<<10))}})
			},
		},
		{
			name:    "500,000 subprotocols, the first of them accepted",
			subject: settings{App: "stuck", Subprotocols: []string{"chat"}},
			conns:   20, few: 4,
			want: []string{"101"},
			ends: silentPeers,
			run: func(f *field) error {
				return f.request("Sec-WebSocket-Protocol: chat" + strings.Repeat(",x", 500000) + "\r\n")
			},
		},
		{
			name:    "50,000 offers of compression",
			subject: settings{App: "stuck", Compression: websocket.CompressionContextTakeover},
			conns:   20, few: 4,
			want: []string{"101"},
			ends: silentPeers,
			run: func(f *field) error {
				return f.request("Sec-WebSocket-Extensions: x" + strings.Repeat(",permessage-deflate;q", 50000) + "\r\n")
			},
		},
		{
			name:    "pages of other origins",
			subject: refusing,
			conns:   len(foreign), few: len(foreign),
			want: []string{"403"},
			run:  func(f *field) error { return f.requests(foreign) },
		},
		{
			name:    "smuggled and split headers",
			subject: refusing,
			conns:   len(smuggled), few: len(smuggled),
			want: []string{"400", "405", "426", "501", "505", "Close 1002"},
			run:  smuggle,
		},
		{
			name:    "wrong or repeated key and version",
			subject: refusing,
			conns:   len(wrongFields), few: len(wrongFields),
			want: []string{"400", "426"},
			run:  func(f *field) error { return f.requests(wrongFields) },
		},
	})
}

const silentPeers = "KeepAlive finds it silent, 30 s by default"

// halfOpen begins handshakes and leaves it at that.
func halfOpen(f *field) error {
	peers := make([]*peer, f.conns)
	err := f.each(func(i int) (err error) {
		if peers[i], err = f.dial(); err == nil && i%2 == 0 {
			_, err = io.WriteString(peers[i], "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgr")
		}
		return err
	})
	if err == nil {
		err = f.worst()
	}
	if err != nil {
		return err
	}
	if err := f.untilRid(); err != nil {
		return err
	}
	return f.each(func(i int) error {
		f.answered(peers[i].status())
		return nil
	})
}

// slowHandshake sends a byte of its request now and then.
func slowHandshake(f *field) error {
	peers := make([]*peer, f.conns)
	err := f.each(func(i int) (err error) {
		peers[i], err = f.dial()
		return err
	})
	if err != nil {
		return err
	}
	stop := f.drip(peers, []byte(handshake("")))
	defer stop()
	if err := f.worst(); err != nil {
		return err
	}
	if err := f.untilRid(); err != nil {
		return err
	}
	return f.each(func(i int) error {
		f.answered(peers[i].status())
		return nil
	})
}

// drip sends one byte of b per unit to all peers, until it is stopped.
func (f *field) drip(peers []*peer, b []byte) (stop func()) {
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(f.unit)
		defer tick.Stop()
		for i := range b {
			for _, p := range peers {
				p.SetWriteDeadline(time.Now().Add(f.unit))
				p.Write(b[i : i+1]) // it fails when the endpoint has enough of it
			}
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-stopped }
}

// request makes all peers send a handshake with a field more.
func (f *field) request(extra string) error {
	b := []byte(handshake(extra))
	err := f.each(func(i int) error {
		p, err := f.dial()
		if err != nil {
			return err
		}
		written := make(chan struct{})
		go func() { p.Write(b); close(written) }()
		f.answered(p.status())
		<-written
		return nil
	})
	if err == nil {
		err = f.settled()
	}
	return err
}

// refused is a request and how it is answered.
type refused struct{ status, request string }

// requests sends request i%n from peer i.
func (f *field) requests(list []refused) error {
	err := f.each(func(i int) error {
		p, err := f.dial()
		if err != nil {
			return err
		}
		r := list[i%len(list)]
		go io.WriteString(p, r.request)
		got, head := p.response()
		if got == "101" && r.status != "101" {
			got = p.verdict()
		}
		if got != r.status {
			return fmt.Errorf("the answer to %.300q is %s, want %s", r.request, got, r.status)
		}
		if length, ok := contentLength(head); length > 1000 || !ok && strings.Contains(head, "Transfer-Encoding") {
			return fmt.Errorf("the answer to %.300q has too many bytes: %.300q", r.request, head)
		}
		f.answered(got)
		return nil
	})
	if err == nil {
		err = f.settled()
	}
	if err != nil {
		return err
	}
	return f.untilRid()
}

func contentLength(head string) (n int, ok bool) {
	_, rest, ok := strings.Cut(head, "Content-Length: ")
	if ok {
		fmt.Sscan(rest, &n)
	}
	return n, ok
}

// with is a proper handshake with fields more.
func with(fields ...string) string { return handshake(strings.Join(fields, "\r\n") + "\r\n") }

// swap is a proper handshake in which something is replaced.
func swap(old, new string) string { return strings.Replace(handshake(""), old, new, 1) }

// foreign are the origins of pages that must not connect.
var foreign = []refused{
	{"403", with("Origin: https://evil.example")},
	{"403", with("Origin: http://localhost.evil.example")},
	{"403", with("Origin: http://evil.example/localhost")},
	{"403", with("Origin: http://localhost@evil.example")},
	{"403", with("Origin: http://evil.example#localhost")},
	{"403", with("Origin: http://localhost:81")},
	{"403", with("Origin: null")},
	{"403", with("Origin: localhost")},
	{"403", with("Origin: file://")},
	{"403", with("Origin: http://[::1")},
	{"403", with("Origin: http://localhost", "Origin: https://evil.example")},
	{"403", with("Origin: http://localhost, https://evil.example")},
	{"403", with("Origin: https://evil.example", "X-Forwarded-Host: evil.example")},
}

// wrongFields are wrong or repeated.
var wrongFields = []refused{
	{"400", swap("Sec-WebSocket-Key: "+nonce+"\r\n", "")},
	{"400", swap(nonce, "")},
	{"400", swap(nonce, "AAAAAAAAAAAAAAAAAAAA")},     // 15 bytes
	{"400", swap(nonce, "AAAAAAAAAAAAAAAAAAAAAAA=")}, // 17 bytes
	{"400", swap(nonce, "not base64, not base64!!")},
	{"400", swap(nonce, nonce+", "+nonce)},
	{"400", with("Sec-WebSocket-Key: " + nonce)},
	{"400", with("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")},
	{"426", swap("Sec-WebSocket-Version: 13\r\n", "")},
	{"426", swap("Version: 13", "Version:")},
	{"426", swap("Version: 13", "Version: 12")},
	{"426", swap("Version: 13", "Version: 8, 13")},
	{"426", swap("Version: 13", "Version: 013")},
	{"426", swap("Version: 13", "Version: 13.0")},
	{"426", with("Sec-WebSocket-Version: 13")},
	{"426", with("Sec-WebSocket-Version: 8")},
	{"426", swap("Upgrade: websocket", "Upgrade: h2c")},
	{"426", swap("Connection: Upgrade", "Connection: keep-alive")},
	{"400", with("Sec-WebSocket-Protocol: a b")},
}

// smuggled are requests of which a proxy could think otherwise than the server,
// and handshakes that hide another request.
var smuggled = []refused{
	{"400", with("Content-Length: 4") + "ABCD"},
	{"400", with("Transfer-Encoding: chunked") + "0\r\n\r\n"},
	{"400", with("Content-Length: 5", "Transfer-Encoding: chunked") + "0\r\n\r\n"},
	{"400", with("Content-Length: 4", "Content-Length: 5") + "ABCDE"},
	{"400", with("Content-Length: +4") + "ABCD"},
	{"501", with("Transfer-Encoding: x, chunked") + "0\r\n\r\n"},
	{"400", with("Transfer-Encoding : chunked") + "0\r\n\r\n"},
	{"400", swap("Upgrade: websocket", "Upgrade : websocket")},
	{"400", swap("Sec-WebSocket-Key: ", "Sec-WebSocket-Key: AAAA\r\n ")},
	{"400", with("Sec-WebSocket-Protocol: chat\rSet-Cookie: a=b")},
	{"400", with("Sec-WebSocket-Protocol: chat\x00")},
	{"400", with("Sec-WebSocket-Protocol: chat\x0Bx")},
	{"400", with("Bad Name: x")},
	{"400", with("no colon")},
	{"400", with("Host: other.example")},
	{"400", swap("Host: localhost\r\n", "")},
	{"400", swap("Host: localhost", "Host: local/host")},
	{"400", swap("HTTP/1.1", "HTTP/1.0")},
	{"505", swap("HTTP/1.1", "HTTP/3.0")},
	{"400", swap("GET /ws HTTP/1.1", "GET /ws evil HTTP/1.1")},
	{"405", swap("GET", "POST")},
	{"405", swap("GET", "CONNECT")},
	{"Close 1002", handshake("") + "GET /admin HTTP/1.1\r\nHost: localhost\r\n\r\n"},
	{"Close 1002", handshake("") + "POST /admin HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"},
}

// smuggle sends them, and looks whether a hidden request was served.
func smuggle(f *field) error {
	if err := f.requests(smuggled); err != nil {
		return err
	}
	r, err := f.subject.ask(order{Do: "counts"})
	if n := r.Counts["admin"]; n > 0 {
		return fmt.Errorf("%d hidden requests were served", n)
	}
	return err
}
