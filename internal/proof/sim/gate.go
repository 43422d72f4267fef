package sim

import (
	"math"
	"sort"
	"time"
)

// A gate stops one direction of the network: while it is shut nothing arrives, and so the window
// fills. jolts draws how often the calls of this direction's ends let other goroutines run before
// they return; without it they return at once. The direction's mu guards both.
type gate struct {
	shut  bool
	extra int // bytes that it takes besides the weather's window
	jolts *random
}

// shutGate stops the direction.
func (d *direction) shutGate() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gate.shut, d.gate.extra = true, 0
	if d.landing != nil {
		d.landing.Stop()
		d.landing = nil
	}
}

// widen makes room for so many bytes more, until the gate is shut again: those who wait for room
// have it at this instant, whether or not the other end reads.
func (d *direction) widen(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gate.extra += n
	d.changed.Broadcast()
}

// openGate lets arrive what has been stopped.
func (d *direction) openGate() {
	d.mu.Lock()
	was := d.gate.shut
	d.gate.shut = false
	d.mu.Unlock()
	if was {
		d.land()
	}
}

// joltFrom makes the calls of the ends yield, as the numbers say.
func (d *direction) joltFrom(r random) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gate.jolts = &r
}

// jolt is called when a call of an end is about to return.
func (d *direction) jolt() {
	d.mu.Lock()
	n := 0
	if d.gate.jolts != nil {
		n = max(0, d.gate.jolts.IntN(8)-4)
	}
	d.mu.Unlock()
	for range n {
		yield()
	}
}

// notes are what the checks want to know of a direction besides its bytes. The direction's mu guards them.
type notes struct {
	offers  []offer   // the calls of Write
	inside  int       // ... that have not returned
	leftAt  time.Time // when the last one returned
	waits   []span    // times in which one found no room
	lostAt  time.Time // when the network ended the direction
	entries []mark    // when the receiving end came back for more, having read so much
	readAt  time.Time // when it last read something
}

// A span is a time; to is zero while it lasts.
type span struct{ from, to time.Time }

// An offer is one call of Write: it held the bytes up to a place in the stream.
type offer struct {
	to   int64
	size int
	at   time.Time
}

// offer notes that a Write begins. Those that reach no further than others before are left out.
func (n *notes) offer(written int64, size int) {
	n.inside++
	to := written + int64(size)
	if len(n.offers) == 0 || n.offers[len(n.offers)-1].to < to {
		n.offers = append(n.offers, offer{to, size, time.Now()})
	}
}

// leave notes that a Write returns.
func (n *notes) leave() {
	n.inside--
	n.leftAt = time.Now()
}

// wait notes that a Write finds no room, and resume that it looks again.
func (n *notes) wait() {
	now := time.Now()
	if k := len(n.waits); k > 0 && (n.waits[k-1].to.IsZero() || n.waits[k-1].to.Equal(now)) {
		n.waits[k-1].to = time.Time{}
		return
	}
	n.waits = append(n.waits, span{from: now})
}

func (n *notes) resume() { n.waits[len(n.waits)-1].to = time.Now() }

// blockedAround reports whether a Write found no room at some time between the two.
func (d *direction) blockedAround(from, to time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.notes.waits
	i := sort.Search(len(w), func(i int) bool { return w[i].to.IsZero() || !w[i].to.Before(from) })
	return i < len(w) && !w[i].from.After(to)
}

// endedByFault returns when the network ended the direction; zero: it has not.
func (d *direction) endedByFault() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.notes.lostAt
}

// idleBefore returns for how long nobody had been in Write at the end of a time.
func (d *direction) idleBefore(end, from time.Time) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.notes.inside > 0 {
		return 0
	}
	if from.Before(d.notes.leftAt) {
		from = d.notes.leftAt
	}
	return end.Sub(from)
}

// enter notes that the receiving end asks for more, having read so many bytes.
func (n *notes) enter(read int64) {
	if len(n.entries) == 0 || n.entries[len(n.entries)-1].n < read {
		n.entries = append(n.entries, mark{read, time.Now()})
	}
}

// offeredAt returns when the byte at place n was first handed to Write; zero: it was not.
func (d *direction) offeredAt(n int64) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.notes.offers
	i := sort.Search(len(o), func(i int) bool { return o[i].to > n })
	if i == len(o) {
		return time.Time{}
	}
	// A long batch is offered in pieces: full ones, the rest, and what lies elsewhere. What comes in between changes nothing.
	full := func(i int) bool { return i >= 0 && o[i].size >= pieceSize }
	for i > 0 && (full(i-1) || full(i-2)) {
		i--
	}
	return o[i].at
}

// pieceSize is how much the library offers to a net.Conn like this at once.
const pieceSize = 64 << 10

// parsedAt returns when the receiving end, having read n bytes, first came back for more: by then
// it has dealt with them. Zero: it has not come back.
func (d *direction) parsedAt(n int64) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.notes.entries
	i := sort.Search(len(e), func(i int) bool { return e[i].n >= n })
	if i == len(e) {
		return time.Time{}
	}
	return e[i].at
}

// quietFor returns for how long nobody has been in Write; 0: somebody is.
func (d *direction) quietFor() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.notes.inside > 0 {
		return 0
	}
	if d.notes.leftAt.IsZero() {
		return math.MaxInt64
	}
	return time.Since(d.notes.leftAt)
}

// neglectedFor returns for how long bytes have waited while the receiving end took none.
func (d *direction) neglectedFor() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.ready) == 0 || d.readErr != nil {
		return 0
	}
	since := d.landedAt
	if since.Before(d.notes.readAt) {
		since = d.notes.readAt
	}
	return time.Since(since)
}

// gone reports whether nothing more can pass: the direction was ended by one of its ends or by the network.
func (d *direction) gone() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cut || d.broken || d.aborted != nil || d.writeErr != nil || d.readErr != nil
}

// hasRoomFor reports whether the network takes all that a connection with these options may have
// queued, and a Close frame.
func (d *direction) hasRoomFor(o options) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.notes.inside == 0 && !d.gate.shut && !d.pausing && d.room() > o.queue()+200
}
