package attacks

import (
	"context"
	"errors"
	"time"

	"github.com/closeonce/websocket"
)

// connection is the application's side of one connection.
type connection struct {
	endpoint *endpoint
	app      string
	reading  context.Context // of the Read that is given up
	giveUp   context.CancelFunc
}

// run is what the application does with a connection.
func (a *connection) run(ctx context.Context, c *websocket.Conn) {
	switch a.app {
	case "echo":
		for m, err := range c.Messages(ctx) {
			if err != nil {
				return
			}
			if err := c.Write(ctx, m.Type, m.Data); err != nil {
				return
			}
		}
	case "impatient":
		a.impatient(ctx, c)
	case "stuck":
		<-ctx.Done()
	case "feed":
		a.feed(ctx, c)
	case "goodbye":
		c.Close(websocket.StatusNormalClosure, "")
	case "worst":
		a.worst(ctx, c)
	}
}

// impatient echoes, but waits neither for messages nor for their reader forever.
func (a *connection) impatient(ctx context.Context, c *websocket.Conn) {
	s := a.endpoint.settings
	for {
		reading, cancel := context.WithCancel(ctx)
		if s.ReadTimeout > 0 {
			reading, cancel = context.WithTimeout(ctx, s.ReadTimeout)
		}
		typ, p, err := c.Read(reading)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			c.Close(websocket.StatusPolicyViolation, "too slow")
		}
		if err != nil {
			return
		}
		writing, cancel := context.WithTimeout(ctx, s.WriteTimeout)
		err = c.Write(writing, typ, p)
		cancel()
		if err != nil {
			a.endpoint.count("given up")
			c.CloseNow()
			return
		}
	}
}

// fill writes until the queue is full and stays so: the kernel takes no more, and
// a Write waits in vain.
func (a *connection) fill(ctx context.Context, c *websocket.Conn, wait time.Duration) error {
	update := make([]byte, 1024)
	for first := true; ; first = false {
		var err error
		for err == nil {
			err = c.TryWrite(websocket.MessageBinary, update)
		}
		if !errors.Is(err, websocket.ErrQueueFull) {
			return err
		}
		if first {
			a.endpoint.count("full")
		}
		writing, cancel := context.WithTimeout(ctx, wait)
		err = c.Write(writing, websocket.MessageBinary, update)
		cancel()
		if err != nil {
			return err
		}
	}
}

// feed writes to a peer that never reads, until it has enough of it.
func (a *connection) feed(ctx context.Context, c *websocket.Conn) {
	if err := a.fill(ctx, c, a.endpoint.settings.WriteTimeout); errors.Is(err, context.DeadlineExceeded) {
		a.endpoint.count("given up")
	}
	c.CloseNow()
}

// worst makes a connection hold everything that it can hold at the same time: a
// message that a Read gave up in its middle, a full queue, and what comes while
// nobody reads any more.
func (a *connection) worst(ctx context.Context, c *websocket.Conn) {
	if _, _, err := c.Read(a.reading); !errors.Is(err, context.Canceled) {
		return
	}
	if err := a.fill(ctx, c, a.endpoint.settings.WriteTimeout); !errors.Is(err, context.DeadlineExceeded) {
		return
	}
	a.endpoint.count("filled")
	<-ctx.Done()
}

// pinged is called in the middle of the message, and later.
func (a *connection) pinged(context.Context, []byte) bool {
	a.giveUp()
	a.endpoint.count("pings")
	return true
}
