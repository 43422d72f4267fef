package main

import (
	"maps"
	"slices"
	"time"

	"github.com/closeonce/websocket"
)

// A room is the people who are here and what they said last. The hub's mutex
// guards it.
type room struct {
	everybody websocket.Group
	members   map[int]*member // by person.ID
	history   []remark        // at most historySize, the oldest first
	seen      int             // the hub's count when somebody last came or left
}

// A member is a person with a connection.
type member struct {
	person
	room *room
	conn *websocket.Conn
}

// join welcomes m and tells the others. An error means that the connection has
// ended, of which listen learns as well.
func (r *room) join(m *member) {
	m.conn.TryWritePrepared(prepare(welcome{Type: "welcome", You: m.person, Here: append(r.here(), m.person), History: r.history}))
	r.tell(presence{Type: "join", person: m.person})
	r.members[m.ID] = m
	r.everybody.Add(m.conn)
}

// leave tells the others that m is gone.
func (r *room) leave(m *member) {
	delete(r.members, m.ID)
	r.everybody.Remove(m.conn)
	r.tell(presence{Type: "leave", person: m.person})
}

// rename gives m another name.
func (r *room) rename(m *member, name string) {
	m.Name = name
	r.tell(presence{Type: "rename", person: m.person})
}

// say remembers what m says and tells everybody, m included: to m it is the
// receipt. A page that lost its connection before the receipt came says the
// same again, with the same tag; once is enough.
func (r *room) say(m *member, text, tag string, at time.Time) {
	again := func(old remark) bool { return tag != "" && old.Tag == tag }
	if i := slices.IndexFunc(r.history, again); i >= 0 {
		m.conn.TryWritePrepared(r.history[i].event) // if it does not fit, m is too slow for more
		return
	}
	if len(r.history) == historySize {
		r.history = slices.Delete(r.history, 0, 1)
	}
	said := remark{From: m.person, Text: text, Tag: tag, At: at.UnixMilli()}
	said.event = prepare(spoken{Type: "say", remark: said})
	r.history = append(r.history, said)
	r.everybody.BroadcastPrepared(said.event)
}

// here returns the people in the room, in the order in which they came.
func (r *room) here() []person {
	people := make([]person, 0, len(r.members)+1)
	for _, id := range slices.Sorted(maps.Keys(r.members)) {
		people = append(people, r.members[id].person)
	}
	return people
}

// tell sends an event to everybody, without waiting for anybody: what the network
// does not take now the connection queues, up to a limit, and beyond that the group
// closes it. Its page comes back and finds the history.
func (r *room) tell(what any) { r.everybody.BroadcastPrepared(prepare(what)) }

// prepare prepares an event to be sent.
func prepare(what any) *websocket.PreparedMessage {
	m, err := websocket.NewPreparedMessage(websocket.MessageText, encode(what))
	if err != nil {
		panic(err) // JSON is UTF-8
	}
	return m
}
