package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/closeonce/websocket"
)

// A room: whatever one says, all hear.
func Example_group() {
	var room websocket.Group // its members leave by themselves when their connections have ended
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		if err := room.Add(c); err != nil {
			return
		}
		c.Write(ctx, websocket.MessageText, []byte("welcome"))
		for m, err := range c.Messages(ctx) {
			if err != nil {
				return
			}
			room.Broadcast(m.Type, m.Data) // never waits for anybody
		}
	}))
	defer server.Close()

	ctx := context.Background()
	ann, _, err := websocket.Dial(ctx, server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer ann.CloseNow()
	bob, _, err := websocket.Dial(ctx, server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer bob.CloseNow()
	for _, c := range []*websocket.Conn{ann, bob} {
		_, p, _ := c.Read(ctx)
		fmt.Println(string(p))
	}
	ann.Write(ctx, websocket.MessageText, []byte("hello, all"))
	for _, c := range []*websocket.Conn{ann, bob} {
		_, p, _ := c.Read(ctx)
		fmt.Println(string(p))
	}
	// Output:
	// welcome
	// welcome
	// hello, all
	// hello, all
}

// group returns a group with one member, and the client at its other end.
func group(options func(g *websocket.Group)) (g *websocket.Group, member, client *websocket.Conn, end func()) {
	g = new(websocket.Group)
	if options != nil {
		options(g)
	}
	members := make(chan *websocket.Conn, 1)
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		g.Add(c)
		members <- c
		<-ctx.Done()
	}))
	client, _, err := websocket.Dial(context.Background(), server.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	return g, <-members, client, func() { client.CloseNow(); server.Close() }
}

// One message, prepared once, for several connections, groups, and times.
func ExampleNewPreparedMessage() {
	g, member, client, end := group(nil)
	defer end()
	hello, err := websocket.NewPreparedMessage(websocket.MessageText, []byte("hello"))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	member.WritePrepared(ctx, hello)
	g.BroadcastPrepared(hello)
	for range 2 {
		typ, p, _ := client.Read(ctx)
		fmt.Println(typ, string(p))
	}
	// Output:
	// MessageText hello
	// MessageText hello
}

// WritePrepared waits for a slow peer, as Write does.
func ExampleConn_WritePrepared() {
	_, member, client, end := group(nil)
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	m, _ := websocket.NewPreparedMessage(websocket.MessageText, []byte("welcome"))
	fmt.Println(member.WritePrepared(ctx, m))
	_, p, _ := client.Read(ctx)
	fmt.Println(string(p))
	// Output:
	// <nil>
	// welcome
}

// TryWritePrepared never waits.
func ExampleConn_TryWritePrepared() {
	_, member, client, end := group(nil)
	defer end()
	m, _ := websocket.NewPreparedMessage(websocket.MessageText, []byte("tick"))
	if err := member.TryWritePrepared(m); errors.Is(err, websocket.ErrQueueFull) {
		log.Print("the peer reads too slowly; left out")
	}
	_, p, _ := client.Read(context.Background())
	fmt.Println(string(p))
	// Output: tick
}

// Members come and go; a connection may be in any number of groups.
func ExampleGroup_Add() {
	news, member, client, end := group(nil)
	defer end()
	var sports websocket.Group
	fmt.Println(sports.Add(member), sports.Len(), news.Len())
	client.Close(websocket.StatusNormalClosure, "")
	<-member.Context().Done() // it has left both by itself
	fmt.Println(sports.Len(), news.Len())
	err := sports.Add(member)
	fmt.Println(websocket.CloseStatus(err))
	// Output:
	// <nil> 1 1
	// 0 0
	// StatusNormalClosure
}

// Remove ends the membership, and not the connection.
func ExampleGroup_Remove() {
	g, member, client, end := group(nil)
	defer end()
	g.Broadcast(websocket.MessageText, []byte("before")) // is sent
	g.Remove(member)
	g.Broadcast(websocket.MessageText, []byte("after"))
	member.TryWrite(websocket.MessageText, []byte("still connected"))
	for range 2 {
		_, p, _ := client.Read(context.Background())
		fmt.Println(string(p))
	}
	// Output:
	// before
	// still connected
}

// All goes over the members.
func ExampleGroup_All() {
	g, member, _, end := group(nil)
	defer end()
	for c := range g.All() {
		fmt.Println(c == member)
	}
	// Output: true
}

// Len counts the members.
func ExampleGroup_Len() {
	g, _, _, end := group(nil)
	defer end()
	fmt.Println(g.Len(), new(websocket.Group).Len())
	// Output: 1 0
}

// Prices: of those that wait for a slow member, only the last counts.
func ExampleGroup_Broadcast() {
	g, _, client, end := group(func(g *websocket.Group) {
		g.Policy = websocket.DropOldest
		g.MaxQueued = 1
		g.OnSlow = func(c *websocket.Conn, m websocket.MemberStats) {
			log.Printf("%v does not keep up", c.RemoteAddr())
		}
	})
	defer end()
	g.Broadcast(websocket.MessageText, []byte("EUR 1.08"))
	_, p, _ := client.Read(context.Background())
	fmt.Println(string(p))
	// Output: EUR 1.08
}

// A message for two groups is prepared once.
func ExampleGroup_BroadcastPrepared() {
	g, member, client, end := group(nil)
	defer end()
	var other websocket.Group
	other.Add(member)
	m, _ := websocket.NewPreparedMessage(websocket.MessageText, []byte("to both"))
	g.BroadcastPrepared(m)
	other.BroadcastPrepared(m)
	for range 2 {
		_, p, _ := client.Read(context.Background())
		fmt.Println(string(p))
	}
	// Output:
	// to both
	// to both
}

// Every message that was broadcast is accounted for.
func ExampleGroup_Stats() {
	g, _, client, end := group(nil)
	defer end()
	for range 3 {
		g.Broadcast(websocket.MessageText, []byte("x"))
	}
	for range 3 {
		client.Read(context.Background())
	}
	s := g.Stats()
	fmt.Println(s.Members, s.Messages, s.Sent, s.Unsent)
	fmt.Println(s.Dropped, "dropped by", s.Policy)
	// Output:
	// 1 3 3 0
	// 0 dropped by CloseAfterGrace
}

// How one member keeps up.
func ExampleGroup_Member() {
	g, member, _, end := group(nil)
	defer end()
	m, ok := g.Member(member)
	fmt.Println(ok, m.Queued, m.Dropped, m.Full)
	// Output: true 0 0 0s
}

// Close closes all members with a code of one's own, and refuses others from then on.
func ExampleGroup_Close() {
	g, _, client, end := group(nil)
	defer end()
	said := make(chan error)
	go func() {
		_, _, err := client.Read(context.Background())
		said <- err
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	closed, err := g.Close(ctx, 4001, "the room is closed")
	fmt.Println(closed, err)
	fmt.Println(websocket.CloseStatus(<-said))
	// Output:
	// 1 <nil>
	// StatusCode(4001)
}

// Shutdown says good-bye to all at once.
func ExampleGroup_Shutdown() {
	g, _, client, end := group(nil)
	defer end()
	said := make(chan error)
	go func() {
		_, _, err := client.Read(context.Background())
		said <- err
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	fmt.Println(g.Shutdown(ctx))
	fmt.Println(websocket.CloseStatus(<-said))
	// Output:
	// 1 <nil>
	// StatusGoingAway
}

// The shutdown of a server includes its WebSockets.
func ExampleServerGroup() {
	server := &http.Server{Handler: websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		c.Write(ctx, websocket.MessageText, []byte("welcome"))
		c.Read(ctx) // until it is closed
	})}
	group := websocket.ServerGroup(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go server.Serve(listener)

	client, _, err := websocket.Dial(context.Background(), "ws://"+listener.Addr().String(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer client.CloseNow()
	client.Read(context.Background()) // the welcome
	said := make(chan error)
	go func() {
		_, _, err := client.Read(context.Background())
		said <- err
	}()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	server.Shutdown(ctx)         // begins to close them
	_, err = group.Shutdown(ctx) // waits for them
	fmt.Println(err, group.Len() == 0)
	fmt.Println(websocket.CloseStatus(<-said))
	// Output:
	// <nil> true
	// StatusGoingAway
}
