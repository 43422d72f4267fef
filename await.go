package websocket

import (
	"context"
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
	if !alone || int64(len(spare))-maxHeader < in.frame.length || in.left > 0 || c.deflate != nil {
		_, err := c.receive(ctx, nil)
		return buf, false, err
	}
	again := maxHeader + int(in.frame.length) // of a frame like the last
	spare = spare[:min(len(spare), max(again, bufferSize))]
	n, err := c.receive(ctx, directPiece(spare))
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
	size, err := c.beginSimple(ctx, spare[:n])
	if err != nil {
		return 0, false, err
	}
	if size == 0 {
		in.put(spare[:n])
		return 0, false, nil
	}
	length = int(min(in.left, int64(n-size)))
	if rest := spare[size+length : n]; len(rest) > 0 {
		in.put(rest)
	}
	if n == len(spare) && in.left > int64(length) {
		in.frames++ // too little memory; if that is so again, the buffer takes more at once
	}
	whole, err = c.takeSimple(ctx, spare[:length], spare[size:])
	if err != nil {
		return 0, false, err
	}
	return length, whole, nil
}

// readFront appends the message at the front of the buffer to message, as far as it is
// there, and reports whether that is all of it: so it is with most that come in bursts.
//
// That saves them the way through the pieces of a message.
func (c *Conn) readFront(ctx context.Context, message []byte) (_ []byte, whole bool, err error) {
	in := &c.in
	if in.left > 0 || in.message.open || in.ahead.some() || in.over {
		return message, false, nil
	}
	b := in.buffered()
	size, err := c.beginSimple(ctx, b)
	if err != nil || size == 0 {
		return message, false, err
	}
	b = b[size:]
	start := len(message)
	message = c.grow(message, start)
	n := int(min(in.left, int64(len(b)), int64(cap(message)-start)))
	message = message[:start+n]
	in.r += size + n
	whole, err = c.takeSimple(ctx, message[start:], b)
	return message, whole, err
}

// beginSimple goes to the payload of the frame at the front of b, if it begins a
// message and there is nothing else about it. It returns the header's size, or 0 if
// the frame is for nextWireFrame.
func (c *Conn) beginSimple(ctx context.Context, b []byte) (size int, err error) {
	h, size, err := parseHeader(b)
	if err != nil || size == 0 || h.rsv1 || h.opcode != opText && h.opcode != opBinary || h.length == 0 || !c.calm.Load() ||
		h.check(legality{fromClient: !c.client, inMessage: c.in.inMessage}) != nil {
		return 0, nil
	}
	c.in.begin(&h)
	c.in.message.frame = c.in.record()
	return size, c.countFrame(ctx)
}

// takeSimple takes payload of the frame that beginSimple went to. If there is more of
// the message, readMessage goes on with it.
func (c *Conn) takeSimple(ctx context.Context, dst, src []byte) (whole bool, err error) {
	if _, err := c.unmask(ctx, dst, src); err != nil {
		return false, err
	}
	if c.in.left > 0 || !c.in.frame.fin {
		c.in.message.resume = true
		return false, nil
	}
	c.endMessage()
	return true, nil
}
