package connect

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// A server is where requests go, and the Transport whose connections they share.
type server struct {
	transport    *http.Transport
	scheme, host string
}

// A line has the requests to one server that wait for a stream, because no connection had one left. One at a time has the turn,
// and tries to get one, on a new connection if that must be. All at once would take it from each other: net/http gives a new
// connection to as many requests as come, before the server has said how many streams it allows, and then all but those few
// fail, each having dialled.
//
// Who gets no stream pauses, and the others with it. As long as requests get streams, now one and then another, nobody gives up.
// If none has for refusedFor, all do: the server is not dialled without end.
type line struct {
	at   server
	turn chan struct{} // has an element if nobody has the turn
	over chan struct{} // closed when all give up

	// lines.mu guards what is below. All but waiting is as it is in a new line when a request has got a stream.
	waiting int
	pause   time.Duration // the next one
	refused time.Duration // all pauses
	stale   int           // connections that net/http may choose in vain, beyond maxChosen: those that it keeps as idle
}

// lines are those in which somebody waits. net/http's Transport has no place for them.
var lines struct {
	mu sync.Mutex
	at map[server]*line
}

// turnFor is how long others wait for one that has the turn. A server that is slow or silent might hold it up for long.
const turnFor = time.Second

// join returns the server's line. The caller leaves it.
func (at server) join() *line {
	lines.mu.Lock()
	defer lines.mu.Unlock()
	l := lines.at[at]
	if l == nil {
		l = &line{at: at, turn: make(chan struct{}, 1), over: make(chan struct{})}
		l.turn <- struct{}{}
		l.resetLocked()
		if lines.at == nil {
			lines.at = make(map[server]*line)
		}
		lines.at[at] = l
	}
	l.waiting++
	return l
}

func (l *line) leave() {
	lines.mu.Lock()
	defer lines.mu.Unlock()
	if l.waiting--; l.waiting == 0 {
		l.endLocked()
	}
}

// endLocked lets no more requests into the line.
func (l *line) endLocked() {
	if lines.at[l.at] == l {
		delete(lines.at, l.at)
	}
}

func (l *line) resetLocked() {
	l.pause, l.refused, l.stale = firstPause, 0, l.at.transport.MaxIdleConnsPerHost
	if l.stale == 0 {
		l.stale = http.DefaultMaxIdleConnsPerHost
	}
}

// gotStream is called when a request to the server has got a stream.
func (at server) gotStream() {
	lines.mu.Lock()
	defer lines.mu.Unlock()
	if l := lines.at[at]; l != nil {
		l.resetLocked()
	}
}

// A turn is the right to try to get a stream. Its methods may be called for none, by nil.
type turn struct {
	line *line
	give func() // once
	late *time.Timer
}

// await waits for the turn. The caller releases it; it may have been taken from it by then.
func (l *line) await(ctx context.Context) (*turn, error) {
	select {
	case <-l.turn:
		give := sync.OnceFunc(func() { l.turn <- struct{}{} })
		return &turn{l, give, time.AfterFunc(turnFor, give)}, nil
	case <-l.over:
		return nil, errNoneFree
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// release gives the turn to the next. It may be called again.
func (t *turn) release() {
	if t != nil {
		t.late.Stop()
		t.give()
	}
}

// another reports whether one more connection may be chosen for the request.
func (t *turn) another() bool {
	if t == nil {
		return false
	}
	lines.mu.Lock()
	defer lines.mu.Unlock()
	t.line.stale--
	return t.line.stale >= 0
}

// gotNone is called when a request had the turn, and got no stream. It pauses, or returns an error.
func (l *line) gotNone(ctx context.Context) error {
	lines.mu.Lock()
	if lines.at[l.at] != l { // all give up
		lines.mu.Unlock()
		return errNoneFree
	}
	jittered := l.pause/2 + rand.N(l.pause)
	l.pause *= 2
	l.refused += jittered
	if l.refused > refusedFor {
		l.endLocked()
		close(l.over)
	}
	lines.mu.Unlock()
	select {
	case <-l.over:
		return errNoneFree
	default:
	}
	return sleep(ctx, jittered)
}

// sleep waits. The error is the context's.
func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
