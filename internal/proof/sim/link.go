package sim

import (
	"io"
	"net"
	"os"
	"sort"
	"sync"
	"syscall"
	"time"
)

// A direction carries bytes from one end to the other.
type direction struct {
	name  string
	trace *trace
	reset func() // the link, both directions
	see   func(p []byte)

	mu      sync.Mutex // never held while waiting
	changed sync.Cond

	weather      weather
	drawW, drawR random
	gate         gate
	notes        notes
	began        time.Time // when the weather began
	carried      int       // bytes since then

	flying   []piece     // on their way, in order
	inAir    int         // bytes of them, and those that were cut
	landing  *time.Timer // runs for the first of them
	ready    []byte      // arrived, and wait to be read
	landedAt time.Time   // when the first of ready came
	cut      bool        // nothing arrives any more
	broken   bool        // the connection was reset
	choked   bool        // a Write waited in vain
	lastAt   time.Time

	written, read int64 // bytes, since the connection was made
	reads         []mark
	writing       bool // a Write is between its first and last byte
	pausing       bool

	writeErr, readErr           error
	endedAt                     time.Time // when the sending end was closed
	aborted                     error     // after what is ready, reading fails with this
	writeDeadline, readDeadline deadline
}

// A mark says when the receiving end had read so many bytes.
type mark struct {
	n  int64
	at time.Time
}

type piece struct {
	at time.Time
	b  []byte
}

func newDirection(name string, tr *trace, seed, stream uint64) *direction {
	d := &direction{name: name, trace: tr, weather: fair, drawW: newRandom(seed, stream), drawR: newRandom(seed, stream+1)}
	d.changed.L = &d.mu
	return d
}

// setWeather begins a weather.
func (d *direction) setWeather(w weather) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.weather, d.began, d.carried = w, time.Now(), 0
	d.changed.Broadcast()
}

// write takes p piece by piece, as there is room. resumes says what becomes of
// the connection when the deadline passes: with crypto/tls it is over.
func (d *direction) write(p []byte, resumes bool) (n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notes.offer(d.written, len(p))
	defer d.notes.leave()
	for d.writing && d.writeFailure() == nil {
		d.notes.wait()
		d.changed.Wait()
		d.notes.resume()
	}
	if d.writeFailure() == nil {
		d.writing = true
		defer func() {
			d.writing = false
			d.changed.Broadcast()
		}()
	}
	for {
		if n == len(p) && n > 0 {
			return n, nil
		}
		if err := d.writeFailure(); err != nil {
			if err == os.ErrDeadlineExceeded && !resumes {
				d.writeErr = err
			}
			if err != os.ErrDeadlineExceeded && len(p) > 0 {
				d.choked = true
			}
			return n, err
		}
		if len(p) == 0 {
			return 0, nil
		}
		if d.room() <= 0 || d.pausing {
			d.notes.wait()
			d.changed.Wait()
			d.notes.resume()
			continue
		}
		n += d.accept(p[n:])
		if w := &d.weather; w.resetAfter > 0 && d.carried >= w.resetAfter {
			w.resetAfter = 0
			d.mu.Unlock()
			d.reset()
			d.mu.Lock()
		}
	}
}

func (d *direction) writeFailure() error {
	switch {
	case d.writeErr != nil:
		return d.writeErr
	case d.readErr != nil && !d.cut:
		return syscall.EPIPE
	case d.writeDeadline.expired:
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (d *direction) room() int { return d.weather.window + d.gate.extra - d.inAir - len(d.ready) }

// accept takes a piece from the start of p.
func (d *direction) accept(p []byte) int {
	w := &d.weather
	n := min(len(p), d.room())
	if w.writePiece > 0 {
		n = min(n, d.drawW.between(1, w.writePiece))
	}
	if w.resetAfter > 0 {
		n = min(n, max(w.resetAfter-d.carried, 1))
	}
	d.written += int64(n)
	d.carried += n
	d.see(p[:n])
	if w.cutAfter > 0 && d.carried >= w.cutAfter && !d.cut {
		d.cut = true
		d.notes.lostAt = time.Now()
		d.trace.event("%s: nothing arrives any more", d.name)
	}
	if w.pause > 0 && n < len(p) {
		d.pausing = true
		time.AfterFunc(d.drawW.upTo(w.pause), func() {
			d.mu.Lock()
			d.pausing = false
			d.mu.Unlock()
			d.changed.Broadcast()
		})
	}
	if d.cut {
		d.inAir += n
		return n
	}
	now := time.Now()
	at := now
	if w.latency > 0 {
		at = at.Add(d.drawW.upTo(w.latency))
	}
	if since := at.Sub(d.began); since >= w.stallFrom && since < w.stallTo {
		at = d.began.Add(w.stallTo)
	}
	if at.Before(d.lastAt) {
		at = d.lastAt
	}
	d.lastAt = at
	if !at.After(now) && len(d.flying) == 0 && !d.gate.shut {
		d.arrive(p[:n])
		d.changed.Broadcast()
		return n
	}
	d.inAir += n
	d.flying = append(d.flying, piece{at, append([]byte(nil), p[:n]...)})
	d.watchAir()
	return n
}

// arrive makes bytes ready to be read.
func (d *direction) arrive(p []byte) {
	if len(d.ready) == 0 {
		d.landedAt = time.Now()
	}
	d.ready = append(d.ready, p...)
}

// land lets what is in the air arrive now.
func (d *direction) land() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lastAt = time.Now()
	for _, p := range d.flying {
		d.inAir -= len(p.b)
		if d.readErr == nil {
			d.arrive(p.b)
		}
	}
	d.flying = nil
	if d.landing != nil {
		d.landing.Stop()
		d.landing = nil
	}
	d.changed.Broadcast()
}

// watchAir makes the first piece in the air land in time.
func (d *direction) watchAir() {
	if d.landing != nil || len(d.flying) == 0 || d.gate.shut {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(time.Until(d.flying[0].at), func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.landing != timer {
			return // stopped too late
		}
		d.landing = nil
		if d.gate.shut {
			return
		}
		now := time.Now()
		for len(d.flying) > 0 && !d.flying[0].at.After(now) {
			d.inAir -= len(d.flying[0].b)
			if d.readErr == nil {
				d.arrive(d.flying[0].b)
			}
			d.flying = d.flying[1:]
		}
		d.watchAir()
		d.changed.Broadcast()
	})
	d.landing = timer
}

// receive gives what is ready.
func (d *direction) receive(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notes.enter(d.read)
	for ; ; d.changed.Wait() {
		switch {
		case d.readErr != nil:
			return 0, d.readErr
		case d.readDeadline.expired:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case len(d.ready) > 0:
			n := min(len(p), len(d.ready))
			if d.weather.readPiece > 0 {
				n = min(n, d.drawR.between(1, d.weather.readPiece))
			}
			copy(p, d.ready[:n])
			d.ready = d.ready[n:]
			d.read += int64(n)
			d.trace.progress.Add(1)
			d.notes.readAt = time.Now()
			if now := time.Now(); len(d.reads) > 0 && d.reads[len(d.reads)-1].at.Equal(now) {
				d.reads[len(d.reads)-1].n = d.read
			} else {
				d.reads = append(d.reads, mark{d.read, now})
			}
			d.changed.Broadcast()
			return n, nil
		case d.aborted != nil:
			d.readErr = d.aborted
		case d.writeErr != nil && len(d.flying) == 0 && !d.cut:
			return 0, io.EOF
		}
		if d.readErr != nil {
			return 0, d.readErr
		}
	}
}

// taken returns how many bytes the receiving end has read.
func (d *direction) taken() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.read
}

// closeWrite: the sending end sends no more, and gets err if it tries.
func (d *direction) closeWrite(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.writeErr == nil || err == net.ErrClosed {
		d.writeErr = err
	}
	if d.endedAt.IsZero() {
		d.endedAt = time.Now()
	}
	d.writeDeadline.stop()
	d.changed.Broadcast()
}

// closeRead: the receiving end wants no more. It reports whether bytes were
// left unread, upon which TCP resets the connection.
func (d *direction) closeRead() (unread bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	unread = len(d.ready) > 0
	d.readErr = net.ErrClosed
	d.ready = nil
	d.readDeadline.stop()
	d.changed.Broadcast()
	return unread
}

// abort: the sending end resets the connection; what has arrived can be read
// still, what is in the air is lost.
func (d *direction) abort() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cut {
		return
	}
	d.flying, d.inAir = nil, 0
	d.aborted = syscall.ECONNRESET
	d.notes.lostAt = time.Now()
	d.changed.Broadcast()
}

// breakDown: the connection is reset by the network.
func (d *direction) breakDown() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.readErr == nil {
		d.readErr = syscall.ECONNRESET
	}
	if d.writeErr == nil {
		d.writeErr = syscall.ECONNRESET
	}
	d.flying, d.ready, d.broken = nil, nil, true
	if d.notes.lostAt.IsZero() {
		d.notes.lostAt = time.Now()
	}
	d.changed.Broadcast()
}

// stuck reports whether bytes can't leave because the other end takes none.
func (d *direction) stuck() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.choked || d.room() <= 0 && d.readErr == nil
}

// takenAt returns when the receiving end had read n bytes; zero: it has not.
func (d *direction) takenAt(n int64) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := sort.Search(len(d.reads), func(i int) bool { return d.reads[i].n >= n })
	if i == len(d.reads) {
		return time.Time{}
	}
	return d.reads[i].at
}

// lost reports whether a fault of the network has ended the direction.
func (d *direction) lost() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cut || d.broken || d.aborted != nil
}

// closedAt returns when the sending end was closed; zero: it was not.
func (d *direction) closedAt() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.endedAt
}
