package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/closeonce/websocket"
	"github.com/nats-io/nats.go/jetstream"
)

// welcomeSize is how many remarks somebody gets who is new.
const welcomeSize = 100

// A room is the part of a room that is on this node: those of its members who are connected here, and what the stream has of it.
//
// Members are in two groups, because they must get what was said and need to know who is here:
//   - Of what was said nothing may be missing. Who reads too slowly is closed with 1013, comes back, and goes on in the history.
//   - Of who is here only the last counts. What a slow member has not taken is replaced.
type room struct {
	name  string
	said  websocket.Group
	here  websocket.Group
	users int // connections that are in it, or come or go. node.mu guards it

	opening sync.Once
	openErr error
	stream  jetstream.ConsumeContext
	began   uint64 // the last sequence number when the room was opened; what came before is read first

	mu      sync.Mutex
	history []said        // the last ones, the oldest first
	last    uint64        // the sequence number of the last one
	grown   chan struct{} // is closed when there is another one; nil: nobody waits
	members map[*websocket.Conn]string
	told    string // who was last said to be here
}

// said is a remark with its sequence number, ready to be sent.
type said struct {
	seq   uint64
	event *websocket.PreparedMessage
}

func newRoom(name string) *room {
	r := &room{name: name, members: map[*websocket.Conn]string{}}
	r.said.Policy = websocket.CloseSlow
	r.here.Policy, r.here.MaxQueued = websocket.DropOldest, 1
	return r
}

// open begins to read the room from the stream, when it is called first.
func (r *room) open(stream jetstream.Stream, patience time.Duration) error {
	r.opening.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		r.openErr = r.read(ctx, stream)
	})
	return r.openErr
}

func (r *room) read(ctx context.Context, stream jetstream.Stream) error {
	last, err := stream.GetLastMsgForSubject(ctx, subject(r.name))
	if err == nil {
		r.began = last.Sequence
	} else if !errors.Is(err, jetstream.ErrMsgNotFound) {
		return err
	}
	// An ordered consumer notices a gap, a lost connection or a broker that has forgotten it, and goes on behind the last
	// remark that it gave us. It needs no acknowledgements. It has the whole room read, which is at most historySize.
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects:    []string{subject(r.name)},
		InactiveThreshold: time.Minute, // the broker forgets it when its node is gone for so long
	})
	if err != nil {
		return err
	}
	r.stream, err = consumer.Consume(r.deliver)
	return err
}

// close stops reading. Nobody is in the room.
func (r *room) close() {
	if r.stream != nil {
		r.stream.Stop()
	}
}

// deliver gives a remark to all members, and remembers it for those who come. It is called for one after the other.
func (r *room) deliver(m jetstream.Msg) {
	meta, err := m.Metadata()
	if err != nil {
		return // it is not from a stream
	}
	seq := meta.Sequence.Stream
	event := prepare(fmt.Appendf(nil, `{"type":"said","seq":%d,"said":%s}`, seq, m.Data()))

	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.history) == historySize {
		r.history = slices.Delete(r.history, 0, 1)
	}
	r.history = append(r.history, said{seq, event})
	r.last = seq
	r.said.BroadcastPrepared(event) // never waits
	if r.grown != nil {
		close(r.grown)
		r.grown = nil
	}
}

// join gives c what was said after a remark, and then makes it a member: with nothing missing between, and nothing twice.
func (r *room) join(ctx context.Context, c *websocket.Conn, name string, after uint64, patience time.Duration) error {
	// The node that c comes from may have been ahead of this one.
	if err := r.reach(ctx, max(after, r.began), patience); err != nil {
		return err
	}
	missed := r.joinAfter(c, name, after)
	if after == 0 && len(missed) > welcomeSize {
		missed = missed[len(missed)-welcomeSize:]
	}
	for len(missed) > 0 {
		for _, s := range missed {
			if err := c.WritePrepared(ctx, s.event); err != nil {
				return err
			}
			after = s.seq
		}
		missed = r.joinAfter(c, name, after) // what was said meanwhile
	}
	return nil
}

// joinAfter makes c a member if nothing was said after that remark, and returns it otherwise. No remark can come between, for
// deliver needs the lock too.
func (r *room) joinAfter(c *websocket.Conn, name string, after uint64) (missed []said) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, _ := slices.BinarySearchFunc(r.history, after+1, func(s said, seq uint64) int { return cmp.Compare(s.seq, seq) })
	if i == len(r.history) {
		if r.told != "" {
			c.TryWrite(websocket.MessageText, []byte(r.told))
		}
		r.members[c] = name
		r.said.Add(c)
		r.here.Add(c)
	}
	return slices.Clone(r.history[i:])
}

// reach waits until the room has been read up to seq.
func (r *room) reach(ctx context.Context, seq uint64, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		r.mu.Lock()
		if r.last >= seq {
			r.mu.Unlock()
			return nil
		}
		if r.grown == nil {
			r.grown = make(chan struct{})
		}
		grown := r.grown
		r.mu.Unlock()
		select {
		case <-grown:
		case <-ctx.Done():
			return errors.New("this node lags behind")
		}
	}
}

// leave forgets c. From the groups it goes by itself, when it ends.
func (r *room) leave(c *websocket.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.members, c)
}

// tell tells all members who is here, if that is news.
func (r *room) tell(event []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.told != string(event) {
		r.told = string(event)
		r.here.BroadcastPrepared(prepare(event))
	}
}

// prepare prepares an event for many connections: it is framed once.
func prepare(event []byte) *websocket.PreparedMessage {
	m, err := websocket.NewPreparedMessage(websocket.MessageText, event)
	if err != nil {
		panic(err) // JSON is UTF-8
	}
	return m
}
