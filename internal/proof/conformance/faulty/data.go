package faulty

// data takes a data frame; true: the connection is over.
func (e *endpoint) data(h *header) bool {
	if h.opcode != 0 || e.opcode == 0 {
		e.opcode, e.compressed = max(h.opcode, 1), h.rsv&0x40 != 0 && e.deflate != nil
		e.message, e.text, e.empty = nil, utf8State{fault: e.fault}, 0
	}
	if h.length == 0 {
		e.empty++
	}
	if e.tooLarge(h.length) || e.empty > mostEmpty && !e.has("has no limit on empty fragments") {
		e.fail(1009)
		return true
	}
	checked := e.opcode == 1 && !e.compressed || e.opcode == 2 && e.has("checks UTF-8 of binary messages")
	checked = checked && !e.has("does not check UTF-8") && !e.has("checks UTF-8 at the message's end")
	atEnd := e.has("checks UTF-8 at the frame's end")
	if e.has("checks UTF-8 frame by frame") {
		e.text = utf8State{fault: e.fault}
	}
	start := len(e.message)
	bad := false
	if !e.payload(h, func(p []byte) bool {
		e.message = append(e.message, p...)
		bad = checked && !atEnd && !e.text.add(p)
		return !bad
	}) {
		if bad {
			e.fail(1007)
		}
		return true
	}
	if checked && atEnd && !e.text.add(e.message[min(start, len(e.message)):]) {
		e.fail(1007)
		return true
	}
	if checked && (h.fin || e.has("checks UTF-8 frame by frame")) && !e.text.whole() {
		e.fail(1007)
		return true
	}
	if !h.fin || h.opcode == 0 && h.length == 0 && e.has("loses an empty last fragment's FIN") {
		return false
	}
	return e.deliver()
}

func (e *endpoint) tooLarge(n uint64) bool {
	switch {
	case e.has("has no limit"):
		return false
	case e.has("has a limit of 1 MiB"):
		return uint64(len(e.message))+n > 1<<20
	case e.has("overflows its limit"):
		return int64(len(e.message))+int64(n) > messageLimit
	case e.has("counts its limit frame by frame"):
		return n > messageLimit
	}
	return n > messageLimit || uint64(len(e.message))+n > messageLimit
}

// deliver echoes the message that has come whole.
func (e *endpoint) deliver() bool {
	p := e.message
	if e.compressed {
		var code int
		if p, code = e.inflate(p); code != 0 {
			e.fail(code)
			return true
		}
	}
	if e.opcode == 1 && !e.has("does not check UTF-8") && (e.has("checks UTF-8 at the message's end") ||
		e.compressed && !e.has("does not check UTF-8 of compressed text")) {
		whole := utf8State{fault: e.fault}
		if !whole.add(p) || !whole.whole() {
			e.fail(1007)
			return true
		}
	}
	opcode := e.opcode
	e.opcode, e.message = 0, nil
	e.echo(opcode, p)
	for _, p := range e.held {
		e.send(0x8a, p)
	}
	e.held = nil
	return false
}

func (e *endpoint) echo(opcode byte, p []byte) {
	switch {
	case len(p) == 0 && e.has("loses empty messages"):
		return
	case e.has("truncates messages at 64 KiB"):
		p = p[:min(len(p), 64<<10)]
	case e.has("echoes text as binary"):
		opcode = 2
	case e.has("sends RSV1 unasked") && e.deflate == nil:
		opcode |= 0x40
	case e.has("flips a bit beyond 1000 bytes") && len(p) > 1000:
		p[1000] ^= 1
	}
	if e.deflate == nil || len(p) > 4<<20 {
		e.send(0x80|opcode, p)
		return
	}
	z := e.deflater.Message(p)
	if e.has("sends the tail 00 00 FF FF") {
		z = append(z, 0, 0, 0xff, 0xff)
	}
	if e.has("sets RSV1 on every fragment") && len(z) > 1 {
		e.send(0x40|opcode, z[:1])
		e.send(0x80|0x40, z[1:])
		return
	}
	e.send(0x80|0x40|opcode, z)
}
