// Package client is a client of the cluster in Go. It does what page/room.js does in a browser: it stays in a room whatever happens to
// the nodes, gets everything that is said there once and in order, and says everything once and in order.
package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/example/cluster/wire"
)

const (
	firstDelay   = 50 * time.Millisecond // before it connects again. It doubles each time, and up to half is cut at random
	longestDelay = 5 * time.Second
)

// A Client is somebody in a room. Set the fields, and call Run.
type Client struct {
	Room, Name string
	Nodes      []string // URLs. The first is tried first; then any of them, and of those that it hears of

	// Said is called for everything that is said, in order.
	Said func(seq uint64, r wire.Remark)
	// Joined, if not nil, is called when it was connected to a node.
	Joined func(node string)
	// Lost, if not nil, is called when it lost a node, or did not get one.
	Lost func(err error)
	// Dial has options for the WebSocket. It may be nil.
	Dial *websocket.DialOptions

	nodes []string // that are known
	after uint64   // the last remark that it has

	mu     sync.Mutex
	prefix string         // of tags
	tags   int            // that were used
	unsaid []wire.Request // those without a receipt, the oldest first
	sent   int            // how many of them were sent on this connection
	more   chan struct{}  // wakes the goroutine that sends
}

// Say says text in the room. It does not wait; what can't be sent now is sent when there is a node.
func (c *Client) Say(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.prefix == "" {
		c.prefix = rand.Text()
	}
	c.tags++
	c.unsaid = append(c.unsaid, wire.Request{Type: "say", Text: text, Tag: fmt.Sprintf("%s-%d", c.prefix, c.tags)})
	c.wake()
}

// wake wakes the goroutine that sends, if there is one. The caller holds c.mu.
func (c *Client) wake() {
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// Run stays in the room until ctx is done.
func (c *Client) Run(ctx context.Context) {
	c.nodes = slices.Clone(c.Nodes)
	node, delay := c.nodes[0], firstDelay
	for ctx.Err() == nil {
		joined, err := c.visit(ctx, node)
		if joined {
			delay = firstDelay
		}
		if c.Lost != nil && ctx.Err() == nil {
			c.Lost(err)
		}
		select {
		case <-time.After(delay - mathrand.N(delay/2)):
		case <-ctx.Done():
		}
		delay = min(2*delay, longestDelay)
		node = c.another(node)
	}
}

// another returns a node that is not this one, if there is another. It is any of them, so that those who lost this one do not
// all go to the same.
func (c *Client) another(node string) string {
	others := slices.DeleteFunc(slices.Clone(c.nodes), func(n string) bool { return n == node })
	if len(others) == 0 {
		return node
	}
	return others[mathrand.N(len(others))]
}

// visit is in the room by one node, until that node or the connection to it ends.
func (c *Client) visit(ctx context.Context, node string) (joined bool, err error) {
	query := url.Values{"name": {c.Name}, "after": {strconv.FormatUint(c.after, 10)}}
	dialing, cancel := context.WithTimeout(ctx, longestDelay)
	conn, _, err := websocket.Dial(dialing, node+"/r/"+url.PathEscape(c.Room)+"/ws?"+query.Encode(), c.Dial)
	cancel()
	if err != nil {
		return false, err
	}
	defer conn.Close(websocket.StatusNormalClosure, "")

	for m, err := range conn.Messages(ctx) {
		if err != nil {
			return joined, err
		}
		var e wire.Event
		if err := json.Unmarshal(m.Data, &e); err != nil {
			return joined, err
		}
		switch e.Type {
		case "welcome":
			joined = true
			c.welcome(e)
			go c.send(conn)
		case "said":
			c.after = e.Seq
			c.receipt(e.Said.Tag)
			c.Said(e.Seq, *e.Said)
		}
	}
	return joined, nil
}

func (c *Client) welcome(e wire.Event) {
	for _, node := range e.Nodes {
		if !slices.Contains(c.nodes, node) {
			c.nodes = append(c.nodes, node)
		}
	}
	c.mu.Lock()
	c.sent = 0 // what has not come with the history is said again
	c.more = make(chan struct{}, 1)
	c.wake()
	c.mu.Unlock()
	if c.Joined != nil {
		c.Joined(e.Node)
	}
}

// receipt forgets what was said, if it was said here. It is the oldest, for the order is kept.
func (c *Client) receipt(tag string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.unsaid) > 0 && c.unsaid[0].Tag == tag {
		c.unsaid = slices.Delete(c.unsaid, 0, 1)
		c.sent = max(c.sent-1, 0)
	}
}

// send sends what is to be said, one after the other, until the connection ends.
func (c *Client) send(conn *websocket.Conn) {
	c.mu.Lock()
	more := c.more
	c.mu.Unlock()
	for {
		c.mu.Lock()
		var next []byte
		if c.more == more && c.sent < len(c.unsaid) {
			next, _ = json.Marshal(c.unsaid[c.sent])
			c.sent++
		}
		c.mu.Unlock()
		if next != nil {
			if conn.Write(conn.Context(), websocket.MessageText, next) != nil {
				return
			}
			continue
		}
		select {
		case <-more:
		case <-conn.Context().Done():
			return
		}
	}
}
