package suite

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

func (c *Case) prepareRequest(r *request) {
	if c.open.request != nil {
		c.open.request(r)
	}
	if d := c.open.deflate; d != nil {
		r.set("Sec-WebSocket-Extensions", d.offer)
	}
}

func (c *Case) prepareResponse(r *response) {
	if c.open.response != nil {
		c.open.response(r)
	}
	if d := c.open.deflate; d != nil && d.answer != "" {
		r.set("Sec-WebSocket-Extensions", d.answer)
	}
}

// dial connects to the server under test.
func (s *session) dial(target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"ws": "80", "wss": "443"}[u.Scheme]
	}
	var d net.Dialer
	conn, err := d.DialContext(s.ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return err
	}
	if u.Scheme == "wss" {
		config := &tls.Config{}
		if s.opts.TLS != nil {
			config = s.opts.TLS.Clone()
		}
		if config.ServerName == "" {
			config.ServerName = u.Hostname()
		}
		s.tls = true
		c := tls.Client(conn, config)
		if err := c.HandshakeContext(s.ctx); err != nil {
			conn.Close()
			return err
		}
		conn = c
	}
	s.take(conn)
	return nil
}

// take makes conn the session's; the deadline bounds whatever else goes wrong.
func (s *session) take(conn net.Conn) {
	s.conn = conn
	if s.br == nil {
		s.br = bufio.NewReaderSize(conn, 32<<10)
	}
	if t, ok := s.ctx.Deadline(); ok {
		conn.SetDeadline(t)
	}
}

// againstServer plays the case as the client of the server under test.
func (s *session) againstServer(target string) (Verdict, string) {
	if err := s.dial(target); err != nil {
		return Failed, err.Error()
	}
	defer s.conn.Close()
	r := newRequest(target, keyFor(s.c.Number))
	s.c.prepareRequest(r)
	s.writePieces(r.bytes(), nil, s.c.open.pieces)
	h, err := readHead(s.br)
	if s.c.open.refused {
		return s.judgeRefusal(h, err)
	}
	if err != nil {
		return Failed, "no response to the handshake: " + err.Error()
	}
	s.record.notes = append(s.record.notes, h.line)
	if why := brokenReply(r, h); why != "" {
		return Failed, "handshake: " + why
	}
	if check := s.c.open.checkReply; check != nil {
		if why := check(h); why != "" {
			return Failed, why
		}
	}
	if d := s.c.open.deflate; d != nil {
		answer := h.get("Sec-WebSocket-Extensions")
		s.record.notes = append(s.record.notes, "Sec-WebSocket-Extensions: "+answer)
		p, err := negotiated(d.offer, answer)
		switch {
		case err != nil:
			return Failed, err.Error()
		case p != nil && d.declined:
			return Failed, fmt.Sprintf("an offer that must be declined is accepted: %q", answer)
		case p == nil && d.accepted:
			return Failed, "a valid offer is declined, though the plainest is not"
		case p == nil && !d.declined:
			s.part()
			return NotNegotiated, "the server declines the offer"
		case p != nil:
			s.deflate = newCompression(*p, s.role)
		}
		if why := s.cannotShare(d); why != "" {
			s.part()
			return NotNegotiated, why
		}
	}
	return s.play()
}

// cannotShare says why the suite's messages may not refer to earlier ones, if
// the case needs them to.
func (s *session) cannotShare(d *deflateOpening) string {
	if d.shares && s.deflate != nil && !s.deflate.out.takeover {
		return "the endpoint wants no context takeover: a message may not refer to an earlier one"
	}
	return ""
}

// part leaves a connection in good order without judging it.
func (s *session) part() {
	s.start()
	s.sendClose()
	s.end()
	s.conn.Close()
	<-s.reading
}

// judgeRefusal judges what came in answer to a handshake that is none.
func (s *session) judgeRefusal(h head, err error) (Verdict, string) {
	status := h.status()
	s.record.notes = append(s.record.notes, h.line)
	switch {
	case status == 101:
		return Failed, "the handshake is accepted"
	case err != nil && status == 0:
		return NonStrict, "TCP ended without a response"
	case s.c.open.ordinary:
		return Strict, h.line
	case status != s.c.open.wantStatus && (status < 400 || status > 499):
		return NonStrict, fmt.Sprintf("status %d, not 4xx", status)
	}
	if name, value, ok := strings.Cut(s.c.open.wantHeader, ": "); ok && !h.has(name, value) {
		return NonStrict, fmt.Sprintf("%s is %q", name, h.get(name))
	}
	return Strict, h.line
}

// againstClient plays the case as the server of the client under test, which
// has sent request h.
func (s *session) againstClient(h head) (Verdict, string) {
	defer s.conn.Close()
	s.record.notes = append(s.record.notes, h.line)
	if why := brokenRequest(h); why != "" {
		return Failed, "handshake: " + why
	}
	if check := s.c.open.checkRequest; check != nil {
		if why := check(s, h); why != "" {
			return Failed, why
		}
	}
	r := newResponse(acceptOf(h.get("Sec-WebSocket-Key")))
	s.c.prepareResponse(r)
	if d := s.c.open.deflate; d != nil {
		offer := h.get("Sec-WebSocket-Extensions")
		s.record.notes = append(s.record.notes, "Sec-WebSocket-Extensions: "+offer)
		if !strings.Contains(offer, "permessage-deflate") {
			return s.notNegotiated(h, "the client does not offer the extension")
		}
		if !s.c.open.refused {
			answer, p := answerFor(offer, d.answer)
			if p == nil {
				return s.notNegotiated(h, fmt.Sprintf("the client's offer %q does not allow the answer %q", offer, d.answer))
			}
			r.set("Sec-WebSocket-Extensions", answer)
			s.deflate = newCompression(*p, s.role)
			if why := s.cannotShare(d); why != "" {
				return s.notNegotiated(h, why)
			}
		}
	}
	out := r.bytes()
	for i, f := range s.c.open.with {
		out = appendFrame(out, f, false, keyOf(0, i))
	}
	if s.c.open.refused {
		return s.refuse(r, out)
	}
	s.writePieces(out, nil, s.c.open.pieces)
	return s.play()
}

// notNegotiated lets the client go with an ordinary closing handshake.
func (s *session) notNegotiated(h head, why string) (Verdict, string) {
	s.deflate = nil
	s.write(newResponse(acceptOf(h.get("Sec-WebSocket-Key"))).bytes())
	s.part()
	return NotNegotiated, why
}

// nextRequest reports whether the client takes the connection for HTTP's still, and
// asks for the next case on it, as it may after a complete response until it sees the
// end of TCP. It asks again on another connection, as this one ends unanswered.
func (s *session) nextRequest() bool {
	const get = "GET "
	s.conn.SetReadDeadline(time.Now().Add(s.opts.Timeout))
	b, _ := s.br.Peek(len(get))
	s.conn.SetReadDeadline(time.Time{})
	return string(b) == get
}

// refuse sends a response that no client may take for a valid one, with
// frames behind it that would be answered.
func (s *session) refuse(r *response, out []byte) (Verdict, string) {
	upgrade := r.status() == 101
	if upgrade {
		out = appendFrame(out, ping("answered?"), false, [4]byte{})
		out = appendFrame(out, text("echoed?"), false, [4]byte{})
	}
	s.write(out)
	if !upgrade {
		s.closeWrite() // the response is complete: TCP's end is the server's to bring about
		if s.nextRequest() {
			return Strict, "TCP ended"
		}
	}
	s.start()
	s.record.wait(s.ctx, s.opts.Timeout, func(r *record) bool { return r.ended || r.frames > 0 })
	s.conn.Close()
	<-s.reading
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	switch n := len(s.record.closes); {
	case s.record.frames > n:
		return Failed, "the handshake is taken for a valid one: " + s.record.notes[len(s.record.notes)-1]
	case n > 0:
		return NonStrict, "a Close frame on a connection that was never established"
	case !s.record.gone():
		return Failed, "TCP is not ended"
	case s.record.endErr == errCut:
		return Failed, "the client sends bytes"
	}
	return Strict, "TCP ended"
}
