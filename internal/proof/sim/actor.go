package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/closeonce/websocket"
)

// An actor is one goroutine of an application, with a program of its own.
type actor struct {
	*peer
	who     string
	draw    random
	steps   int
	think   time.Duration // up to so long between calls
	mood    mood
	biggest int
	count   int             // letters written
	crowd   *crowd          // nil: it is in none
	visits  bool            // most of its calls give up at once
	patient bool            // most of its contexts last
	habit   context.Context // the context it uses often
	singer  *singer         // nil: it has nothing to do with groups
}

// mood is how often an actor does what, in parts.
type mood struct {
	read, appendRead, reader, messages   int
	write, tryWrite, stream              int
	ping                                 int
	close, closeContext, closeNow, cread int
	limit, closeMany, leave, closeWrite  int
	cast, prepared, restless             int
}

func (a *actor) run() {
	habit, cancel := context.WithTimeout(context.Background(), 3*time.Minute+a.draw.upTo(time.Second))
	a.habit = habit
	defer cancel()
	for range a.steps {
		a.rest()
		if a.crowd != nil && (a.world.trace.since() > 5*time.Minute || a.crowd.polite && a.closed()) {
			return
		}
		if !a.over().IsZero() && a.draw.chance(70) {
			return
		}
		a.step()
	}
}

func (a *actor) step() {
	m := a.mood
	acts := []struct {
		weight int
		do     func()
	}{
		{m.read, a.read}, {m.appendRead, a.appendRead}, {m.reader, a.reader}, {m.messages, a.messages},
		{m.write, a.write}, {m.tryWrite, a.tryWrite}, {m.stream, a.stream}, {m.ping, a.ping},
		{m.close, a.close}, {m.closeContext, a.closeContext}, {m.closeNow, a.closeNow}, {m.cread, a.closeRead},
		{m.limit, a.limit}, {m.closeMany, a.closeMany}, {m.leave, a.leave}, {m.closeWrite, a.closeWrite},
		{m.cast, a.castOne}, {m.prepared, a.writePrepared}, {m.restless, a.comeOrGo},
	}
	total := 0
	for _, act := range acts {
		total += act.weight
	}
	if total == 0 {
		return
	}
	n := a.draw.IntN(total)
	for _, act := range acts {
		if n -= act.weight; n < 0 {
			act.do()
			return
		}
	}
}

// context draws a context: patient, short, cancelled by somebody, or over.
func (a *actor) context() (context.Context, func()) {
	if a.crowd != nil {
		return a.crowd.context(a)
	}
	switch n := a.draw.IntN(100); {
	case n < 45:
		return a.habit, func() {}
	case n < 65:
		return context.WithTimeout(context.Background(), a.draw.upTo(one(a.draw, time.Millisecond, 20*time.Millisecond, 3*time.Second)))
	case n < 85:
		after := a.draw.upTo(one(a.draw, 100*time.Microsecond, 10*time.Millisecond, 2*time.Second))
		ctx := context.WithValue(context.Background(), untilKey{}, time.Now().Add(after))
		ctx, cancel := context.WithCancel(ctx)
		timer := time.AfterFunc(after, cancel)
		return ctx, func() { timer.Stop(); cancel() }
	case n < 90:
		ctx, cancel := context.WithCancel(context.WithValue(context.Background(), untilKey{}, time.Now()))
		cancel()
		return ctx, cancel
	case n < 94:
		ctx, cancel := context.WithTimeout(a.conn.Context(), 3*time.Minute+a.draw.upTo(time.Second))
		return ctx, cancel
	}
	return context.WithTimeout(context.Background(), 2*time.Minute+a.draw.upTo(time.Second))
}

func (a *actor) size() int {
	if a.biggest > 80_000 && a.draw.chance(3) {
		return one(a.draw, 80_000, 300_000) // over some limits; more than a client masks at once
	}
	n := one(a.draw, minLetter, 20, 60, 124, 125, 126, 127, 200, 1000, 4096, 8191, 8192, 8193, 20_000, 32<<10-1, 32<<10, 33<<10, 65535, 65536, 70_000)
	if n > a.biggest {
		n = a.draw.between(minLetter, a.biggest)
	}
	return n
}

func (a *actor) compose(n int) *letter {
	a.count++
	typ := one(a.draw, websocket.MessageText, websocket.MessageBinary)
	return a.out.compose(a.draw, a.who, a.count, typ, n)
}

// read

func (a *actor) read() {
	ctx, cancel := a.context()
	defer cancel()
	c := a.begin(a.who, "Read", ctx)
	typ, p, err := a.conn.Read(ctx)
	if err == nil {
		a.got(a.who, byte(typ), p, true)
	}
	c.end(err)
}

func (a *actor) appendRead() {
	ctx, cancel := a.context()
	defer cancel()
	prefix := []byte("before")
	buf := make([]byte, len(prefix), one(a.draw, 6, 100, 1<<16))
	copy(buf, prefix)
	c := a.begin(a.who, "AppendRead", ctx)
	typ, p, err := a.conn.AppendRead(ctx, buf)
	switch {
	case !bytes.HasPrefix(p, prefix):
		a.fail("%s: AppendRead lost what was in the buffer", a.who)
	case err != nil && len(p) != len(prefix):
		a.fail("%s: AppendRead changed the buffer, and failed", a.who)
	case err == nil:
		a.got(a.who, byte(typ), p[len(prefix):], true)
	}
	c.end(err)
}

func (a *actor) reader() {
	ctx, cancel := a.context()
	defer cancel()
	c := a.begin(a.who, "Reader", ctx)
	typ, r, err := a.conn.Reader(ctx)
	c.end(err)
	if err != nil {
		return
	}
	a.opens(&a.life.readers, 1)
	defer a.opens(&a.life.readers, -1)
	var data []byte
	whole := false
	pieces := a.draw.between(0, 6)
	if a.draw.chance(50) {
		pieces = 1 << 30
	}
	chunk := make([]byte, one(a.draw, 1, 7, 512, 40_000))
	if pieces > 6 {
		chunk = make([]byte, one(a.draw, 512, 40_000))
	}
	for range pieces {
		c := &call{}
		c = a.begin(a.who, "Reader's Read", ctx)
		n, err := r.Read(chunk)
		data = append(data, chunk[:n]...)
		c.end(err)
		if err != nil {
			whole = err == io.EOF
			break
		}
		if n == 0 {
			a.fail("%s: a Reader read nothing without an error", a.who)
			break
		}
		if a.draw.chance(20) {
			a.rest()
		}
	}
	a.got(a.who, byte(typ), data, whole)
}

func (a *actor) messages() {
	ctx, cancel := a.context()
	defer cancel()
	left := a.draw.between(1, 4)
	c := a.begin(a.who, "Messages", ctx)
	for m, err := range a.conn.Messages(ctx) {
		if err == nil {
			a.got(a.who, byte(m.Type), m.Data, true)
		}
		c.end(err)
		c = nil
		if left--; left == 0 || err != nil {
			break
		}
		c = a.begin(a.who, "Messages", ctx)
	}
	if c != nil {
		c.end(nil)
	}
}

// write

func (a *actor) write() {
	m := a.compose(a.size())
	ctx, cancel := a.context()
	defer cancel()
	over := ctx.Err() != nil
	c := a.begin(a.who, fmt.Sprintf("Write of %s.%d, %d bytes", m.from, m.number, len(m.data)), ctx)
	err := a.conn.Write(ctx, m.typ, m.data)
	a.settle(m, err, over)
	c.end(err)
}

func (a *actor) settle(m *letter, err error, refused bool) {
	switch {
	case err == nil:
		a.out.settle(m, done)
	case refused, errors.Is(err, websocket.ErrQueueFull):
		a.out.settle(m, never)
	default:
		a.out.settle(m, unsure)
	}
}

func (a *actor) tryWrite() {
	m := a.compose(a.size())
	c := a.begin(a.who, fmt.Sprintf("TryWrite of %s.%d, %d bytes", m.from, m.number, len(m.data)), nil)
	err := a.conn.TryWrite(m.typ, m.data)
	if err == nil && len(m.data) > a.opts.queue() {
		a.fail("%s: TryWrite took %d bytes, the queue limit is %d", a.who, len(m.data), a.opts.queue())
	}
	a.settle(m, err, false)
	c.end(err)
}

func (a *actor) stream() {
	n := a.size()
	if a.biggest > 40_000 && a.draw.chance(40) {
		n = a.draw.between(33_000, a.biggest) // several fragments
	}
	m := a.compose(n)
	whole := m.data
	a.out.mu.Lock()
	m.data = nil
	a.out.mu.Unlock()
	ctx, cancel := a.context()
	defer cancel()
	what := fmt.Sprintf("Writer of %s.%d, %d bytes", m.from, m.number, len(whole))
	c := a.begin(a.who, what, ctx)
	w, err := a.conn.Writer(ctx, m.typ)
	c.end(err)
	if err != nil {
		a.out.settle(m, never)
		return
	}
	a.opens(&a.life.writers, 1)
	defer a.opens(&a.life.writers, -1)
	part := one(a.draw, 1, 10, 1000, 10_000, 40_000)
	for part*60 < len(whole) {
		part *= 10
	}
	for len(whole) > 0 {
		n := min(a.draw.between(0, part), len(whole))
		if a.draw.chance(30) {
			a.rest()
		}
		c := a.begin(a.who, fmt.Sprintf("Writer's Write of %d bytes", n), ctx)
		// The piece counts as possible from now on.
		a.out.mu.Lock()
		m.maybe = whole[:n]
		a.out.mu.Unlock()
		k, err := w.Write(whole[:n])
		c.end(err)
		if k != n && err == nil || k > n {
			a.fail("%s: a Writer's Write of %d bytes returned %d, %v", a.who, n, k, err)
			k = n
		}
		a.out.mu.Lock()
		m.data, m.maybe = append(m.data, whole[:k]...), nil
		a.out.mu.Unlock()
		if err != nil {
			break
		}
		whole = whole[n:]
	}
	if a.crowd != nil && a.crowd.style == "streams" {
		a.crowd.clock.sleep(time.Duration(a.draw.between(1, 6)) * a.crowd.beat) // the link may stop meanwhile
	}
	c = a.begin(a.who, "Writer's Close", ctx)
	err = w.Close()
	a.settle(m, err, false)
	c.end(err)
}

// the rest

func (a *actor) ping() {
	ctx, cancel := a.context()
	defer cancel()
	if a.crowd != nil { // its Pong may be behind what nobody reads, and the connection never end
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, 3*time.Minute)
		defer done()
	}
	before := a.pongs()
	c := a.begin(a.who, "Ping", ctx)
	err := a.conn.Ping(ctx)
	c.end(err)
	if err == nil && a.pongs() == before {
		a.fail("%s: Ping returned, but no Pong came since it was called", a.who)
	}
}

func (a *actor) close() {
	code := one(a.draw, 1000, 1000, 1001, 1011, 3000, 4999, 1005)
	a.closeWith(context.Background(), "Close", code)
}

func (a *actor) closeContext() {
	ctx, cancel := a.context()
	defer cancel()
	a.closeWith(ctx, "CloseContext", one(a.draw, 1000, 1002, 4000))
}

func (p *peer) closeAs(who string, ctx context.Context, what string, code int, reason string) error {
	c := p.begin(who, fmt.Sprintf("%s with %d", what, code), ctx)
	p.closing(c, false, code)
	var err error
	if what == "Close" {
		err = p.conn.Close(websocket.StatusCode(code), reason)
	} else {
		err = p.conn.CloseContext(ctx, websocket.StatusCode(code), reason)
	}
	c.end(err)
	return err
}

func (a *actor) closeWrite() { a.halfCloseAs(a.who, one(a.draw, 1000, 1001, 4000)) }

// halfCloseAs is one CloseWrite.
func (p *peer) halfCloseAs(who string, code int) {
	c := p.begin(who, fmt.Sprintf("CloseWrite with %d", code), nil)
	p.life.mu.Lock()
	p.life.closes = append(p.life.closes, ending{at: time.Now(), half: true, code: code, call: c})
	p.life.mu.Unlock()
	c.end(p.conn.CloseWrite(websocket.StatusCode(code), ""))
}

func (a *actor) closeWith(ctx context.Context, what string, code int) {
	reason := one(a.draw, "", "good bye", "日本")
	if code == 1005 {
		reason = ""
	}
	a.closeAs(a.who, ctx, what, code, reason)
}

func (a *actor) closeNow() {
	c := a.begin(a.who, "CloseNow", nil)
	a.closing(c, true, 0)
	c.end(a.conn.CloseNow())
}

func (a *actor) closeRead() {
	a.life.mu.Lock()
	a.life.noReads = true
	a.life.mu.Unlock()
	c := a.begin(a.who, "CloseRead", nil)
	a.conn.CloseRead(context.Background())
	c.end(nil)
}

// pongs is how many Pongs have come.
func (p *peer) pongs() (n int) {
	for _, f := range p.heard.seen().taken(p.end.in.taken()) {
		if f.opcode == 10 {
			n++
		}
	}
	return n
}
