package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/closeonce/websocket"
)

// A room is the people who are here and what they said last. The hub's mutex
// guards it.
type room struct {
	members map[int]*member // by person.ID
	history []remark        // at most historySize, the oldest first
	seen    int             // the hub's count when somebody last came or left
}

// A member is a person with a connection.
type member struct {
	person
	room *room
	conn *websocket.Conn
	drop context.CancelCauseFunc // ends the serving of the connection
}

// join welcomes m and tells the others.
func (r *room) join(m *member) {
	m.take(encode(welcome{Type: "welcome", You: m.person, Here: append(r.here(), m.person), History: r.history}))
	r.tellAll(presence{Type: "join", person: m.person})
	r.members[m.ID] = m
}

// leave tells the others that m is gone, unless it has been dropped before.
func (r *room) leave(m *member) {
	if r.members[m.ID] == m {
		delete(r.members, m.ID)
		r.tellAll(presence{Type: "leave", person: m.person})
	}
}

// rename gives m another name.
func (r *room) rename(m *member, name string) {
	m.Name = name
	r.tellAll(presence{Type: "rename", person: m.person})
}

// say remembers what m says and tells everybody, m included: to m it is the
// receipt. A page that lost its connection before the receipt came says the
// same again, with the same tag; once is enough.
func (r *room) say(m *member, text, tag string, at time.Time) {
	again := func(old remark) bool { return tag != "" && old.Tag == tag }
	if i := slices.IndexFunc(r.history, again); i >= 0 {
		m.take(encode(spoken{Type: "say", remark: r.history[i]}))
		return
	}
	if len(r.history) == historySize {
		r.history = slices.Delete(r.history, 0, 1)
	}
	said := remark{From: m.person, Text: text, Tag: tag, At: at.UnixMilli()}
	r.history = append(r.history, said)
	r.tellAll(spoken{Type: "say", remark: said})
}

// here returns the people in the room, in the order in which they came.
func (r *room) here() []person {
	people := make([]person, 0, len(r.members)+1)
	for _, id := range slices.Sorted(maps.Keys(r.members)) {
		people = append(people, r.members[id].person)
	}
	return people
}

// tellAll sends an event to everybody, without waiting for anybody: those who
// lag too far behind are dropped, and the rest told so.
func (r *room) tellAll(event any) {
	for events := []any{event}; len(events) > 0; events = events[1:] {
		p := encode(events[0])
		for _, id := range slices.Sorted(maps.Keys(r.members)) {
			if m := r.members[id]; !m.take(p) {
				delete(r.members, id)
				events = append(events, presence{Type: "leave", person: m.person})
			}
		}
	}
}

// take sends p to m, and reports whether m keeps up. It never waits: what the
// network does not take now the connection queues, up to a limit, and beyond
// that m is dropped. Its page comes back and finds the history.
func (m *member) take(p []byte) bool {
	err := m.conn.TryWrite(websocket.MessageText, p)
	if errors.Is(err, websocket.ErrQueueFull) {
		m.drop(errSlow)
		return false
	}
	// Any other error means that the connection has ended, of which listen
	// learns as well.
	return true
}
