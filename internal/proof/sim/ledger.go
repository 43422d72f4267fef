package sim

import (
	"bytes"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/closeonce/websocket"
)

// fate is what became of a message that an application handed over.
type fate int

const (
	pending fate = iota // the call has not returned
	done                // it returned nil: the message must leave
	unsure              // it returned an error: the message may leave, whole
	never               // it was refused: the message must not leave
)

// A letter is a message that an application hands over.
type letter struct {
	from    string // the writer
	number  int    // the writer's count
	typ     websocket.MessageType
	data    []byte // what must be in it
	maybe   []byte // a piece whose Write has not returned: it may follow
	fate    fate
	settled time.Time // when that was known
}

// A ledger holds the letters of one direction.
type ledger struct {
	mu      sync.Mutex
	letters map[string]*letter // by the tag that they begin with
}

func newLedger() *ledger { return &ledger{letters: map[string]*letter{}} }

// tagOf returns the tag that the data begins with: "w3.17;".
func tagOf(data []byte) (string, bool) {
	tag, _, found := bytes.Cut(data[:min(len(data), 24)], []byte(";"))
	return string(tag), found
}

// minLetter is how short a letter may be.
const minLetter = 12

// compose makes a letter of n bytes: a tag and a text or bytes that follow from it.
func (l *ledger) compose(r random, from string, number int, typ websocket.MessageType, n int) *letter {
	tag := fmt.Sprintf("%s.%d", from, number)
	data := append(make([]byte, 0, n), tag...)
	data = append(data, ';')
	if typ == websocket.MessageText {
		words := []string{"a", "é", "€", "😀", "websocket", "日本", "\u0000", "\uFFFD"}
		for len(data) < n {
			word := words[r.IntN(len(words))]
			if len(data)+len(word) > n {
				word = "."
			}
			data = append(data, word...)
		}
	} else {
		for len(data) < n {
			v := r.Uint64()
			for i := 0; i < 8 && len(data) < n; i++ {
				data = append(data, byte(v>>(8*i)))
			}
		}
	}
	m := &letter{from: from, number: number, typ: typ, data: data}
	l.mu.Lock()
	l.letters[tag] = m
	l.mu.Unlock()
	return m
}

// settle sets the letter's fate.
func (l *ledger) settle(m *letter, f fate) {
	l.mu.Lock()
	m.fate, m.settled = f, time.Now()
	l.mu.Unlock()
}

// accepted counts the messages of which it was known by then that they must leave.
func (l *ledger) accepted(then time.Time) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.letters {
		if m.fate == done && m.settled.Before(then) {
			n++
		}
	}
	return n
}

// find returns the letter that the data begins.
func (l *ledger) find(data []byte) *letter {
	tag, ok := tagOf(data)
	if !ok {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.letters[tag]
}

// matches reports whether data is the letter's. A text that had to end early ends
// with a whole character.
func (m *letter) matches(data []byte) bool {
	if bytes.Equal(data, m.data) || len(m.maybe) > 0 && bytes.Equal(data, append(bytes.Clone(m.data), m.maybe...)) {
		return true
	}
	early := m.fate != done && m.typ == websocket.MessageText
	return early && bytes.HasPrefix(m.data, data) && len(m.data)-len(data) < utf8.UTFMax
}
