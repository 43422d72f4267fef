// Package wsjson reads and writes JSON messages.
package wsjson

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/closeonce/websocket"
)

// Read reads one message, text or binary, and decodes it into v as [json.Unmarshal] does.
// If the message is not JSON, or does not fit v, Read closes the connection with
// StatusInvalidFramePayloadData (1007) and returns an error that holds that of
// json.Unmarshal. Contexts, limits and other errors are those of [websocket.Conn.Read].
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

// Write encodes v as [json.Marshal] does and writes it as one text message. If v can't be
// encoded, it returns json.Marshal's error and sends nothing. Contexts and other errors are
// those of [websocket.Conn.Write].
func Write(ctx context.Context, c *websocket.Conn, v any) error {
	p, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("websocket: %w", err)
	}
	return c.Write(ctx, websocket.MessageText, p)
}
