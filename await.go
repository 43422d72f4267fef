package websocket

import (
	"context"

	"github.com/closeonce/websocket/internal/mask"
)

// readIntoSize is how much memory a caller must have for the next message to be
// read straight into it.
const readIntoSize = 1 << 10

// awaitFrame waits for the first bytes of the next message, where it can: close
// to the application's call. A goroutine's stack shrinks when little of it is in
// use while it waits; waiting where frames are parsed keeps 2 KiB more of it for
// each connection. It returns buf with what has come of the message behind it.
func (c *Conn) awaitFrame(ctx context.Context, buf []byte) ([]byte, error) {
	in := &c.in
	if in.r < in.w || in.message.open || in.ahead.some() || in.over {
		return buf, nil
	}
	alone := in.frames <= 1 // one frame came when bytes were last waited for
	in.frames = 0
	if spare := buf[len(buf):cap(buf)]; alone && len(spare) >= readIntoSize && in.left == 0 && c.deflate == nil {
		n, err := c.receive(ctx, spare[:min(len(spare), bufferSize)])
		if err == nil {
			n, err = c.readInto(ctx, spare, n)
		}
		return buf[:len(buf)+n], err
	}
	_, err := c.receive(ctx, nil)
	return buf, err
}

// readInto is for the n bytes that came straight into the memory that the
// application wants the message in. If they begin with a data frame, its payload is
// unmasked to where it belongs, and what follows goes to the buffer; if not, all of
// it does. It returns how much of the message there is.
//
// That saves a message that comes alone its way through the buffer: a second pass
// over its memory, and over TLS a second read.
func (c *Conn) readInto(ctx context.Context, spare []byte, n int) (int, error) {
	in := &c.in
	h, size, err := parseHeader(spare[:n])
	if err != nil || size == 0 || h.opcode != opText && h.opcode != opBinary || h.length == 0 || !c.calm.Load() ||
		h.check(legality{fromClient: !c.client, inMessage: in.inMessage}) != nil {
		in.put(spare[:n])
		return 0, nil
	}
	in.begin(&h)
	in.message.frame = in.record()
	if err := c.countFrame(ctx); err != nil {
		return 0, err
	}
	in.message.resume = true // readMessage goes on with it
	length := int(min(h.length, int64(n-size)))
	if rest := spare[size+length : n]; len(rest) > 0 {
		in.put(rest)
	}
	if n == len(spare) && in.left > int64(length) {
		in.frames++ // too little memory; if that is so again, the buffer takes more at once
	}
	if h.masked {
		in.pos = mask.Copy(spare, spare[size:size+length], h.key, 0)
	} else {
		copy(spare, spare[size:size+length])
	}
	in.left -= int64(length)
	if err := c.checkText(ctx, spare[:length]); err != nil {
		return 0, err
	}
	return length, nil
}
