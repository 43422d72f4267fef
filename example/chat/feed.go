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

// subscribe is a WebSocket that gets whatever is published. A client that sends a
// message is closed with 1008; its Close is seen, and pings are answered, though
// nobody reads.
func (h *hub) subscribe(w http.ResponseWriter, r *http.Request) {
	h.accept(w, r, func(c *websocket.Conn) error {
		h.feed.Add(c)
		ctx := c.CloseRead(c.Context())
		<-ctx.Done()
		return context.Cause(ctx)
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
	h.feed.Broadcast(websocket.MessageText, p)
	w.WriteHeader(http.StatusAccepted)
}
