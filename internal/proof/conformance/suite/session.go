package suite

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"time"
)

// session plays one case on one connection.
type session struct {
	ctx  context.Context
	opts *Options
	c    *Case
	role Role // of the endpoint under test
	conn net.Conn
	br   *bufio.Reader
	tls  bool

	at      int // the step under way
	record  *record
	deflate *compression
	gate    *gate // of the cases in which the suite does not read for a while
	late    bool  // a failure that had to be at once was not
	sent    sample
	opened  bool

	unbounded bool // the endpoint took all, though none of its answers was read
	closing   bool // the suite has sent a Close
	reading   chan struct{}
}

// sample keeps the first bytes that went out, for the report.
type sample struct {
	first []byte
	total int
}

func (s *sample) add(p []byte) {
	s.first = append(s.first, p[:min(len(p), 256-len(s.first))]...)
	s.total += len(p)
}

func (s *session) masks() bool { return s.role == Server }

// write sends p. That the endpoint ends TCP in between is no error of the
// suite: what came until then is judged.
func (s *session) write(p []byte) error {
	s.sent.add(p)
	_, err := s.conn.Write(p)
	return err
}

// piecePause is long enough that pieces on the loopback are read one by one,
// mostly: more is not needed, for all splits are legal.
const piecePause = 300 * time.Microsecond

// writePieces sends p cut at the offsets, or every so many bytes.
func (s *session) writePieces(p []byte, cutAt []int, every int) error {
	if every > 0 {
		for at := every; at < len(p); at += every {
			cutAt = append(cutAt, at)
		}
	}
	from := 0
	for _, at := range append(cutAt, len(p)) {
		if at = min(at, len(p)); at == from {
			continue
		}
		if err := s.write(p[from:at]); err != nil {
			return err
		}
		from = at
		if from < len(p) && len(cutAt) <= 200 {
			s.pause(piecePause)
		}
	}
	return nil
}

func (s *session) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ctx.Done():
	}
}

func (s *session) closeWrite() error {
	if c, ok := s.conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// sendClose sends the suite's own Close, once.
func (s *session) sendClose() {
	if !s.closing {
		s.closing = true
		s.write(appendFrame(nil, closing(1000, ""), s.masks(), keyOf(len(s.c.steps), 0)))
	}
}

// start begins to read frames; the handshake is over.
func (s *session) start() {
	s.opened = true
	for _, st := range s.c.steps {
		switch st.(type) {
		case unread, flood:
			s.gate = &gate{r: s.br}
			s.br = bufio.NewReaderSize(s.gate, 32<<10)
		}
	}
	s.reading = make(chan struct{})
	go func() {
		defer close(s.reading)
		s.read()
	}()
}

// play runs the case's steps and judges what came.
func (s *session) play() (Verdict, string) {
	w := &s.c.want
	s.start()
	for i, st := range s.c.steps {
		s.at = i
		if st.play(s) != nil {
			break
		}
	}
	if w.ending == closed {
		s.closing = true
	}
	if w.ending == normal {
		await{len(w.messages), 0}.come(s)
		if !w.newest {
			await{0, len(w.pongs)}.come(s)
		} else {
			last := w.pongs[len(w.pongs)-1]
			s.record.wait(s.ctx, s.opts.Timeout, func(r *record) bool {
				return len(r.pongs) > 0 && r.pongs[len(r.pongs)-1] == last
			})
		}
		s.sendClose()
	}
	s.end()
	s.conn.Close()
	<-s.reading
	return s.judge()
}

// politeness is how long the suite waits for an endpoint that has failed the
// connection to end TCP, before it answers the Close as most endpoints expect;
// and how long as a server it leaves TCP open after the closing handshake where
// the case is about who ends it. A client that ends it early, but later than
// that, is not noticed: who allows an endpoint more time allows it here too.
func (o *Options) politeness() time.Duration {
	return min(max(o.Timeout/10, 150*time.Millisecond), time.Second)
}

// end waits for the endpoint's Close and for TCP's end, and does what the
// suite's own role owes for them.
func (s *session) end() {
	ended := func(r *record) bool { return r.ended }
	if s.c.want.ending == tooBig {
		s.record.wait(s.ctx, s.opts.Timeout, func(r *record) bool { return len(r.closes) > 0 || len(r.messages) > 0 })
		s.record.mu.Lock()
		refused := len(s.record.closes) > 0
		s.record.mu.Unlock()
		if !refused {
			return
		}
	}
	if s.c.want.ending != vanishes {
		s.record.wait(s.ctx, s.opts.Timeout, func(r *record) bool { return len(r.closes) > 0 })
	}
	s.record.mu.Lock()
	answered, over := len(s.record.closes) > 0, s.record.ended
	s.record.mu.Unlock()
	if over {
		s.late = s.late || s.c.want.waits // the server has not ended TCP yet
		return
	}
	if answered && !s.closing {
		if s.record.wait(s.ctx, s.opts.politeness(), ended) {
			return
		}
		s.sendClose()
	}
	if s.role == Client && answered {
		if s.c.want.waits && s.record.wait(s.ctx, s.opts.politeness(), ended) {
			s.late = true
			return
		}
		s.closeWrite() // RFC 6455, section 7.1.1: TCP is closed first by the server
	}
	if answered || s.c.want.ending == vanishes {
		s.record.wait(s.ctx, s.opts.Timeout, ended)
	}
}

// judge holds the record against what the case wants.
func (s *session) judge() (Verdict, string) {
	r, w := s.record, &s.c.want
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.violations) > 0 {
		return Failed, r.violations[0]
	}
	if w.ending == tooBig {
		return judgeTooBig(r, w)
	}
	if why := wrongMessages(r.messages, w); why != "" {
		if s.c.Group == groups[7] && len(r.messages) == 0 && len(r.closes) > 0 && limitCode(r.closes[0].code) {
			return NonStrict, fmt.Sprintf("refused with %d: by a limit on frames, or one below 16 MiB", r.closes[0].code)
		}
		return Failed, why
	}
	if why := wrongPongs(r.pongs, w); why != "" {
		return Failed, why
	}
	if s.c.Group == groups[10] && s.role == Client && len(r.keys) < 2 && r.frames > 2 {
		return Failed, "every frame is masked with the same key (5.3)"
	}
	return s.judgeEnd(r)
}

func limitCode(code int) bool { return code == 1008 || code == 1009 || code == 1013 }

func judgeTooBig(r *record, w *want) (Verdict, string) {
	switch {
	case len(r.closes) == 0:
		return NonStrict, "no limit is met: nothing refuses the message"
	case !slices.Contains(w.strict, r.closes[0].code):
		return NonStrict, fmt.Sprintf("Close %d, not %v", r.closes[0].code, w.strict)
	case !r.gone():
		return Failed, "TCP is not ended after the Close"
	}
	return Strict, fmt.Sprintf("Close %d", r.closes[0].code)
}

func (s *session) judgeEnd(r *record) (Verdict, string) {
	w := &s.c.want
	switch {
	case !r.gone() && len(r.closes) == 0 && w.ending == fails:
		return Failed, "the connection lives on"
	case !r.gone() && len(r.closes) == 0:
		return Failed, "no Close, and TCP is not ended"
	case !r.gone():
		return Failed, "TCP is not ended after the Close"
	case w.ending == vanishes:
		return Strict, "TCP ended"
	case len(r.closes) == 0 && w.ending == fails:
		return NonStrict, "TCP ended without a Close"
	case len(r.closes) == 0:
		return Failed, "TCP ended without a Close in answer to the suite's"
	}
	got := r.closes[0]
	strict := w.strict
	if w.ending == normal {
		strict = []int{1000}
	}
	found := false
	for _, code := range strict {
		found = found || code == got.code
	}
	switch {
	case !found:
		return NonStrict, fmt.Sprintf("Close %d, not %v", got.code, strict)
	case w.reason != nil && got.reason != "" && got.reason != *w.reason:
		return NonStrict, fmt.Sprintf("Close reason %q, neither empty nor the suite's", got.reason)
	case w.ending != fails && w.ending != closed && r.endErr != nil:
		return NonStrict, fmt.Sprintf("TCP or TLS not ended cleanly: %v", r.endErr)
	case s.late && w.waits:
		return NonStrict, "the client ended TCP, though the server was about to"
	case s.unbounded:
		return NonStrict, "it reads on, though none of its answers is read"
	case s.late:
		return NonStrict, "failed late: not at the first byte that shows the error"
	}
	return Strict, fmt.Sprintf("Close %d %q", got.code, got.reason)
}

func wrongMessages(got []message, w *want) string {
	for i, m := range got {
		if i >= len(w.messages) {
			return fmt.Sprintf("a message that must not come: %s of %d bytes", opcodeNames[m.opcode], len(m.data))
		}
		want := w.messages[i]
		if m.opcode != want.opcode {
			return fmt.Sprintf("message %d is %s, not %s", i+1, opcodeNames[m.opcode], opcodeNames[want.opcode])
		}
		if at := difference(m.data, want.data); at >= 0 {
			return fmt.Sprintf("message %d of %d bytes differs from the %d sent at byte %d", i+1, len(m.data), len(want.data), at)
		}
	}
	if len(got) < len(w.messages) && !w.anyPrefix {
		return fmt.Sprintf("%d of %d messages came back", len(got), len(w.messages))
	}
	return ""
}

// difference is the index of the first byte in which a and b differ, or -1.
func difference(a, b []byte) int {
	if string(a) == string(b) {
		return -1
	}
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return i
}

func wrongPongs(got []string, w *want) string {
	next := 0
	for _, p := range got {
		for next < len(w.pongs) && w.pongs[next] != p {
			if !w.newest {
				return fmt.Sprintf("Pong %q, not %q", p, w.pongs[next])
			}
			next++
		}
		if next == len(w.pongs) {
			return fmt.Sprintf("Pong %q answers no Ping, or not in order", p)
		}
		next++
	}
	if next < len(w.pongs) && !(w.anyPrefix && !w.newest) {
		return fmt.Sprintf("Ping %q is not answered", w.pongs[next])
	}
	return ""
}
