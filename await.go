package websocket

import (
	"context"

	"github.com/closeonce/websocket/internal/mask"
)

// awaitFrame waits for the first bytes of the next message, where it can: close
// to the application's call. A goroutine's stack shrinks when little of it is in
// use while it waits; waiting where frames are parsed keeps 2 KiB more of it for
// each connection. It returns buf with what has come of the message behind it, and
// whether that is all of it.
func (c *Conn) awaitFrame(ctx context.Context, buf []byte) (message []byte, whole bool, err error) {
	in := &c.in
	if in.r < in.w || in.message.open || in.ahead.some() || in.over {
		return buf, false, nil
	}
	alone := in.frames <= 1 // one frame came when bytes were last waited for
	in.frames = 0
	spare := buf[len(buf):cap(buf)]
	if !alone || int64(len(spare)) < maxHeader+in.frame.length || in.left > 0 || c.deflate != nil {
		_, err := c.receive(ctx, nil)
		return buf, false, err
	}
	n, err := c.receive(ctx, spare[:min(len(spare), bufferSize)])
	if err == nil {
		n, whole, err = c.readInto(ctx, spare, n)
	}
	return buf[:len(buf)+n], whole, err
}

// readInto is for the n bytes that came straight into the memory that the
// application wants the message in, because there is enough of it for another frame
// like the last. If they begin with a data frame, its payload is unmasked to where it
// belongs, and what follows goes to the buffer; if not, all of it does. It returns how
// much of the message there is, and whether that is all.
//
// That saves a message that comes alone its way through the buffer: borrowing one
// twice, a second pass over its memory, and over TLS a second read.
func (c *Conn) readInto(ctx context.Context, spare []byte, n int) (length int, whole bool, err error) {
	in := &c.in
	h, size, err := parseHeader(spare[:n])
	if err != nil || size == 0 || h.opcode != opText && h.opcode != opBinary || h.length == 0 || !c.calm.Load() ||
		h.check(legality{fromClient: !c.client, inMessage: in.inMessage}) != nil {
		in.put(spare[:n])
		return 0, false, nil
	}
	in.begin(&h)
	in.message.frame = in.record()
	if err := c.countFrame(ctx); err != nil {
		return 0, false, err
	}
	length = int(min(h.length, int64(n-size)))
	if rest := spare[size+length : n]; len(rest) > 0 {
		in.put(rest)
	}
	if n == len(spare) && in.left > int64(length) {
		in.frames++ // too little memory; if that is so again, the buffer takes more at once
	}
	if h.masked {
		mask.Copy(spare, spare[size:size+length], h.key, 0)
	} else {
		copy(spare, spare[size:size+length])
	}
	in.left -= int64(length)
	if err := c.checkText(ctx, spare[:length]); err != nil {
		return 0, false, err
	}
	if in.left == 0 && h.fin {
		c.endMessage()
		return length, true, nil
	}
	in.message.resume = true // readMessage goes on with it
	return length, false, nil
}
