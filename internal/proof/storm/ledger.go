package storm

import (
	"fmt"
	"sync"

	"github.com/closeonce/websocket"
)

// fate is what a call said of a message.
type fate byte

const (
	pending  fate = iota // the call has not returned
	accepted             // it returned nil: the message must leave
	unsure               // it returned an error: the message may leave
	refused              // it said that nothing leaves
)

func (f fate) String() string {
	return [...]string{"has not returned", "returned nil", "returned an error", "said that nothing is sent"}[f]
}

// An entry is what is known of one message.
type entry struct {
	fate   fate
	cast   bool // a group's: a policy may drop it
	stream bool // a Writer's: it may leave in part unless it was accepted
	wired  bool
	got    bool
	size   int
	left   int // bytes of it that left
}

// A ledger holds the messages of one direction, by sending goroutine and number.
type ledger struct {
	fail    func(kind, format string, args ...any)
	foreign bool // messages that a proxy forwards: only what they hold is checked
	opaque  bool // messages without tags: nothing is checked

	mu      sync.Mutex
	senders map[string]*sender
	wired   int // messages that left
	stubs   int // messages too short for a tag, from Writers that ended early
}

// A sender is one sending goroutine.
type sender struct {
	name    string
	entries []entry
	last    int // number of the last that left, -1 if none has
}

func newLedger(fail func(kind, format string, args ...any)) *ledger {
	return &ledger{fail: fail, senders: map[string]*sender{}}
}

// compose enters a new message and returns its number and its bytes.
func (l *ledger) compose(from string, size int, typ websocket.MessageType, stream bool) (int, []byte) {
	size = min(max(size, smallestLetter), largestLetter)
	l.mu.Lock()
	s := l.senders[from]
	if s == nil {
		s = &sender{name: from, last: -1}
		l.senders[from] = s
	}
	number := len(s.entries)
	s.entries = append(s.entries, entry{size: size, stream: stream})
	l.mu.Unlock()
	return number, compose(from, number, size, typ)
}

// expect enters a message that goes to many. What its sender has sent elsewhere meanwhile must not come here.
func (l *ledger) expect(from string, number, size int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.senders[from]
	if s == nil {
		s = &sender{name: from, last: -1}
		l.senders[from] = s
	}
	for len(s.entries) <= number {
		s.entries = append(s.entries, entry{fate: refused})
	}
	s.entries[number] = entry{fate: unsure, cast: true, size: size}
}

// casts returns how many messages of groups may come, and how many have left.
func (l *ledger) casts() (all, left int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.senders {
		for _, e := range s.entries {
			if e.cast {
				all++
			}
			if e.cast && e.wired {
				left++
			}
		}
	}
	return all, left
}

// settle enters what the call said.
func (l *ledger) settle(from string, number int, f fate) {
	l.mu.Lock()
	e := &l.senders[from].entries[number]
	e.fate = f
	wired := e.wired
	l.mu.Unlock()
	if wired && f == refused {
		l.fail("sent-refused", "%s.%d was sent, and then the call said that nothing was", from, number)
	}
}

// left enters a message that the observer saw.
func (l *ledger) left(data []byte, typ websocket.MessageType) {
	t, ok := readTag(data)
	if l.opaque {
		return
	}
	if !ok {
		l.mu.Lock()
		l.wired++
		l.stubs++
		l.mu.Unlock()
		if len(data) >= smallestLetter {
			l.fail("corrupt", "a message of %d bytes that nobody sent: %.60q", len(data), data)
		}
		return
	}
	if err := t.check(data, typ); err != nil {
		l.fail("corrupt", "on the wire: %v", err)
	}
	l.mu.Lock()
	l.wired++
	kind, what := l.enter(t, len(data))
	l.mu.Unlock()
	if kind != "" {
		l.fail(kind, "%s.%d %s", t.from, t.number, what)
	}
}

// enter notes that a message left, and says what is wrong with that. The caller holds mu.
func (l *ledger) enter(t tag, size int) (kind, what string) {
	if l.foreign {
		return "", ""
	}
	s := l.senders[t.from]
	if s == nil || t.number >= len(s.entries) {
		return "corrupt", "was sent, and nobody handed it over"
	}
	e := &s.entries[t.number]
	again, before := e.wired, s.last
	e.wired, e.left = true, size
	s.last = max(s.last, t.number)
	switch {
	case again:
		return "order", "was sent twice"
	case before > t.number:
		return "order", fmt.Sprintf("was sent after %s.%d; its call %s", t.from, before, e.fate)
	case e.fate == refused:
		return "sent-refused", "was sent though the call said that nothing was"
	case size < t.size && (!e.stream || e.fate == accepted):
		return "cut-message", fmt.Sprintf("was sent with %d of %d bytes", size, t.size)
	}
	return "", ""
}

// got enters a message that a Read returned whole.
func (l *ledger) got(data []byte, typ websocket.MessageType) {
	t, ok := readTag(data)
	if !ok {
		if len(data) >= smallestLetter {
			l.fail("misread", "Read returned a message that nobody sent: %.60q", data)
		}
		return
	}
	if err := t.check(data, typ); err != nil {
		l.fail("misread", "Read: %v", err)
		return
	}
	if l.foreign {
		return
	}
	l.mu.Lock()
	var what string
	if s := l.senders[t.from]; s == nil || t.number >= len(s.entries) {
		what = "was read, and nobody handed it over"
	} else if e := &s.entries[t.number]; !e.wired {
		what = "was read before it was sent"
	} else if e.got {
		what = "was read twice"
	} else if e.got = true; e.left != len(data) {
		what = fmt.Sprintf("was read with %d bytes, and sent with %d", len(data), e.left)
	}
	l.mu.Unlock()
	if what != "" {
		l.fail("misread", "%s.%d %s", t.from, t.number, what)
	}
}

// missing returns the accepted messages that have not left, or left in part.
func (l *ledger) missing() (missing, cut []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.senders {
		for i, e := range s.entries {
			if e.fate != accepted {
				continue
			}
			if name := fmt.Sprintf("%s.%d (%d bytes)", s.name, i, e.size); !e.wired {
				missing = append(missing, name)
			} else if e.left != e.size {
				cut = append(cut, name)
			}
		}
	}
	return missing, cut
}

// count returns how many messages left.
func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wired
}
