package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/example/cluster/wire"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	readLimit  = 16 << 10  // bytes of a message from a client
	queueLimit = 256 << 10 // bytes by which a client may lag behind before it is sent to the history
	maxRooms   = 1000      // on one node
	maxText    = 1000      // bytes of a remark
	maxName    = 32        // bytes of a name
	maxTag     = 64        // bytes of a tag
)

// settings are what differs from node to node.
type settings struct {
	name    string   // of the node
	url     string   // under which pages reach it; empty: its address
	broker  string   // the URL of NATS
	origins []string // hosts whose pages may connect, besides the node's own

	// patience is how long the node keeps its clients when it has lost the broker. They hear nothing meanwhile, and may
	// do better elsewhere.
	patience time.Duration

	dialer nats.CustomDialer // makes the connections to the broker; nil: the default
}

// A node is one of many servers. It keeps nothing that matters: what was said is in the stream, who is here is told anew
// every second. So any client may go to any node, and when a node dies nothing dies with it.
type node struct {
	settings
	nc     *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream

	server   *http.Server
	clients  *websocket.Group // all WebSockets of the server
	watchers websocket.Group  // those of them that watch the cluster
	serving  sync.WaitGroup   // functions that serve a WebSocket
	stopped  chan struct{}    // is closed to stop the beats
	lost     *time.Timer      // runs while the broker is lost

	mu    sync.Mutex
	rooms map[string]*room
	past  figures         // of the rooms that are no more
	beats map[string]beat // the last of each node, this one included
}

// startNode starts a node that listens on ln.
func startNode(s settings, ln net.Listener) (*node, error) {
	s.url = cmp.Or(s.url, "http://"+ln.Addr().String())
	n := &node{settings: s, rooms: map[string]*room{}, beats: map[string]beat{}, stopped: make(chan struct{})}
	n.lost = time.AfterFunc(time.Hour, n.dismiss)
	n.lost.Stop()
	n.watchers.Policy, n.watchers.MaxQueued = websocket.DropOldest, 100

	var err error
	if n.nc, err = connect(n); err != nil {
		return nil, err
	}
	if err := n.subscribe(); err != nil {
		n.nc.Close()
		return nil, err
	}
	n.server = &http.Server{Handler: n.handler(), ReadHeaderTimeout: 10 * time.Second}
	n.clients = websocket.ServerGroup(n.server)
	go n.server.Serve(ln)
	go n.beatEverySecond()
	return n, nil
}

// subscribe opens the stream, and listens to all nodes.
func (n *node) subscribe() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var err error
	if n.js, err = jetstream.New(n.nc); err != nil {
		return err
	}
	if n.stream, err = openStream(ctx, n.js); err != nil {
		return err
	}
	_, err = n.nc.Subscribe("beat.*", func(m *nats.Msg) { n.heard(m.Data) })
	return err
}

// stop sends all clients elsewhere, with 1001, and returns when they are gone and what they said is published.
func (n *node) stop(ctx context.Context) error {
	err := n.server.Shutdown(ctx)
	if _, e := n.clients.Shutdown(ctx); err == nil {
		err = e
	}
	n.serving.Wait()
	close(n.stopped)
	if n.nc.Publish("beat."+n.name, encode(beat{Node: n.name, Gone: true})) == nil {
		n.nc.FlushTimeout(n.patience)
	}
	n.nc.SetDisconnectErrHandler(nil)
	n.nc.Close()
	return err
}

// brokerLost and brokerFound are called in turn, when the connection to the broker was lost and was made anew. If it lasts, the
// clients are sent to nodes that may still have theirs. Until then they notice nothing: what they miss comes afterwards.
func (n *node) brokerLost() {
	log.Printf("node %s has lost the broker", n.name)
	n.lost.Reset(n.patience)
}

func (n *node) brokerFound() {
	log.Printf("node %s has found the broker", n.name)
	n.lost.Stop()
}

// dismiss sends the members of all rooms elsewhere.
func (n *node) dismiss() {
	n.mu.Lock()
	rooms := n.rooms
	n.rooms = map[string]*room{}
	n.mu.Unlock()
	for _, r := range rooms {
		go r.said.Close(context.Background(), websocket.StatusTryAgainLater, "this node has lost the others")
	}
}

func (n *node) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", page("cluster.html"))
	mux.HandleFunc("GET /r/{room}", page("room.html"))
	mux.Handle("GET /page/", files)
	mux.HandleFunc("GET /r/{room}/ws", n.chat)
	mux.HandleFunc("GET /cluster/ws", n.watch)
	mux.HandleFunc("GET /ready", n.ready) // for load balancers
	return mux
}

// ready reports whether clients should come here.
func (n *node) ready(w http.ResponseWriter, r *http.Request) {
	if !n.nc.IsConnected() {
		http.Error(w, "this node has lost the others", http.StatusServiceUnavailable)
	}
}

// accept accepts a WebSocket and has it served in a goroutine of its own, so that net/http keeps nothing for it.
func (n *node) accept(w http.ResponseWriter, r *http.Request, serve func(context.Context, *websocket.Conn)) {
	n.serving.Add(1)
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{ReadLimit: readLimit, QueueLimit: queueLimit, OriginPatterns: n.origins})
	if err != nil {
		n.serving.Done() // Accept has answered
		return
	}
	go func() {
		defer n.serving.Done()
		defer c.Close(websocket.StatusNormalClosure, "")
		serve(c.Context(), c)
	}()
}

var roomName = regexp.MustCompile(`^[\pL\pN_-]{1,40}$`)

// chat is the WebSocket of a room: /r/{room}/ws?name=…&after=…
//
// after is the sequence number of the last remark that the client has. It gets all since, or the last ones if it has none.
func (n *node) chat(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	room, name := r.PathValue("room"), cmp.Or(clean(query.Get("name"), maxName), "Guest")
	after, err := strconv.ParseUint(cmp.Or(query.Get("after"), "0"), 10, 64)
	switch {
	case !roomName.MatchString(room):
		http.NotFound(w, r)
		return
	case err != nil:
		http.Error(w, "after is not a number", http.StatusBadRequest)
		return
	case !n.nc.IsConnected():
		http.Error(w, "this node has lost the others", http.StatusServiceUnavailable)
		return
	}
	n.accept(w, r, func(ctx context.Context, c *websocket.Conn) {
		if err := n.serveMember(ctx, c, room, name, after); err != nil {
			c.Close(websocket.StatusTryAgainLater, err.Error())
		}
	})
}

// serveMember has c in a room for as long as it lives. An error says why it should go elsewhere.
func (n *node) serveMember(ctx context.Context, c *websocket.Conn, name, member string, after uint64) error {
	r, err := n.enter(name)
	defer n.leave(r, c)
	if err != nil {
		return err
	}
	if err := r.join(ctx, c, member, after, n.patience); err != nil {
		return err
	}
	welcome := encode(wire.Event{Type: "welcome", Node: n.name, Nodes: n.urls()})
	if err := c.Write(ctx, websocket.MessageText, welcome); err != nil {
		return nil
	}
	for m, err := range c.Messages(ctx) {
		if err != nil {
			return nil
		}
		var q wire.Request
		if json.Unmarshal(m.Data, &q) != nil {
			c.Close(websocket.StatusInvalidFramePayloadData, "this is not the JSON that was expected")
			return nil
		}
		if err := n.say(ctx, r, member, q); err != nil {
			return err
		}
	}
	return nil
}

// say publishes what a member says, and returns when the stream has it. All members on all nodes get it from there, its
// author too, as the receipt.
//
// A client says its next remark when this returns, and if it fails it is closed. So what it says keeps its order, even
// if it says all without a receipt again on another node while this one still tries: there is no way to the second remark but by
// the first, and the stream takes each tag once.
func (n *node) say(ctx context.Context, r *room, member string, q wire.Request) error {
	text, tag := clean(q.Text, maxText), clean(q.Tag, maxTag)
	if q.Type != "say" || text == "" || tag == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.patience)
	defer cancel()
	remark := encode(wire.Remark{From: member, Text: text, Tag: tag, At: time.Now().UnixMilli()})
	if _, err := n.js.Publish(ctx, subject(r.name), remark, jetstream.WithMsgID(r.name+"/"+tag)); err != nil {
		return errors.New("not published: say it again elsewhere")
	}
	return nil
}

// enter returns a room, which is opened for the first who comes. leave must be called, also after an error.
func (n *node) enter(name string) (*room, error) {
	n.mu.Lock()
	r := n.rooms[name]
	if r == nil && len(n.rooms) < maxRooms {
		r = newRoom(name)
		n.rooms[name] = r
	}
	if r == nil {
		n.mu.Unlock()
		return nil, errors.New("there is no room left")
	}
	r.users++
	n.mu.Unlock()
	if err := r.open(n.stream, n.patience); err != nil {
		log.Printf("node %s can't read room %s: %v", n.name, name, err)
		return r, errors.New("this node can't read the room")
	}
	return r, nil
}

// leave closes a room when the last has left.
func (n *node) leave(r *room, c *websocket.Conn) {
	if r == nil {
		return
	}
	r.leave(c)
	n.mu.Lock()
	defer n.mu.Unlock()
	if r.users--; r.users > 0 {
		return
	}
	if n.rooms[r.name] == r {
		delete(n.rooms, r.name)
	}
	n.past.add(r.figures())
	r.close()
}

// encode encodes what is sent. Pages put names and texts into text nodes, never into HTML.
func encode(v any) []byte {
	p, err := json.Marshal(v)
	if err != nil {
		panic(err) // what is sent can be encoded
	}
	return p
}

// clean returns s without what is not UTF-8 and without space around it, at most limit bytes of it.
func clean(s string, limit int) string {
	s = strings.TrimSpace(strings.ToValidUTF8(s, ""))
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return s
}
