package sim

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/closeonce/websocket"
)

// What only callers in a crowd do.

// limit sets a read limit that no message reaches.
func (a *actor) limit() {
	n := one[int64](a.draw, -1, math.MaxInt64, math.MaxInt64-1, 1<<40, 1<<20)
	c := a.begin(a.who, fmt.Sprintf("SetReadLimit(%d)", n), nil)
	a.conn.SetReadLimit(n)
	c.end(nil)
}

// closeMany closes from several goroutines at once.
func (a *actor) closeMany() {
	var group sync.WaitGroup
	for i := range a.draw.between(2, 5) {
		b := *a
		b.who = fmt.Sprintf("%s.%d", a.who, i+1)
		b.draw = newRandom(a.draw.Uint64(), 1)
		group.Go(func() {
			shake(b.draw)
			switch n := b.draw.IntN(10); {
			case n < 6:
				b.close()
			case n < 9:
				b.closeContext()
			default:
				b.closeNow()
			}
		})
	}
	group.Wait()
}

// leave is a handler that writes until it learns of another goroutine's Close, and returns, with a
// deferred CloseNow.
func (a *actor) leave() {
	var group sync.WaitGroup
	group.Go(func() { a.closeAs(a.who+".1", context.Background(), "Close", 1013, "") })
	var err error
	for range 1000 {
		m := a.compose(minLetter)
		c := a.begin(a.who, fmt.Sprintf("Write of %s.%d, %d bytes", m.from, m.number, len(m.data)), a.habit)
		err = a.conn.Write(a.habit, websocket.MessageBinary, m.data)
		m.typ = websocket.MessageBinary
		a.settle(m, err, false)
		c.end(err)
		if err != nil {
			break
		}
		a.rest()
	}
	told := ownClose(err) && !a.endedNow() && a.over().IsZero() && a.heardClose() == nil && a.end.in.closedAt().IsZero() && a.end.out.hasRoomFor(a.opts)
	a.closeNow()
	group.Wait()
	if promises.closeBeforeCloseNow && told && a.wire.seen().close() == nil && !a.end.out.lost() {
		a.fail("%s: CloseNow has overtaken the Close that had begun", a.who)
	}
}

// endedNow reports whether somebody has called CloseNow.
func (p *peer) endedNow() bool {
	p.life.mu.Lock()
	defer p.life.mu.Unlock()
	return slices.ContainsFunc(p.life.closes, func(e ending) bool { return e.now })
}

// pingTimeout reports whether p's keepalive has ended the connection.
func (w *world) pingTimeout(p *peer) bool {
	return errors.Is(context.Cause(p.conn.Context()), websocket.ErrPingTimeout)
}
