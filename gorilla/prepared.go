package websocket

import (
	"bytes"

	"github.com/closeonce/websocket"
)

// A PreparedMessage is a message for many connections, which is framed once and compressed at most once.
type PreparedMessage struct {
	typ    int
	data   []byte
	shared *websocket.PreparedMessage // nil: it is a control frame, or text that is not UTF-8
}

// NewPreparedMessage prepares data as a message, or as a control frame. data may be changed afterwards.
func NewPreparedMessage(messageType int, data []byte) (*PreparedMessage, error) {
	p := &PreparedMessage{typ: messageType}
	switch {
	case isControl(messageType) && len(data) > maxControlPayload:
		return nil, errInvalidControlFrame
	case isControl(messageType):
	case messageType == TextMessage || messageType == BinaryMessage:
		p.shared, _ = websocket.NewPreparedMessage(websocket.MessageType(messageType), data)
	default:
		return nil, errBadWriteOpCode
	}
	if p.shared == nil {
		p.data = bytes.Clone(data)
	}
	return p, nil
}

// WritePreparedMessage sends a prepared message. A writer of NextWriter that is open stays open: if nothing of its message has
// left, the prepared message leaves before it; otherwise an error is returned, because RFC 6455 allows no message inside another.
func (c *Conn) WritePreparedMessage(pm *PreparedMessage) error {
	if err := c.takeTurn(); err != nil {
		return err
	}
	defer c.turn.Release()
	if err := c.permanent(); err != nil {
		return err
	}
	switch {
	case !isControl(pm.typ) && c.writer != nil && c.writer.core != nil:
		return errInsideMessage
	case pm.shared == nil:
		return c.message(pm.typ, pm.data)
	}
	if err := c.c.WritePrepared(c.writeContext(), pm.shared); err != nil {
		return c.writeFailed(err)
	}
	return nil
}
