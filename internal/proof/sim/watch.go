package sim

import (
	"strings"
	"time"
)

// While a crowd is at work, its peers are looked after once a second: what can go on must go on.
// Nothing here depends on how the library does it, but that a second is enough for it to notice.

// waitsTooLong is for how long something may wait that could go on.
const waitsTooLong = time.Second

// betweenBeats keeps it from looking at an instant at which something happens.
const betweenBeats = 1234567 * time.Nanosecond

// deafAfter is for how long bytes may have come without being read. Its reader may start 320 ms
// after the application's last Read.
const deafAfter = time.Second

// readAheadHolds is what is certain to find room in the read-ahead.
const readAheadHolds = 28 << 10

// watch looks after the peers until the function that it returns is called.
func (w *world) watch() (stop func()) {
	stopped := make(chan struct{})
	go func() {
		time.Sleep(betweenBeats)
		tick := time.NewTicker(waitsTooLong)
		defer tick.Stop()
		for {
			select {
			case <-stopped:
				return
			case <-tick.C:
			}
			for _, p := range w.peers {
				if p.conn != nil && p.over().IsZero() && !p.gaveNotice {
					p.gaveNotice = p.neglects()
				}
			}
		}
	}()
	return func() { close(stopped) }
}

// neglects reports whether p leaves something undone, and says what.
func (p *peer) neglects() bool {
	// The checks that follow are for networks that could carry something.
	if p.end.in.gone() || p.end.out.gone() {
		return false
	}
	return p.neglectsReading() || p.neglectsReaders() || p.end.out.quietFor() >= waitsTooLong && p.neglectsWriting()
}

// neglectsReading: bytes have come, and nobody reads them, though there is room for them.
func (p *peer) neglectsReading() bool {
	waits := p.end.in.neglectedFor()
	if waits < deafAfter || p.heardClose() != nil {
		p.mayBeDeaf = time.Time{}
		return false
	}
	if since := p.readsAll(); p.backlog() > readAheadHolds && (since.IsZero() || time.Since(since) < deafAfter) {
		p.mayBeDeaf = time.Time{}
		return false
	}
	if p.mayBeDeaf.IsZero() {
		p.mayBeDeaf = time.Now()
	}
	if time.Since(p.mayBeDeaf) < deafAfter { // there was no room until now
		return false
	}
	p.fail("is deaf: bytes have waited for %v, and nobody reads", waits)
	return true
}

// readsAll returns since when p has dropped what comes; zero: it does not.
func (p *peer) readsAll() time.Time {
	p.life.mu.Lock()
	defer p.life.mu.Unlock()
	for _, c := range p.life.calls {
		if strings.HasPrefix(c.what, "Close") && c.what != "CloseNow" && !strings.HasPrefix(c.what, "CloseWrite") {
			return c.began
		}
	}
	return time.Time{}
}

// backlog is how much of what was sent to p its application has not begun to take, at most.
func (p *peer) backlog() int {
	p.life.mu.Lock()
	begun := len(p.life.got)
	p.life.mu.Unlock()
	s := p.heard.seen()
	var from int64
	// The rest of the last message that was begun may be there still.
	if n := min(begun-1, len(s.messages)); n > 0 {
		from = s.messages[n-1].end
	}
	size := s.pending
	for i := len(s.frames) - 1; i >= 0 && s.frames[i].end > from; i-- {
		size += int(s.frames[i].end-s.frames[i].start) + 16
	}
	return size
}

// neglectsReaders: a message has come whole, and a call that waits for one does not get it.
func (p *peer) neglectsReaders() bool {
	if p.noReads() || p.closedWhole() || p.heardClose() != nil || p.violatedPeer() {
		return false
	}
	came, taken := 0, p.end.in.taken()
	for _, m := range p.heard.seen().messages {
		if m.end <= taken && p.end.in.takenAt(m.end).Add(waitsTooLong).Before(time.Now()) {
			came++
		}
	}
	p.life.mu.Lock()
	had := len(p.life.got) + p.life.readers
	waiting := p.life.waitsSince(waitsTooLong, "Read", "AppendRead", "Messages", "Reader")
	p.life.mu.Unlock()
	if waiting == nil || came <= had {
		return false
	}
	p.fail("%s: %s waits, though %d messages have come and %d were taken", waiting.who, waiting.what, came, had)
	return true
}

// neglectsWriting: nobody is writing, and something waits to be written.
func (p *peer) neglectsWriting() bool {
	s := p.wire.seen()
	p.life.mu.Lock()
	defer p.life.mu.Unlock()
	if s.close() != nil {
		return false
	}
	long := time.Now().Add(-waitsTooLong)
	for _, e := range p.life.closes {
		if !e.now && e.at.Before(long) {
			p.fail("%s: %s is due since %v, and nobody writes it", e.call.who, e.call.what, time.Since(e.at))
			return true
		}
	}
	if len(p.life.closes) > 0 {
		return false
	}
	if f := p.heardClose(); f != nil {
		if read := p.end.in.parsedAt(f.end); !read.IsZero() && read.Before(long) {
			p.fail("has read the peer's Close, and nobody writes the answer")
			return true
		}
		return false
	}
	if c := p.life.waitsSince(waitsTooLong, "Writer's"); c != nil {
		p.fail("%s: %s waits, though nobody writes", c.who, c.what)
		return true
	}
	if p.life.writers > 0 {
		return false
	}
	if c := p.life.waitsSince(waitsTooLong, "Write", "WritePrepared", "Writer"); c != nil {
		p.fail("%s: %s waits, though nobody writes", c.who, c.what)
		return true
	}
	if s.partial != nil {
		p.fail("a message was left in the middle: %d bytes %.30q; no Writer is open, and nobody writes", len(s.partial), s.partial)
		return true
	}
	if accepted := p.out.accepted(long); accepted > len(s.messages) && !p.relays {
		p.fail("%d messages were accepted, %d have left, and nobody writes", accepted, len(s.messages))
		return true
	}
	return false
}

// waitsSince returns a call whose name begins with one of the words and that has waited for so
// long; nil if there is none. The caller holds mu.
func (l *life) waitsSince(d time.Duration, words ...string) *call {
	long := time.Now().Add(-d)
	for l.settled < len(l.calls) && !l.calls[l.settled].ended.IsZero() {
		l.settled++
	}
	for _, c := range l.calls[l.settled:] {
		if !c.ended.IsZero() || c.began.After(long) {
			continue
		}
		what, _, _ := strings.Cut(c.what, " ")
		for _, word := range words {
			if what == word {
				return c
			}
		}
	}
	return nil
}
