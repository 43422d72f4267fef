package storm

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/closeonce/websocket"
)

// An actor is a caller with a plan of its own.
type actor struct {
	*caller
	draw    random
	stop    <-chan struct{} // closed when it shall come to an end
	wild    int             // in so many of a hundred calls the context ends early
	largest int             // message
	think   time.Duration   // between two calls, at most
}

// actor makes an actor of this end.
func (e *end) actor(role string, stop <-chan struct{}) *actor {
	w := e.pair.world
	return &actor{caller: e.caller(role), draw: w.random(), stop: stop, largest: 4000}
}

// stopped reports whether the actor shall end.
func (a *actor) stopped() bool {
	select {
	case <-a.stop:
		return true
	default:
		return a.end.isOver()
	}
}

// rest is what an actor does between two calls: mostly nothing.
func (a *actor) rest() {
	if a.think > 0 {
		pause(a.draw.upTo(a.think), a.stop)
	}
}

// context draws the context of a call.
func (a *actor) context() (context.Context, context.CancelFunc) {
	if !a.draw.chance(a.wild) {
		if a.draw.chance(80) {
			return context.Background(), func() {}
		}
		return a.end.conn.Context(), func() {}
	}
	switch a.draw.IntN(6) {
	case 0:
		return context.WithTimeout(context.Background(), a.draw.upTo(100*time.Microsecond))
	case 1:
		return context.WithTimeout(a.end.conn.Context(), a.draw.upTo(5*time.Millisecond))
	case 2:
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return ctx, cancel
	case 3:
		return context.WithTimeout(context.Background(), a.draw.upTo(50*time.Millisecond))
	default:
		return cancelledSoon(context.Background(), a.draw.IntN(60_000))
	}
}

// cancelledSoon returns a context that another goroutine cancels after a very short time.
func cancelledSoon(parent context.Context, spins int) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	go func() {
		spin(spins)
		cancel()
	}()
	return ctx, cancel
}

// size draws the size of a message: mostly small.
func (a *actor) size() int {
	switch a.draw.IntN(10) {
	case 0:
		return a.largest
	case 1, 2:
		return a.draw.between(1, a.largest)
	default:
		return a.draw.between(1, min(300, a.largest))
	}
}

func (a *actor) typ() websocket.MessageType {
	return one(a.draw, websocket.MessageText, websocket.MessageBinary)
}

// patient reports whether a call's error leaves the connection usable: its
// context ended, or the queue was full.
func patient(err error) bool {
	return err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || err == websocket.ErrQueueFull ||
		strings.Contains(err.Error(), "discarded by a later Read") // by another of the readers
}

// writes writes messages with one kind of call, or with all of them, until it shall stop.
func (a *actor) writes(kind string) {
	for !a.stopped() {
		var err error
		switch k := kind; {
		case k == "try", k == "any" && a.draw.chance(30):
			if err = a.tryWrite(a.typ(), a.size()); err == websocket.ErrQueueFull {
				pause(a.draw.upTo(2*time.Millisecond), a.stop)
			}
		case k == "prepared" && a.draw.chance(50):
			if err = a.tryWritePrepared(a.typ(), a.size()); err == websocket.ErrQueueFull {
				pause(a.draw.upTo(2*time.Millisecond), a.stop)
			}
		case k == "prepared", k == "any" && a.draw.chance(20):
			ctx, cancel := a.context()
			err = a.writePrepared(ctx, a.typ(), a.size())
			cancel()
		case k == "stream", k == "any" && a.draw.chance(30):
			err = a.writesStream()
		default:
			ctx, cancel := a.context()
			err = a.write(ctx, a.typ(), a.size())
			cancel()
		}
		if !patient(err) {
			return
		}
		a.rest()
	}
}

// writesStream writes a message through a Writer. Large ones leave in fragments.
func (a *actor) writesStream() error {
	ctx, cancel := a.context()
	defer cancel()
	size := a.size()
	if a.draw.chance(30) {
		size = a.draw.between(33<<10, 100<<10)
	}
	late := a.draw.chance(20)
	return a.stream(ctx, a.typ(), size, a.draw.between(1, 6), func() {
		if late {
			pause(a.draw.upTo(3*time.Millisecond), a.stop)
		}
	})
}

// reads reads messages until the connection ends, or until stop. Some applications do not take
// the first error for an answer.
func (a *actor) reads(stop <-chan struct{}) {
	var buf []byte
	for stubborn := one(a.draw, 0, 0, 50); stubborn >= 0; {
		select {
		case <-stop:
			return
		default:
		}
		ctx, cancel := a.context()
		var err error
		switch a.draw.IntN(8) {
		case 0, 1, 2:
			err = a.read(ctx)
		case 3:
			buf, err = a.appendRead(ctx, buf[:min(len(buf), a.draw.IntN(8))])
		case 4:
			err = a.reader(ctx, 8*largestLetter)
		case 5:
			err = a.reader(ctx, a.draw.IntN(a.largest+1))
		case 6:
			err = a.messages(ctx, a.draw.between(1, 5))
		default:
			err = a.read(ctx)
		}
		cancel()
		switch {
		case err != nil && a.end.isOver(): // on a live connection somebody has to go on reading
			stubborn--
		case !patient(err): // closing has begun; asking without a pause would keep the processor from its end
			pause(time.Millisecond, a.end.done)
		}
		a.rest()
	}
}

// pings pings until it shall stop.
func (a *actor) pings() {
	for !a.stopped() {
		ctx, cancel := a.context()
		bounded, cancel2 := context.WithTimeout(ctx, 5*time.Second)
		err := a.ping(bounded)
		cancel2()
		cancel()
		if !patient(err) {
			return
		}
		pause(a.draw.upTo(5*time.Millisecond), a.stop)
	}
}

// code draws a status code.
func (a *actor) code() (websocket.StatusCode, string) {
	return one[websocket.StatusCode](a.draw, 1000, 1001, 1013, 3000, 4000, 4999), one(a.draw, "", "bye", "grüße €")
}
