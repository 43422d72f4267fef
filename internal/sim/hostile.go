package sim

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/closeonce/websocket"
)

// A raw peer keeps no rules: it writes what its script says.
type raw struct {
	world  *world
	conn   net.Conn
	end    *end
	draw   random
	masks  bool // it is the client
	script []segment

	reads    string // always, never, first: what it reads of what it is sent
	answers  bool   // it answers our Close, and our Pings
	finally  string // silence, EOF, half, reset
	inDebt   bool   // it has begun a message and not ended it
	controls bool   // the script has nothing but control frames
	flooded  bool   // the script has more data than the read-ahead holds
}

// A segment is a part of a script.
type segment struct {
	what  string
	after time.Duration
	bytes []byte
}

// frameOf encodes a frame as the raw peer's role must.
func (r *raw) frameOf(first byte, p []byte) []byte {
	return r.encode(first, p, r.masks, 0)
}

// encode encodes a frame. form is how the length is written: 0 for the shortest, or
// 16 or 64 bits.
func (r *raw) encode(first byte, p []byte, masked bool, form int) []byte {
	b := []byte{first}
	var bit byte
	if masked {
		bit = 0x80
	}
	switch n := len(p); {
	case form == 64 || n > 65535:
		b = binary.BigEndian.AppendUint64(append(b, bit|127), uint64(n))
	case form == 16 || n > 125:
		b = binary.BigEndian.AppendUint16(append(b, bit|126), uint16(n))
	default:
		b = append(b, bit|byte(n))
	}
	if masked {
		key := [4]byte{byte(r.draw.Uint32()), byte(r.draw.Uint32()), byte(r.draw.Uint32()), byte(r.draw.Uint32())}
		b = append(b, key[:]...)
		for i, c := range p {
			b = append(b, c^key[i&3])
		}
		return b
	}
	return append(b, p...)
}

func (r *raw) random(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.draw.Uint32())
	}
	return p
}

var texts = []string{"", "a", "κόσμε", "日本語", "😀 and more", "the same again and again and again", "\x00\x7f", "\uFFFF"}

func (r *raw) text() []byte {
	s := ""
	for range r.draw.between(0, 8) {
		s += one(r.draw, texts...)
	}
	return []byte(s)
}

// legal returns some legal frames.
func (r *raw) legal() segment {
	switch r.draw.IntN(7) {
	case 0, 1:
		return segment{what: "text", bytes: r.frameOf(0x81, r.text())}
	case 2:
		n := one(r.draw, 0, 1, 125, 126, 127, 1000, 5000, 65535, 65536)
		return segment{what: fmt.Sprintf("binary of %d", n), bytes: r.frameOf(0x82, r.random(n))}
	case 3:
		return segment{what: "Ping", bytes: r.frameOf(0x89, r.random(one(r.draw, 0, 4, 8, 125)))}
	case 4:
		return segment{what: "Pong", bytes: r.frameOf(0x8A, r.random(one(r.draw, 0, 8)))}
	default:
		text := []byte(strings.Repeat("añ€😀", r.draw.between(1, 6)))
		first := byte(0x01)
		var b []byte
		parts := r.draw.between(2, 6)
		for i := range parts {
			n := len(text) / (parts - i)
			b = append(b, r.frameOf(first, text[:n])...)
			text, first = text[n:], 0x00
			if i == parts-2 {
				first = 0x80
			}
			if r.draw.chance(30) {
				b = append(b, r.frameOf(0x89, r.random(3))...)
			}
		}
		return segment{what: "a fragmented text with pings between", bytes: b}
	}
}

// illegal returns frames that break the protocol.
func (r *raw) illegal() segment {
	p := r.random(r.draw.between(0, 100))
	seg := func(what string, parts ...[]byte) segment {
		var b []byte
		for _, part := range parts {
			b = append(b, part...)
		}
		return segment{what: what, bytes: b}
	}
	closing := func(code int, reason string) []byte {
		return r.frameOf(0x88, append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...))
	}
	all := []func() segment{
		func() segment { return seg("RSV1", r.frameOf(0xC2, p)) },
		func() segment { return seg("RSV2", r.frameOf(0xA1, nil)) },
		func() segment { return seg("RSV3", r.frameOf(0x92, p)) },
		func() segment { return seg("RSV1 on a Ping", r.frameOf(0xC9, p)) },
		func() segment { return seg("reserved data opcode", r.frameOf(0x80|byte(r.draw.between(3, 7)), p)) },
		func() segment { return seg("reserved control opcode", r.frameOf(0x80|byte(r.draw.between(11, 15)), p)) },
		func() segment { return seg("wrong mask", r.encode(0x82, p, !r.masks, 0)) },
		func() segment { return seg("wrong mask on a Ping", r.encode(0x89, p, !r.masks, 0)) },
		func() segment {
			return seg("long control", r.frameOf(one[byte](r.draw, 0x88, 0x89, 0x8A), r.random(126)))
		},
		func() segment { return seg("fragmented control", r.frameOf(one[byte](r.draw, 0x08, 0x09, 0x0A), nil)) },
		func() segment { return seg("length in 16 bits", r.encode(0x82, p, r.masks, 16)) },
		func() segment { return seg("length in 64 bits", r.encode(0x82, p, r.masks, 64)) },
		func() segment { return seg("a Ping's length in 16 bits", r.encode(0x89, p, r.masks, 16)) },
		func() segment { return r.lie("top bit of the length", 1<<63+5) },
		func() segment { return r.lie("a length of all ones", 1<<64-1) },
		func() segment { return seg("continuation of nothing", r.frameOf(one[byte](r.draw, 0x80, 0x00), p)) },
		func() segment {
			return seg("message inside a message", r.frameOf(0x02, p), r.frameOf(one[byte](r.draw, 0x81, 0x01, 0x82), nil))
		},
		func() segment {
			return seg("not UTF-8", r.frameOf(0x81, []byte(one(r.draw, "a\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "ok \x80"))))
		},
		func() segment {
			return seg("not UTF-8, over two frames", r.frameOf(0x01, []byte("a\xe2\x82")), r.frameOf(0x80, []byte(one(r.draw, "", "a", "\x7f"))))
		},
		func() segment {
			return seg("not UTF-8, followed by a Ping", r.frameOf(0x01, []byte("\xf0\x9f\x98")), r.frameOf(0x89, nil), r.frameOf(0x00, []byte("\x41")), r.frameOf(0x80, nil))
		},
		func() segment { return seg("Close of one byte", r.frameOf(0x88, []byte{3})) },
		func() segment {
			code := one(r.draw, 0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535)
			return seg(fmt.Sprintf("Close with %d", code), closing(code, ""))
		},
		func() segment { return seg("Close whose reason is not UTF-8", closing(1000, "\xc3\x28")) },
	}
	return all[r.draw.IntN(len(all))]()
}

// lie returns the header of a frame that claims a length, and a few bytes.
func (r *raw) lie(what string, length uint64) segment {
	b := []byte{0x82, 127}
	if r.masks {
		b[1] |= 0x80
	}
	b = binary.BigEndian.AppendUint64(b, length)
	return segment{what: what, bytes: append(b, r.random(40)...)}
}

// write draws the script.
func (r *raw) write(limit int64) {
	add := func(s segment) {
		s.after = r.draw.upTo(one(r.draw, time.Microsecond, time.Millisecond, 100*time.Millisecond, 3*time.Second))
		r.script = append(r.script, s)
	}
	for range r.draw.between(0, 4) {
		add(r.legal())
	}
	switch n := r.draw.IntN(100); {
	case n < 40:
		add(r.illegal())
	case n < 55:
		code := one(r.draw, 1000, 1001, 1011, 3000, 4999)
		payload := append(binary.BigEndian.AppendUint16(nil, uint16(code)), one(r.draw, "", "bye", "日本")...)
		if r.draw.chance(20) {
			payload = nil
		}
		add(segment{what: "Close", bytes: r.frameOf(0x88, payload)})
		switch r.draw.IntN(5) {
		case 0:
			add(segment{what: "second Close", bytes: r.frameOf(0x88, []byte{0x0F, 0xA0})})
		case 1:
			add(r.legal())
		case 2:
			add(r.illegal())
		}
		return
	case n < 60:
		b := r.frameOf(0x01, []byte("x"))
		for range r.draw.between(100, 6000) {
			b = append(b, r.frameOf(0x00, nil)...)
		}
		add(segment{what: "empty fragments", bytes: b})
		r.inDebt = true
		return
	case n < 68:
		r.script, r.controls = nil, true
		var b []byte
		for i := range r.draw.between(100, 3000) {
			b = append(b, r.frameOf(0x89, append([]byte(fmt.Sprint(i, " ")), make([]byte, 100)...))...)
		}
		add(segment{what: "a flood of Pings", bytes: b})
		return
	case n < 76:
		var b []byte
		size := one(r.draw, 0, 1, 100, 5000, 65536)
		for len(b) < 300_000 {
			b = append(b, r.frameOf(0x82, r.random(size))...)
		}
		r.flooded = true
		add(segment{what: fmt.Sprintf("a flood of messages of %d", size), bytes: b})
	case n < 82:
		whole := r.frameOf(one[byte](r.draw, 0x82, 0x01, 0x89, 0x88), []byte("\x03\xe8 half"))
		add(segment{what: "half a frame", bytes: whole[:r.draw.between(1, len(whole)-1)]})
		r.inDebt = true
		return
	case n < 88:
		claim := one(r.draw, limit, limit+1, 1<<40, 1<<62)
		s := r.lie(fmt.Sprintf("a length of %d", claim), uint64(claim))
		add(s)
		r.inDebt = true
		return
	case n < 91:
		// Each fragment is within the limit, the message is not.
		first := byte(0x02)
		var b []byte
		for total := int64(0); total <= limit; total += limit / 4 {
			b = append(b, r.frameOf(first, make([]byte, limit/4+1))...)
			first = 0x00
		}
		r.flooded, r.inDebt = true, true
		add(segment{what: "fragments over the limit", bytes: b})
		return
	case n < 95:
		add(segment{what: "garbage", bytes: r.random(r.draw.between(1, 300))})
		r.inDebt = true
		return
	}
	for range r.draw.between(0, 3) {
		add(r.legal())
	}
}

// run plays the script.
func (r *raw) run(stop chan struct{}) {
	var reading sync.WaitGroup
	reading.Go(r.read)
	for _, s := range r.script {
		time.Sleep(s.after)
		r.world.trace.event("hostile: %s, %d bytes", s.what, len(s.bytes))
		r.conn.SetWriteDeadline(time.Now().Add(2 * time.Minute))
		n, err := r.conn.Write(s.bytes)
		if err != nil {
			r.world.trace.event("hostile: %d bytes of it went out: %v", n, err)
			if r.controls && errors.Is(err, os.ErrDeadlineExceeded) {
				r.world.trace.fail("our side stopped reading Pings")
			}
			break
		}
	}
	select {
	case <-stop:
	case <-time.After(r.draw.upTo(time.Second)):
	}
	switch r.finally {
	case "EOF":
		r.conn.Close()
	case "half":
		r.conn.(interface{ CloseWrite() error }).CloseWrite()
	case "reset":
		r.world.link.reset()
	}
	<-stop
	r.conn.Close()
	reading.Wait()
}

// read reads what it is sent, and answers if it is polite.
func (r *raw) read() {
	if r.reads == "never" {
		return
	}
	p := make([]byte, 4096)
	limit := 1 << 30
	if r.reads == "first" {
		limit = newRandom(r.world.seed, 9).between(1, 2000)
	}
	answered := 0
	wire := r.world.peers[0].wire
	reply := &raw{draw: newRandom(r.world.seed, 8), masks: r.masks} // r.draw is the writer's
	for limit > 0 {
		n, err := r.conn.Read(p[:min(len(p), limit)])
		limit -= n
		if err == io.EOF {
			r.world.trace.event("hostile: sees EOF")
		}
		if err != nil {
			return
		}
		if !r.answers {
			continue
		}
		frames := wire.seen().taken(r.end.in.taken())
		for _, f := range frames[answered:] {
			switch f.opcode {
			case 9:
				if !r.inDebt {
					r.conn.Write(reply.frameOf(0x8A, f.payload))
				}
			case 8:
				if !r.inDebt {
					r.conn.Write(reply.frameOf(0x88, f.payload))
				}
			}
		}
		answered = len(frames)
	}
}

// hostile runs one of our Conns against a peer that keeps no rules.
func (w *world) hostile(role string) {
	w.trace.event("a hostile peer against our %s, seed %d", role, w.seed)
	p := w.peer(role)
	r := &raw{world: w, draw: newRandom(w.seed, 7), masks: role == "server"}
	r.reads = one(w.draw, "always", "always", "always", "never", "first")
	r.answers = w.draw.chance(60)
	r.finally = one(w.draw, "silence", "silence", "EOF", "half", "reset")
	p.out = newLedger()
	p.heard.judges = true
	p.heard.quiet = true
	if !w.meet(p, r) {
		return
	}
	r.write(p.opts.limit())
	w.trace.event("the hostile peer reads %s, answers %t, finally %s", r.reads, r.answers, r.finally)

	weather := w.drawWeather(false)
	weather.stallTo = 0
	if r.flooded || r.controls {
		weather = fair
	}
	w.trace.event("weather: %+v", weather)
	w.link.up.setWeather(weather)
	w.link.down.setWeather(weather)
	if r.reads != "always" && w.draw.chance(70) {
		p.end.out.setWeather(fair)
	}

	drains := w.draw.chance(70)
	var group, raws sync.WaitGroup
	stop := make(chan struct{})
	raws.Go(func() { r.run(stop) })
	actors := w.actors(p, w.draw.between(0, 3), min(weather.biggest(), 20_000), w.draw.chance(15))
	for _, a := range actors {
		if !drains {
			a.mood.read, a.mood.appendRead, a.mood.reader, a.mood.messages = 0, 0, 0, 0
		}
		group.Go(a.run)
	}
	if drains {
		time.Sleep(w.draw.upTo(time.Second))
		group.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			p.drain(ctx)
		})
	}
	if !w.wait("programs", &group) {
		close(stop)
		raws.Wait()
		return
	}
	time.Sleep(w.draw.upTo(one(w.draw, time.Millisecond, time.Second, 3*time.Minute)))
	p.bounded(r, drains)
	if p.over().IsZero() && !p.closed() && !p.noReads() && r.reads == "always" && p.heard.seen().breach == nil && p.heard.seen().close() == nil && p.wire.seen().close() == nil && drains {
		p.answered("in the end")
	}
	if p.over().IsZero() {
		if w.draw.chance(30) {
			c := p.begin("main", "CloseNow", nil)
			p.closing(c, true, 0)
			c.end(p.conn.CloseNow())
		} else {
			group.Go(func() { p.closeAs("main", context.Background(), "Close", 1001, "the end") })
			w.wait("closing", &group)
		}
	}
	p.punished(r, drains)
	close(stop)
	raws.Wait()
}

// meet makes the Conn, and leaves the other end to the raw peer.
func (w *world) meet(p *peer, r *raw) bool {
	var err error
	var c *websocket.Conn
	if p.role == "server" {
		r.end = w.link.client()
		r.conn = tcpEnd{r.end}
		w.down.handshake = true
		var br *bufio.Reader
		if w.draw.chance(30) {
			// Frames come right behind the handshake.
			s := segment{what: "text", bytes: r.frameOf(0x81, r.text())}
			r.conn.Write(s.bytes)
			w.trace.event("hostile: %s at once", s.what)
			br = bufio.NewReaderSize(dress(p.end, p.opts.end), 4096)
			br.Peek(1)
		}
		c, err = accept(dress(p.end, p.opts.end), request(), br, p.opts)
	} else {
		r.end = w.link.server()
		r.conn = tcpEnd{r.end}
		w.up.handshake, w.down.handshake = true, true
		answered := make(chan error, 1)
		go func() {
			_, err := answer(r.conn)
			answered <- err
		}()
		c, err = dial(context.Background(), dress(p.end, p.opts.end), p.opts)
		if e := <-answered; err == nil {
			err = e
		}
	}
	if err != nil {
		w.trace.fail("handshake: %v", err)
		return false
	}
	p.attach(c)
	return true
}

// bounded: an application that reads nothing makes the connection take no more
// than the read-ahead and a buffer.
func (p *peer) bounded(r *raw, drains bool) {
	if drains || !r.flooded || p.closed() || p.noReads() || !p.over().IsZero() || p.heard.seen().breach != nil || p.wire.seen().close() != nil {
		return
	}
	if n := p.end.in.taken(); n > 150<<10 {
		p.fail("took %d bytes that nobody reads", n)
	}
}

// punished: a peer that broke the protocol was told so, and TCP was closed.
func (p *peer) punished(r *raw, drains bool) {
	s := p.heard.seen()
	if !drains {
		return
	}
	if s.breach == nil {
		p.overLimit(r, s)
		return
	}
	if p.end.in.taken() < s.breach.at {
		return
	}
	p.life.mu.Lock()
	closes, noReads := len(p.life.closes) > 0, p.life.noReads
	p.life.mu.Unlock()
	if closes || noReads || p.end.out.lost() || p.end.in.lost() {
		return
	}
	ours := p.wire.seen().close()
	if ours == nil {
		if r.reads == "always" && r.finally != "EOF" && r.finally != "reset" && p.wire.seen().pending == 0 {
			p.fail("did not answer a breach (%s) with Close", s.breach.what)
		}
		return
	}
	if code := ours.closeCode(); code != s.breach.code && !(code == 1009 && s.largest > p.opts.limit()) && !(code == 1008 && s.maxEmpty > 4000) {
		p.fail("answered a breach (%s) with %d, not %d", s.breach.what, code, s.breach.code)
	}
	cause := context.Cause(p.conn.Context())
	var broke websocket.ProtocolError
	switch {
	case cause == nil:
		p.fail("answered a breach (%s) with Close, and does not end", s.breach.what)
	case errors.As(cause, &broke):
		if int(broke.Code) != ours.closeCode() {
			p.fail("sent Close %d, and says %v", ours.closeCode(), cause)
		}
	case errors.Is(cause, websocket.ErrMessageTooBig):
	default:
		p.fail("the cause after a breach (%s) is %v", s.breach.what, cause)
	}
}

// overLimit: a message over a limit is refused, whoever sends it.
func (p *peer) overLimit(r *raw, s seen) {
	p.life.mu.Lock()
	asked := p.life.noReads
	for _, e := range p.life.closes {
		asked = asked || e.call.who != "main"
	}
	p.life.mu.Unlock()
	if asked || s.close() != nil || r.reads != "always" || r.finally != "silence" || p.end.in.lost() || p.end.out.lost() {
		return
	}
	ours := p.wire.seen().close()
	if ours == nil && (p.wire.seen().pending > 0 || p.end.out.stuck()) {
		return // there was no room for it
	}
	if s.largest > p.opts.limit() && (ours == nil || ours.closeCode() != 1009) {
		p.fail("a message of %d bytes was announced, over the limit of %d, and not refused", s.largest, p.opts.limit())
	}
	if s.maxEmpty > 5000 && s.largest <= p.opts.limit() && (ours == nil || ours.closeCode() != 1008) {
		p.fail("a message had %d empty fragments, and was not refused", s.maxEmpty)
	}
}
