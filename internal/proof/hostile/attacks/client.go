package attacks

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/closeonce/websocket"
)

// answerAttacks are made by servers that open no WebSocket.
func answerAttacks() []Attack {
	const why = "they are bytes of HTTP/1.1. Over HTTP/2 and HTTP/3, net/http's and quic-go's clients parse and bound the response, " +
		"and what is checked of it is the same"
	return onlyHTTP1(why, []Attack{
		{
			name:    "client: endless response header",
			subject: settings{App: "echo", MaxResponseHeaderBytes: 64 << 10},
			conns:   20, few: 10, want: []string{"error"},
			run: func(f *field) error {
				return f.lure(func(_ int, p *peer, head string) {
					io.WriteString(p, "HTTP/1.1 101 Switching Protocols\r\n")
					p.flood(bytes.Repeat([]byte("A: "+strings.Repeat("a", 1000)+"\r\n"), 16), 4<<20)
				})
			},
		},
		{
			name:    "client: endless 100 Continue",
			subject: settings{App: "echo", MaxResponseHeaderBytes: 64 << 10},
			conns:   20, few: 10, want: []string{"error"},
			run: func(f *field) error {
				return f.lure(func(_ int, p *peer, head string) {
					p.flood(bytes.Repeat([]byte("HTTP/1.1 100 Continue\r\nA: a\r\n\r\n"), 500), 4<<20)
				})
			},
		},
		{
			name:    "client: no response",
			subject: settings{App: "echo", HandshakeTimeout: 2 * time.Second},
			conns:   200, few: 20, want: []string{"deadline exceeded"}, silent: true,
			run: func(f *field) error { return f.lure(func(int, *peer, string) {}) },
		},
		{
			name:    "client: endless body instead of a WebSocket",
			subject: settings{App: "echo"},
			conns:   20, few: 10, want: []string{"HandshakeError"},
			run: func(f *field) error {
				return f.lure(func(_ int, p *peer, head string) {
					io.WriteString(p, "HTTP/1.1 200 OK\r\n\r\n")
					p.flood(bytes.Repeat([]byte("endless "), 2000), 4<<20)
				})
			},
		},
		{
			name:    "client: wrong Sec-WebSocket-Accept, subprotocol, extension",
			subject: settings{App: "echo"},
			conns:   20, few: 10, want: []string{"HandshakeError"},
			run: func(f *field) error {
				return f.lure(func(i int, p *peer, head string) {
					io.WriteString(p, []string{
						strings.Replace(acceptance(head, ""), "Accept: ", "Accept: A", 1),
						acceptance(head, "Sec-WebSocket-Protocol: chat"+strings.Repeat("!", 256<<10)+"\r\n"),
						acceptance(head, extensionField(offer)),
					}[i%3])
				})
			},
		},
	})
}

// clientAttacks are made by servers that have accepted a WebSocket.
func clientAttacks() []Attack {
	const application = "the application reads or closes"
	return []Attack{
		{
			name:    "client: masked frames",
			subject: settings{App: "echo"},
			conns:   50, few: 20, want: []string{"Close 1002"},
			run: func(f *field) error { return f.deceive("", frame(nil, fin|text, []byte("masked"), true)) },
		},
		{
			name:    "client: length fields of 2^63-1",
			subject: settings{App: "echo"},
			conns:   200, few: 40, want: []string{"Close 1009"},
			run: func(f *field) error { return f.deceive("", header(nil, fin|binaryFrame, 1<<63-1, false)) },
		},
		{
			name:    "client: length fields of 2^64-1",
			subject: settings{App: "echo"},
			conns:   200, few: 40, want: []string{"Close 1002"},
			run: func(f *field) error { return f.deceive("", header(nil, fin|binaryFrame, 1<<64-1, false)) },
		},
		{
			name:    "client: endless empty fragments",
			subject: settings{App: "echo"},
			conns:   50, few: 20, want: []string{"Close 1008"},
			run: func(f *field) error {
				return f.deceive("", append(frame(nil, text, nil, false), bytes.Repeat(frame(nil, continuation, nil, false), 50000)...))
			},
		},
		{
			name:    "client: deflate bomb of 64 MiB",
			subject: settings{App: "echo", Compression: websocket.CompressionContextTakeover},
			conns:   50, few: 20, want: []string{"Close 1009"},
			run: func(f *field) error {
				return f.deceive(offer, frame(nil, fin|compressed|binaryFrame, inflatesTo(64<<20), false))
			},
		},
		{
			name:    "client: ping flood, neither Pongs nor messages are read",
			subject: settings{App: "stuck", SmallSockets: true},
			conns:   20, few: 10, ends: silentPeers,
			run: func(f *field) error {
				return f.pester(bytes.Repeat(frame(nil, fin|ping, make([]byte, 125), false), 100))
			},
		},
		{
			name:    "client: small messages to an application that never reads",
			subject: settings{App: "stuck", SmallSockets: true, KeepAlive: time.Second},
			conns:   50, few: 20, ends: application,
			run: func(f *field) error {
				return f.pester(bytes.Repeat(frame(nil, fin|binaryFrame, make([]byte, 64), false), 200))
			},
		},
	}
}

// lure has the clients dial a server that deals with each of them as it likes, and
// counts what becomes of the handshakes.
func (f *field) lure(serve func(i int, p *peer, head string)) error {
	if err := f.dialled(serve); err != nil {
		return err
	}
	if err := f.await("refused", f.conns); err != nil {
		return err
	}
	r, err := f.subject.ask(order{Do: "counts"})
	if err != nil {
		return err
	}
	delete(r.Counts, "refused")
	f.answers = r.Counts
	if err := f.worst(); err != nil {
		return err
	}
	return f.untilRid()
}

// deceive opens WebSockets to clients and sends them b.
func (f *field) deceive(extensions string, b []byte) error {
	err := f.trapped(extensions, func(p *peer) {
		done := make(chan struct{})
		go func() { p.floodFor(b, len(b), patience); close(done) }()
		f.answered(p.verdict())
		<-done
	})
	if err == nil {
		err = f.worst()
	}
	if err != nil {
		return err
	}
	return f.untilRid()
}

// pester opens WebSockets to clients, sends them b until they take no more, and
// reads nothing.
func (f *field) pester(b []byte) error {
	err := f.trapped("", func(p *peer) {
		p.narrow()
		p.flood(b, 1<<20)
	})
	if err == nil {
		err = f.worst()
	}
	return err
}

// trapped has the clients open WebSockets to a server, and waits until it has dealt
// with all.
func (f *field) trapped(extensions string, serve func(p *peer)) error {
	if f.road == nil {
		return f.dialled(func(_ int, p *peer, head string) {
			io.WriteString(p, acceptance(head, extensionField(extensions)))
			serve(p)
		})
	}
	trap, err := f.road.Lure(extensions)
	if err != nil {
		return err
	}
	f.traps = append(f.traps, trap)
	beside, err := f.beginHonestServer(trap)
	if err != nil {
		return err
	}
	if _, err := f.subject.ask(order{Do: "dial", URL: trap.URL, Count: f.conns}); err != nil {
		return err
	}
	err = f.each(func(int) error {
		nc, err := trap.Accept()
		if err == nil {
			serve(f.peer(nc))
		}
		return err
	})
	waited, honestErr := beside.end()
	f.waited = max(f.waited, waited)
	return errors.Join(err, honestErr)
}

// dialled has the clients dial a server, and waits until it has dealt with all.
func (f *field) dialled(serve func(i int, p *peer, head string)) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	if _, err := f.subject.ask(order{Do: "dial", URL: fmt.Sprintf("ws://%s/", ln.Addr()), Count: f.conns}); err != nil {
		return err
	}
	return f.each(func(i int) error {
		nc, err := ln.Accept()
		if err != nil {
			return err
		}
		p := f.peer(nc)
		_, head := p.response() // a request's head ends as a response's does
		serve(i, p, head)
		return nil
	})
}
