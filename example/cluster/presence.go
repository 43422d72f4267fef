package main

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/example/cluster/wire"
)

const (
	silence  = 3500 * time.Millisecond // after which a node counts as gone
	maxNames = 20                      // of those in a room, from each node
)

// A beat is what each node tells the others every second: who is there, and what was dropped. Nothing of it is stored. What
// a node does not repeat is forgotten, so whoever was on a node that died is not here any more, without anybody clearing up.
type beat struct {
	Node    string  `json:"node"`
	URL     string  `json:"url"`
	Clients int     `json:"clients"` // WebSockets, of those that watch too
	Figures figures `json:"figures"`
	Rooms   []part  `json:"rooms"`
	Gone    bool    `json:"gone,omitempty"` // it has said good-bye

	heard time.Time
}

// A part is the part of a room that is on one node.
type part struct {
	Room    string   `json:"room"`
	Count   int      `json:"count"`
	People  []person `json:"people"` // some of them, the slow first
	Figures figures  `json:"figures"`
}

// A person is a member, and how far it lags behind.
type person struct {
	Name     string `json:"name"`
	Waiting  int    `json:"waiting,omitempty"`  // remarks that it has not taken yet
	Replaced uint64 `json:"replaced,omitempty"` // news of who is here that it has not taken, before there were newer ones
}

// figures are what the groups of rooms have counted.
type figures struct {
	Messages uint64 `json:"messages"` // remarks
	Sent     uint64 `json:"sent"`     // remarks, by members
	Slow     uint64 `json:"slow"`     // members who were closed because they were too slow
	Dropped  uint64 `json:"dropped"`  // remarks that waited for those, or for members that were lost: they get them from the history
	Replaced uint64 `json:"replaced"` // news of who is here for which there were newer ones
}

func (f *figures) add(g figures) {
	f.Messages += g.Messages
	f.Sent += g.Sent
	f.Slow += g.Slow
	f.Dropped += g.Dropped
	f.Replaced += g.Replaced
}

func (r *room) figures() figures {
	said, here := r.said.Stats(), r.here.Stats()
	return figures{said.Messages, said.Sent, said.Closed, said.Dropped + said.Unsent, here.Dropped}
}

// part returns what the others shall know of the room.
func (r *room) part() part {
	p := part{Room: r.name, Figures: r.figures()}
	r.mu.Lock()
	members := maps.Clone(r.members)
	r.mu.Unlock()
	p.Count = len(members)
	for c, name := range members {
		said, _ := r.said.Member(c)
		here, _ := r.here.Member(c)
		p.People = append(p.People, person{name, said.Queued, here.Dropped})
	}
	slices.SortFunc(p.People, func(a, b person) int {
		return cmp.Or(-cmp.Compare(a.Waiting, b.Waiting), cmp.Compare(a.Name, b.Name))
	})
	p.People = p.People[:min(len(p.People), maxNames)]
	return p
}

// beatEverySecond tells the others of this node, and the clients of the others, until the node stops.
func (n *node) beatEverySecond() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		n.nc.Publish("beat."+n.name, encode(n.beat())) // without the broker nobody hears it
		n.forgetSilent()
		n.tellRooms()
		select {
		case <-ticker.C:
		case <-n.stopped:
			return
		}
	}
}

func (n *node) beat() beat {
	b := beat{Node: n.name, URL: n.url, Clients: n.clients.Len()}
	n.mu.Lock()
	b.Figures = n.past
	rooms := slices.Collect(maps.Values(n.rooms))
	n.mu.Unlock()
	for _, r := range rooms {
		p := r.part()
		b.Figures.add(p.Figures)
		b.Rooms = append(b.Rooms, p)
	}
	slices.SortFunc(b.Rooms, func(a, b part) int { return cmp.Or(-cmp.Compare(a.Count, b.Count), cmp.Compare(a.Room, b.Room)) })
	return b
}

// heard takes a beat, of this node or another.
func (n *node) heard(p []byte) {
	b := beat{heard: time.Now()}
	if json.Unmarshal(p, &b) != nil {
		return
	}
	n.mu.Lock()
	if b.Gone {
		delete(n.beats, b.Node)
	} else {
		n.beats[b.Node] = b
	}
	n.mu.Unlock()
	n.watchers.Broadcast(websocket.MessageText, p)
}

func (n *node) forgetSilent() {
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.DeleteFunc(n.beats, func(_ string, b beat) bool { return time.Since(b.heard) > silence })
}

// tellRooms tells all members who is in their room, on all nodes.
func (n *node) tellRooms() {
	n.mu.Lock()
	news := make(map[*room]*wire.Event, len(n.rooms))
	for _, r := range n.rooms {
		news[r] = &wire.Event{Type: "here", Here: map[string][]string{}}
	}
	for _, b := range n.beats {
		for _, p := range b.Rooms {
			if e := news[n.rooms[p.Room]]; e != nil {
				e.Count += p.Count
				for _, person := range p.People {
					e.Here[b.Node] = append(e.Here[b.Node], person.Name)
				}
			}
		}
	}
	n.mu.Unlock()
	for r, event := range news {
		r.tell(encode(event))
	}
}

// urls returns where the nodes are, this one first.
func (n *node) urls() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	urls := []string{n.url}
	for _, name := range slices.Sorted(maps.Keys(n.beats)) {
		if url := n.beats[name].URL; url != n.url {
			urls = append(urls, url)
		}
	}
	return urls
}

// watch is the WebSocket of the page that shows the cluster: it gets all beats.
func (n *node) watch(w http.ResponseWriter, r *http.Request) {
	n.accept(w, r, func(ctx context.Context, c *websocket.Conn) {
		n.watchers.Add(c)
		<-c.CloseRead(ctx).Done()
	})
}
