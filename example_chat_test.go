package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"sync"

	"github.com/closeonce/websocket"
)

// A room sends what one member says to all. It uses TryWrite, so that a member who reads slowly does not hold up the others.
type room struct {
	mu      sync.Mutex
	members map[*websocket.Conn]bool
}

// serve is run by Handler for each member.
func (r *room) serve(ctx context.Context, c *websocket.Conn) {
	r.mu.Lock()
	r.members[c] = true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.members, c)
		r.mu.Unlock()
	}()
	r.say([]byte("somebody has joined"))
	for m, err := range c.Messages(ctx) {
		if err != nil {
			log.Print(err)
			return
		}
		r.say(m.Data)
	}
}

// say sends a message to every member.
func (r *room) say(p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.members {
		if err := c.TryWrite(websocket.MessageText, p); errors.Is(err, websocket.ErrQueueFull) {
			c.CloseNow() // too slow: serve's loop ends, and the member leaves
		}
	}
}

// A chat server with one room.
func Example_chat() {
	r := &room{members: map[*websocket.Conn]bool{}}
	server := httptest.NewServer(websocket.Handler(nil, r.serve))
	defer server.Close()

	ctx := context.Background()
	join := func() *websocket.Conn {
		c, _, err := websocket.Dial(ctx, server.URL, nil)
		if err != nil {
			log.Fatal(err)
		}
		return c
	}
	hear := func(c *websocket.Conn) string {
		_, p, err := c.Read(ctx)
		if err != nil {
			log.Fatal(err)
		}
		return string(p)
	}

	alice := join()
	defer alice.CloseNow()
	fmt.Println("Alice hears:", hear(alice))
	bob := join()
	defer bob.CloseNow()
	fmt.Println("Alice hears:", hear(alice))
	fmt.Println("Bob hears:", hear(bob))
	if err := bob.Write(ctx, websocket.MessageText, []byte("hello, Alice")); err != nil {
		log.Fatal(err)
	}
	fmt.Println("Alice hears:", hear(alice))
	fmt.Println("Bob hears:", hear(bob))
	alice.Close(websocket.StatusNormalClosure, "")
	bob.Close(websocket.StatusNormalClosure, "")
	// Output:
	// Alice hears: somebody has joined
	// Alice hears: somebody has joined
	// Bob hears: somebody has joined
	// Alice hears: hello, Alice
	// Bob hears: hello, Alice
}
