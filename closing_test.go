package websocket

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"testing"
)

// The machine that close.go is, enumerated: every state that any order of events leads to, alone, and two of them over a
// channel. The reasons and payloads are reduced to where they came from.

var (
	errHalf      = errors.New("begun by half")
	errBegun     = errors.New("begun here")
	errSaid      = CloseError{Code: StatusGoingAway}
	errViolation = errors.New("violation")
	errNoWrite   = errors.New("no write")
	errNoRead    = errors.New("no read")
	errTimedOut  = errors.New("timed out")
	errNow       = errors.New("now")
)

// closingKey is a closing that can be compared.
type closingKey struct {
	state                                          closeState
	ours                                           closeFate
	by                                             initiator
	server, passive, half                          bool
	closeRead, eof, handshakeDone, over, ended     bool
	noWrites, abandoned                            bool
	payload                                        string
	cause, result                                  error
	closeLeft, timer, keptReading, woken, readOver bool // the ghost's
}

// A ghost remembers what has happened, and what Conn was told to do.
type ghost struct {
	closeLeft   bool // a Close frame of ours has begun to leave
	timer       bool // the closing is bounded in time
	keptReading bool // somebody reads until the end
	woken       bool // a writer looks
	readOver    bool // the reader parses nothing any more
}

// A closingLife is a closing with its ghost.
type closingLife struct {
	closing
	ghost
}

func (l *closingLife) key() closingKey {
	c, g := &l.closing, &l.ghost
	return closingKey{c.state, c.ours, c.by, c.server, c.passive, c.half, c.closeRead, c.eof, c.handshakeDone, c.over, c.ended, c.noWrites, c.abandoned, c.payload,
		c.cause, c.result, g.closeLeft, g.timer, g.keptReading, g.woken, g.readOver}
}

func (k closingKey) life() closingLife {
	return closingLife{
		closing{state: k.state, ours: k.ours, by: k.by, server: k.server, passive: k.passive, half: k.half, closeRead: k.closeRead, eof: k.eof, handshakeDone: k.handshakeDone, over: k.over,
			ended: k.ended, noWrites: k.noWrites, abandoned: k.abandoned, payload: k.payload, cause: k.cause, result: k.result},
		ghost{k.closeLeft, k.timer, k.keptReading, k.woken, k.readOver},
	}
}

var closingFateNames = []string{"none", "due", "leaving", "written"}
var initiatorNames = []string{"nobody", "us", "peer", "violation"}

func (k closingKey) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s, ours %s, by %s", closeStateNames[k.state], closingFateNames[k.ours], initiatorNames[k.by])
	for _, f := range []struct {
		name string
		set  bool
	}{{"server", k.server}, {"passive", k.passive}, {"half", k.half}, {"closeRead", k.closeRead}, {"eof", k.eof}, {"handshakeDone", k.handshakeDone}, {"over", k.over}, {"ended", k.ended}, {"noWrites", k.noWrites}, {"abandoned", k.abandoned},
		{"[close left]", k.closeLeft}, {"[timer]", k.timer}, {"[kept reading]", k.keptReading}, {"[woken]", k.woken}, {"[read over]", k.readOver}} {
		if f.set {
			s.WriteString(", " + f.name)
		}
	}
	fmt.Fprintf(&s, ", payload %q, cause %v, result %v", k.payload, k.cause, k.result)
	return s.String()
}

// A closingEvent is what can happen to a connection. happen returns the acts, and for those who ask, the answer. may says
// when Conn lets it happen; nil: at any time.
type closingEvent struct {
	name   string
	happen func(l *closingLife) (a acts, yes bool)
	may    func(l *closingLife) bool
}

func act(f func(l *closingLife) acts) func(l *closingLife) (acts, bool) {
	return func(l *closingLife) (acts, bool) { return f(l), false }
}

// canWrite is flush's look before it collects.
func canWrite(l *closingLife) bool { return !l.noWrites }

// parses: the receiver hands out nothing behind the peer's Close, nor behind a violation.
func parses(l *closingLife) bool { return !l.readOver }

var closingEvents = []closingEvent{
	{"begin", act(func(l *closingLife) acts { return l.begin(errBegun, "begun") }), nil},
	{"beginHalf", act(func(l *closingLife) acts { return l.beginHalf(errHalf, "half") }), nil},
	{"received", act(func(l *closingLife) acts { l.readOver = true; return l.received(errSaid, "said") }), parses},
	{"fail", act(func(l *closingLife) acts { l.readOver = true; return l.fail(errViolation, "violation") }), parses},
	// refuse: the application comes to a message that was read ahead, be it before the peer's Close.
	{"fail, of what was read ahead", act(func(l *closingLife) acts { l.readOver = true; return l.fail(errViolation, "violation") }), nil},
	{"mayLeave(sendData)", func(l *closingLife) (acts, bool) { return 0, l.mayLeave(sendData) }, canWrite},
	{"mayLeave(sendQueued)", func(l *closingLife) (acts, bool) { return 0, l.mayLeave(sendQueued) }, canWrite},
	{"leave", func(l *closingLife) (acts, bool) { return 0, l.leave() }, canWrite},
	{"wrote", act(func(l *closingLife) acts { return l.wrote() }), canWrite},
	{"noWrite", act(func(l *closingLife) acts { return l.noWrite(errNoWrite, false) }), nil},
	{"noWrite, nobody reads", act(func(l *closingLife) acts { return l.noWrite(errNoWrite, true) }), nil},
	{"noRead", act(func(l *closingLife) acts { return l.noRead(errNoRead, false) }), nil},
	{"noRead, eof", act(func(l *closingLife) acts { return l.noRead(errNoRead, true) }), nil},
	{"timedOut", act(func(l *closingLife) acts { l.timer = false; return l.timedOut(errTimedOut) }), func(l *closingLife) bool { return l.timer }},
	{"end", act(func(l *closingLife) acts { return l.end(errNow) }), nil},
	{"abandon", act(func(l *closingLife) acts { return l.abandon(errNow) }), nil},
	// lastWords: whoever lets go of the write turn while the connection is ending.
	{"gone, wrote", act(func(l *closingLife) acts { return l.gone(true) }), isEnding},
	{"gone", act(func(l *closingLife) acts { return l.gone(false) }), isEnding},
	{"CloseRead", act(func(l *closingLife) acts { return l.noMessages() }), nil},
}

// isEnding is the flag that says that the last attempt is to be made, or was when somebody looked.
func isEnding(l *closingLife) bool { return l.over && !l.handshakeDone }

// apply makes an event happen, and has the ghost remember what it wants done.
func apply(l *closingLife, e *closingEvent) (a acts, yes bool) {
	a, yes = e.happen(l)
	g := &l.ghost
	g.timer = g.timer || a&(bound|hurry|lastTry) != 0
	g.keptReading = g.keptReading || a&keepReading != 0
	g.woken = g.woken || a&(wakeWriter|lastTry) != 0
	g.closeLeft = g.closeLeft || e.name == "leave" && yes
	if l.ended {
		*g = ghost{closeLeft: g.closeLeft} // alarms, goroutines and turns have ended
	}
	return a, yes
}

const hangUps = closeGently | closeHard | linger

// TestAllClosingStates goes to every state that a connection's end can come to, as server and as client, and asserts of
// each state and of each step what must hold.
func TestAllClosingStates(t *testing.T) {
	for kind, name := range []string{"client", "server", "passive client", "passive server"} {
		t.Run(name, func(t *testing.T) {
			var start closingLife
			start.server, start.passive = kind%2 == 1, kind >= 2
			came := map[closingKey]string{start.key(): ""}
			queue := []closingKey{start.key()}
			steps, reached := 0, map[closeFate]bool{}
			for len(queue) > 0 {
				k := queue[0]
				queue = queue[1:]
				reached[k.ours] = true
				fail := func(rule string, args ...any) {
					t.Helper()
					t.Fatalf("%s\nin %v\nafter%s", fmt.Sprintf(rule, args...), k, came[k])
				}
				l := k.life()
				if rule := brokenState(&l); rule != "" {
					fail("%s", rule)
				}
				if rule := brokenEnding(&l); rule != "" {
					fail("%s", rule)
				}
				for i := range closingEvents {
					e := &closingEvents[i]
					after := k.life()
					if e.may != nil && !e.may(&after) {
						continue
					}
					steps++
					a, yes := apply(&after, e)
					if rule := brokenStep(&l, &after, e.name, a, yes); rule != "" {
						fail("%s: %s leads with acts %b to %v", rule, e.name, a, after.key())
					}
					if next := after.key(); came[next] == "" && next != start.key() {
						came[next] = came[k] + " → " + e.name
						queue = append(queue, next)
					}
				}
			}
			if len(came) < 500 || len(reached) != 4 {
				t.Errorf("only %d states: the model does not move", len(came))
			}
			t.Logf("%d states, %d steps", len(came), steps)
		})
	}
}

// brokenState returns what is wrong with a state, or "".
func brokenState(l *closingLife) string {
	closing := l.ours != none || l.state != open || l.noWrites || l.over
	switch {
	case l.told() && l.cause == nil && !l.over:
		return "calls are told a cause that is not known"
	case l.over && l.cause == nil:
		return "it is over, and nobody knows why"
	case l.over && l.result == errHalf:
		return "Close returns what calls that send were told after CloseWrite"
	case closing && l.cause == nil && l.result == nil:
		return "nothing can be written, and nobody knows why"
	case closing != l.stopped():
		return "stopped is when anything has begun to end"
	case l.ended && !l.over:
		return "it has ended, and is not over"
	case l.ended && l.reads():
		return "somebody reads after the end"
	case l.noWrites && !l.over && !l.reads():
		return "nothing can be read any more, nor written, and it is not over"
	case l.handshakeDone && (!l.over || l.state != closed):
		return "both Close frames are through, and it is not over"
	case l.handshakeDone && l.result != nil, l.ended && !l.handshakeDone && l.result == nil:
		return "Close returns nil if both Close frames are through, and only then"
	case l.over && l.delivers(), l.ours != none && !l.half && l.delivers():
		return "data is delivered that nobody reads"
	case l.told() && l.delivers():
		return "calls are told the cause while messages are delivered"
	case l.ours != none && l.by == nobody:
		return "our Close is due, and nobody began"
	case l.half && (l.ours == none || l.by != us && l.by != violation):
		return "CloseWrite was called, and no Close is due"
	case l.half && l.cause == nil && !l.closeRead && !l.over && !l.delivers():
		return "after CloseWrite the application hears nothing"
	case l.half && l.drops() && !l.closeRead && l.by != violation && !l.abandoned:
		return "after CloseWrite what was read ahead is dropped"
	case l.abandoned && (!l.over || !l.closedByUs() || !l.drops()):
		return "after CloseNow what came before it is delivered"
	case l.asks() && (!l.told() || l.closeRead):
		return "the application is to answer, and is not told"
	case l.ours == due && l.closeLeft, l.ours == written && !l.closeLeft && !l.ended:
		return "our Close has left, and the machine thinks otherwise"
	case l.last() && (!l.server || l.ended && l.handshakeDone):
		return "something follows what is said to be the last"
	}
	if l.ours != none && string(l.payload) == "" {
		return "our Close has no payload"
	}

	// A Close that is due, and may leave, does when somebody asks.
	if l.ours == due && !l.noWrites && !l.ended {
		again := l.key().life()
		if !again.leave() {
			return "a Close that is due does not leave"
		}
	}

	// Duties: what Conn was told to do is enough.
	switch {
	case l.ended:
	case l.ours == due && !l.woken:
		return "a Close is due, and nobody was told to write it"
	case l.half && l.cause == nil && !l.noWrites: // CloseWrite: the application goes on reading, and bounds it
	case closing && !l.handshakeDone && !l.timer, l.handshakeDone && !l.timer:
		return "what has begun to end is not bounded in time"
	case closing && l.reads() && !l.keptReading:
		return "an answer is to come, and nobody was told to read it"
	}
	return ""
}

// brokenStep returns what is wrong with a step, or "".
func brokenStep(before, after *closingLife, event string, a acts, yes bool) string {
	hangUp := a & hangUps
	switch {
	case before.closeLeft && yes:
		return "something leaves after our Close"
	case event == "mayLeave(sendData)" && yes && (before.state != open || before.ended):
		return "what is new leaves after their Close"
	case event == "mayLeave(sendQueued)" && yes && before.ended:
		return "something leaves after the end"
	case event == "leave" && yes && before.ended:
		return "a Close leaves after the end"
	case after.over && before.cause != nil && after.cause != before.cause, before.cause != nil && after.cause != before.cause:
		return "the first cause is kept"
	case before.over && after.result != before.result:
		return "the first result is kept"
	case before.noWrites && after.result != before.result && !after.over:
		return "the first error of a write is kept"
	case before.over && !after.over, before.ended && !after.ended, before.handshakeDone && !after.handshakeDone, before.eof && !after.eof:
		return "what is over is over"
	case after.ours < before.ours:
		return "our Close never goes back"
	case before.ours != none && string(after.payload) != string(before.payload):
		return "what our Close says is kept"
	case before.state == closed && after.state != closed:
		return "closed is final"
	case after.by != before.by && before.by != nobody && after.by != violation:
		return "who began is kept, but for a violation"

	case bits.OnesCount16(uint16(hangUp)) > 1, (hangUp != 0) != (after.ended && !before.ended):
		return "the net.Conn is closed once, in one way, when the connection ends"
	case (a&endContext != 0) != (after.over && !before.over):
		return "Context ends once, when it is over"
	case (a&lastTry != 0) != (isEnding(after) && !after.ended && !(isEnding(before) && !before.ended)):
		return "the last attempt is made once, when it is over before the handshake is"
	case hangUp == closeGently && !after.handshakeDone:
		return "it is closed gently before both Close frames are through"
	case hangUp == linger && (before.noWrites || after.handshakeDone && event != "end" && event != "abandon"):
		return "nothing was written that should arrive"
	case before.ended && a != 0 && event != "CloseRead":
		return "there is nothing left to do"
	case after.ours == due && before.ours != due && (a&wakeWriter == 0 || a&bound == 0 && event != "beginHalf"):
		return "a Close is due, and nobody is told"
	case after.stopped() && !before.stopped() && !after.noWrites && a&interruptWrite == 0:
		return "no message is accepted any more, and a blocked Write is not told"
	case after.over && !before.over && !after.handshakeDone && a&interruptRead == 0:
		return "it is over, and a blocked Read is not told"
	case before.delivers() && after.drops() && !strings.HasPrefix(event, "fail") && a&interruptRead == 0:
		return "the application reads nothing any more, and a blocked Read is not told"
	case event == "beginHalf" && !before.drops() && after.drops() && before.state == open:
		return "CloseWrite ends the reading"
	case event != "end" && event != "abandon" && event != "received" && !strings.HasPrefix(event, "fail") && before.result == errNoRead && after.result != before.result && !after.handshakeDone:
		return "that the stream has ended is worth more than what came of it"
	case event == "noRead, eof" && (before.ours == due || before.ours == leaving) && !before.over && !before.noWrites && after.over:
		return "the peer's closing its half of TCP is the end of a Close that is due"
	case event == "received" && before.ours == due && after.ours != due:
		return "a Close that is due answers theirs"
	case event == "timedOut" && before.noWrites && !before.over && after.result != before.result:
		return "that nothing could be written is worth more than that time is up"
	case event == "leave" && before.ours == due && !yes && !before.ended:
		return "a Close that was due is forgotten"
	}
	return ""
}

// A fair is what the world around a connection does in the end.
type fair struct {
	name                   string
	writes, answers        bool // the net.Conn takes bytes; the peer answers a Close
	writeFails, streamEnds bool // a write fails; the stream ends
}

// brokenEnding lets what has begun to end go on by itself, in every way that is fair: it ends within a few steps. It
// returns what does not.
func brokenEnding(l *closingLife) string {
	if !l.stopped() || l.ended {
		return ""
	}
	unbounded := l.half && l.cause == nil // CloseWrite: the application goes on reading
	for _, f := range []fair{
		{"the peer answers", true, true, false, false},
		{"the peer answers, and closes TCP", true, true, false, true},
		{"the peer is silent", true, false, false, false},
		{"the stream ends", true, false, false, true},
		{"nothing can be written", false, false, false, false},
		{"nothing can be written, and the stream ends", false, false, false, true},
		{"a write fails", false, false, true, false},
		{"a write fails, but the peer says why", false, true, true, false},
	} {
		if unbounded && !f.answers && !f.streamEnds {
			continue
		}
		const bounded = 12
		k := l.key().life()
		var path []string
		for range bounded {
			if k.ended {
				break
			}
			name := f.next(&k)
			path = append(path, name)
			if name == "" {
				break
			}
			for i := range closingEvents {
				if e := &closingEvents[i]; e.name == name {
					if e.may != nil && !e.may(&k) {
						return fmt.Sprintf("%s: %s can't happen", f.name, name)
					}
					before := k.key().life()
					a, yes := apply(&k, e)
					if rule := brokenStep(&before, &k, name, a, yes); rule != "" {
						return fmt.Sprintf("%s: %s: %s", f.name, name, rule)
					}
				}
			}
		}
		switch {
		case !k.ended:
			return fmt.Sprintf("it does not end if %s: %q, %v", f.name, path, k.key())
		case f.writes && l.ours == due && !l.noWrites && !k.closeLeft:
			return fmt.Sprintf("a Close that was due has not left, though %s: %q", f.name, path)
		}
	}
	return ""
}

// next says what happens next, by the name of the event; "": nothing.
func (f fair) next(l *closingLife) string {
	busy := l.ours == due || l.ours == leaving // the writer has something to write, if it can
	switch {
	case f.writes && !l.noWrites && l.ours == due:
		return "leave"
	case f.writes && !l.noWrites && l.ours == leaving:
		return "wrote"
	case f.writeFails && !l.noWrites && busy && !l.over:
		return "noWrite"
	case isEnding(l) && f.writes && !l.noWrites && l.closeLeft:
		return "gone, wrote"
	case isEnding(l) && !busy:
		return "gone"
	case f.answers && l.reads() && !l.readOver && l.state != open:
		return "received"
	case f.streamEnds && l.reads():
		return "noRead, eof"
	case l.timer:
		return "timedOut"
	}
	return ""
}
