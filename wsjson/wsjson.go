// Package wsjson reads and writes JSON messages.
package wsjson

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/closeonce/websocket"
)

// Read reads one message and decodes it into v, as [json.Unmarshal] does. A
// message that is not JSON, or does not fit v, closes the connection with
// StatusInvalidFramePayloadData (1007). For the rest it is as [websocket.Conn.Read].
func Read(ctx context.Context, c *websocket.Conn, v any) error {
	_, p, err := c.Read(ctx)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(p, v); err != nil {
		c.CloseContext(ctx, websocket.StatusInvalidFramePayloadData, "the message is not the JSON that was expected")
		return fmt.Errorf("websocket: the message is not the JSON that was expected: %w", err)
	}
	return nil
}

// Write encodes v, as [json.Marshal] does, and writes it as one text message.
// For the rest it is as [websocket.Conn.Write].
func Write(ctx context.Context, c *websocket.Conn, v any) error {
	p, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("websocket: %w", err)
	}
	return c.Write(ctx, websocket.MessageText, p)
}
