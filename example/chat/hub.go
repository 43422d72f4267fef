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
// One mutex guards it all. That is no bottleneck, for nothing waits while it is
// held: TryWrite never does. And it gives everybody in a room the same order of
// events.
type hub struct {
	stopping context.Context // ends when the server shall stop
	running  sync.WaitGroup  // counts WebSockets

	mu       sync.Mutex
	lastID   int
	lastSeen int // counts visits to rooms, for room.seen
	rooms    map[string]*room
	feed     map[*subscriber]bool
}

func newHub(stopping context.Context) *hub {
	return &hub{
		stopping: stopping,
		rooms:    make(map[string]*room),
		feed:     make(map[*subscriber]bool),
	}
}

// wait returns when all WebSockets have been closed.
func (h *hub) wait() { h.running.Wait() }

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
	h.accept(w, r, func(ctx context.Context, c *websocket.Conn) {
		ctx, drop := context.WithCancelCause(ctx)
		defer drop(nil)
		m := &member{conn: c, drop: drop}
		m.Name = cleanName(r.URL.Query().Get("name"))
		why := h.join(name, m)
		if why == nil {
			why = h.listen(ctx, m)
			h.leave(m)
		}
		h.farewell(c, why)
	})
}

// accept accepts a WebSocket and runs serve with a context that ends when the
// server shall stop. Cancelling a context does not end the connection: serve
// can still say goodbye.
func (h *hub) accept(w http.ResponseWriter, r *http.Request, serve func(context.Context, *websocket.Conn)) {
	h.running.Add(1)
	defer h.running.Done()
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{ReadLimit: readLimit, QueueLimit: queueLimit})
	if err != nil {
		return // Accept has answered
	}
	defer c.CloseNow()
	serve(h.stopping, c)
}

var (
	errSlow   = errors.New("you read too slowly")
	errFull   = errors.New("there is no room left")
	errNoJSON = errors.New("a message is not the JSON that was expected")
)

// farewell closes a connection, for the reason that ended its serving.
func (h *hub) farewell(c *websocket.Conn, why error) {
	switch {
	case h.stopping.Err() != nil:
		c.Close(websocket.StatusGoingAway, "the server is stopping")
	case errors.Is(why, errSlow), errors.Is(why, errFull):
		c.Close(websocket.StatusTryAgainLater, why.Error())
	case errors.Is(why, errNoJSON):
		c.Close(websocket.StatusInvalidFramePayloadData, why.Error())
	default: // the peer has closed it, or is gone
		c.Close(websocket.StatusNormalClosure, "")
	}
}

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

// listen does what m's page asks for, until the connection or ctx ends.
func (h *hub) listen(ctx context.Context, m *member) error {
	for message, err := range m.conn.Messages(ctx) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
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
	if m.room.members[m.ID] != m {
		return // dropped a moment ago
	}
	switch {
	case q.Type == "say" && q.Text != "":
		m.room.say(m, q.Text, q.Tag, time.Now())
	case q.Type == "rename" && q.Name != "":
		m.room.rename(m, q.Name)
	}
}
