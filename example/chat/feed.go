package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"unicode/utf8"

	"github.com/closeonce/websocket"
)

// maxPublish is how many bytes may be published at once.
const maxPublish = 8 << 10

// A subscriber is a connection on which the server only writes.
type subscriber struct {
	conn *websocket.Conn
	drop context.CancelCauseFunc
}

// subscribe is a WebSocket that gets whatever is published.
func (h *hub) subscribe(w http.ResponseWriter, r *http.Request) {
	h.accept(w, r, func(ctx context.Context, c *websocket.Conn) {
		ctx, drop := context.WithCancelCause(ctx)
		defer drop(nil)
		s := &subscriber{conn: c, drop: drop}
		h.mu.Lock()
		h.feed[s] = true
		h.mu.Unlock()

		// A client that sends a message is closed with 1008; its Close is seen,
		// and pings are answered, though nobody reads.
		ctx = c.CloseRead(ctx)
		<-ctx.Done()

		h.mu.Lock()
		delete(h.feed, s)
		h.mu.Unlock()
		h.farewell(c, context.Cause(ctx))
	})
}

// publish sends the request's body to all subscribers:
//
//	curl -d 'Hello' http://127.0.0.1:8080/publish
func (h *hub) publish(w http.ResponseWriter, r *http.Request) {
	p, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPublish))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		http.Error(w, "the body is larger than 8 KiB", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil || !utf8.Valid(p) {
		http.Error(w, "the body is not UTF-8", http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.feed {
		if errors.Is(s.conn.TryWrite(websocket.MessageText, p), websocket.ErrQueueFull) {
			delete(h.feed, s)
			s.drop(errSlow)
		}
	}
	w.WriteHeader(http.StatusAccepted)
}
