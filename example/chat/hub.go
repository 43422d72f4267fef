package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/closeonce/websocket"
)

const (
	maxRooms    = 200      // rooms, before one in which nobody is gets dropped
	maxMembers  = 200      // people in a room
	readLimit   = 16 << 10 // bytes of a message from a page
	maxText     = 1000     // runes of what somebody says
	maxName     = 32       // runes of a name
	historySize = 100      // remarks that a room remembers

	// queueLimit is how far a client may lag behind, in bytes. A welcome with the
	// whole history must fit.
	queueLimit = 512 << 10
)

// A hub is the whole of the server: rooms, and the subscribers of a feed.
//
// One mutex guards the rooms. That is no bottleneck, for nothing waits while it is
// held: Broadcast and TryWrite never do. And it gives everybody in a room the same
// order of events.
type hub struct {
	stopping context.Context // ends when the server shall stop
	all      websocket.Group // every WebSocket, to close them in the end
	feed     websocket.Group // those that get what is published

	mu       sync.Mutex
	lastID   int
	lastSeen int // counts visits to rooms, for room.seen
	rooms    map[string]*room
}

func newHub(stopping context.Context) *hub {
	h := &hub{stopping: stopping, rooms: make(map[string]*room)}
	h.feed.Policy = websocket.CloseSlow
	context.AfterFunc(stopping, h.wait)
	return h
}

// wait closes all WebSockets with 1001, and returns when they are closed. Those that
// come later are closed, too.
func (h *hub) wait() { h.all.Shutdown(context.Background()) }

func (h *hub) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", http.RedirectHandler("/r/lobby", http.StatusSeeOther))
	mux.HandleFunc("GET /r/{room}", h.page)
	mux.Handle("GET /page/", files)
	mux.Handle("GET /favicon.ico", http.RedirectHandler("/page/icon.svg", http.StatusMovedPermanently))
	mux.HandleFunc("GET /r/{room}/ws", h.chat)
	mux.HandleFunc("GET /subscribe", h.subscribe)
	mux.HandleFunc("POST /publish", h.publish)
	// Accept refuses WebSockets of foreign pages; this refuses their POSTs.
	return http.NewCrossOriginProtection().Handler(mux)
}

var roomName = regexp.MustCompile(`^[\pL\pN_-]{1,40}$`)

// chat is a WebSocket of the page: /r/{room}/ws?name=…
func (h *hub) chat(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("room")
	if !roomName.MatchString(name) {
		http.NotFound(w, r)
		return
	}
	h.accept(w, r, func(c *websocket.Conn) error {
		m := &member{conn: c}
		m.Name = cleanName(r.URL.Query().Get("name"))
		if err := h.join(name, m); err != nil {
			return err
		}
		defer h.leave(m)
		return h.listen(m)
	})
}

// accept accepts a WebSocket, runs serve, and closes it for the reason that serve
// returns. If it is closed already, because the server stops or the peer reads too
// slowly, that stands.
func (h *hub) accept(w http.ResponseWriter, r *http.Request, serve func(*websocket.Conn) error) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{ReadLimit: readLimit, QueueLimit: queueLimit})
	if err != nil {
		return // Accept has answered
	}
	if h.all.Add(c) == nil {
		err = serve(c)
	}
	switch {
	case errors.Is(err, errFull):
		c.Close(websocket.StatusTryAgainLater, err.Error())
	case errors.Is(err, errNoJSON):
		c.Close(websocket.StatusInvalidFramePayloadData, err.Error())
	default: // the peer has closed it, or is gone
		c.Close(websocket.StatusNormalClosure, "")
	}
}

var (
	errFull   = errors.New("there is no room left")
	errNoJSON = errors.New("a message is not the JSON that was expected")
)

// join lets m into a room: it learns who is here and what was said, the others
// learn of it.
func (h *hub) join(name string, m *member) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, err := h.room(name)
	if err != nil {
		return err
	}
	if len(r.members) == maxMembers {
		return errFull
	}
	h.lastID++
	m.ID = h.lastID
	if m.Name == "" {
		m.Name = fmt.Sprintf("Guest %d", m.ID)
	}
	m.room = r
	r.join(m)
	return nil
}

// room returns the room of that name. The caller holds h.mu.
func (h *hub) room(name string) (*room, error) {
	r := h.rooms[name]
	if r == nil {
		if len(h.rooms) == maxRooms && !h.forgetRoom() {
			return nil, errFull
		}
		r = &room{members: make(map[int]*member), history: make([]remark, 0)}
		r.everybody.Policy = websocket.CloseSlow
		h.rooms[name] = r
	}
	h.lastSeen++
	r.seen = h.lastSeen
	return r, nil
}

// forgetRoom drops the room that has been without people for longest, if there
// is one. The caller holds h.mu.
func (h *hub) forgetRoom() bool {
	oldest, seen := "", h.lastSeen+1
	for name, r := range h.rooms {
		if len(r.members) == 0 && r.seen < seen {
			oldest, seen = name, r.seen
		}
	}
	delete(h.rooms, oldest)
	return oldest != ""
}

func (h *hub) leave(m *member) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopping.Err() != nil {
		return // everybody leaves, which is nothing to tell
	}
	m.room.leave(m)
	h.lastSeen++
	m.room.seen = h.lastSeen
}

// listen does what m's page asks for, until the connection ends.
func (h *hub) listen(m *member) error {
	for message, err := range m.conn.Messages(context.Background()) {
		if err != nil {
			return err
		}
		q, err := decode(message.Data)
		if err != nil {
			return errNoJSON
		}
		h.handle(m, q)
	}
	return nil
}

// handle does one thing that m's page asks for.
func (h *hub) handle(m *member, q request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case q.Type == "say" && q.Text != "":
		m.room.say(m, q.Text, q.Tag, time.Now())
	case q.Type == "rename" && q.Name != "":
		m.room.rename(m, q.Name)
	}
}
