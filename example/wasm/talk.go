package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/closeonce/websocket"
)

// This file is the client, in the page and in the terminal alike.

// talk sends each line that is said, and shows each that comes, until ctx or the connection ends. url may be relative in a page.
func talk(ctx context.Context, url string, said <-chan string, show func(line string)) error {
	c, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	var reading sync.WaitGroup
	reading.Go(func() {
		defer cancel()
		for m, err := range c.Messages(ctx) {
			if err != nil {
				return // c.Context knows why
			}
			show(string(m.Data))
		}
	})
	defer reading.Wait()

	for {
		select {
		case line := <-said:
			if err := c.Write(ctx, websocket.MessageText, []byte(line)); err != nil {
				return err
			}
		case <-c.Context().Done():
			return fmt.Errorf("the connection has ended: %w", context.Cause(c.Context()))
		case <-ctx.Done():
			return c.Close(websocket.StatusNormalClosure, "")
		}
	}
}
