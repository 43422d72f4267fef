package faulty

import (
	"encoding/binary"
	"io"
)

// control takes a control frame; true: the connection is over.
func (e *endpoint) control(h *header) bool {
	var p []byte
	if !e.payload(h, func(b []byte) bool { p = append(p, b...); return len(p) <= 1<<20 }) {
		return true
	}
	if e.has("forgets a message's start at a control frame") {
		e.message = nil
	}
	switch h.opcode {
	case 8:
		if e.opcode != 0 && e.has("ignores a Close inside a message") {
			return false
		}
		e.closing(p)
		return true
	case 9:
		e.ping(p)
	case 10:
		if e.has("answers Pongs") {
			e.send(0x8a, p)
		}
	}
	return false
}

func (e *endpoint) ping(p []byte) {
	switch {
	case e.has("answers no Ping"), e.has("answers the first Ping only") && e.pinged:
		return
	case e.has("answers Pings without their payload"):
		p = nil
	case e.has("cuts Pong payloads at 64 bytes"):
		p = p[:min(len(p), 64)]
	case e.has("answers Pings twice"):
		e.send(0x8a, p)
	case e.has("answers Pings only between messages") && e.opcode != 0:
		e.held = append(e.held, p)
		return
	}
	e.pinged = true
	e.send(0x8a, p)
}

// closing answers the peer's Close and ends the connection.
func (e *endpoint) closing(p []byte) {
	switch {
	case len(p) == 1 && !e.has("accepts a Close payload of one byte"):
		e.fail(1002)
		return
	case len(p) >= 2 && !e.validCode(int(binary.BigEndian.Uint16(p))):
		e.fail(1002)
		return
	case len(p) >= 2 && !e.has("accepts a Close reason that is not UTF-8") && !wellFormed(p[2:]):
		e.fail(1007)
		return
	case e.has("does not answer a Close"):
		e.end()
		return
	}
	switch {
	case len(p) == 1:
		p = nil
	case len(p) == 0 && e.has("answers an empty Close with 1005"):
		p = []byte{0x03, 0xed}
	case len(p) >= 2 && e.has("answers every Close with 1000"):
		p = []byte{0x03, 0xe8}
	case len(p) > 2 && e.has("garbles the Close reason"):
		p = append(append([]byte(nil), p[:2]...), "garbled"...)
	}
	e.sendClose(p)
	if e.has("echoes what follows a Close") || e.has("answers Pings that follow a Close") {
		e.after()
	}
	if e.client && !e.has("ends TCP before the server") && !e.has("never ends TCP") {
		io.Copy(io.Discard, e.br) // RFC 6455, section 7.1.1: the server ends TCP first
	}
	e.end()
}

// after goes on answering frames as if there had been no Close.
func (e *endpoint) after() {
	for {
		h, err := e.readHeader()
		if err != nil || e.illegal(&h) || h.length > 1<<20 {
			return
		}
		var p []byte
		if !e.payload(&h, func(b []byte) bool { p = append(p, b...); return true }) {
			return
		}
		switch {
		case h.opcode == 9 && e.has("answers Pings that follow a Close"):
			e.send(0x8a, p)
		case h.opcode <= 2 && h.fin && e.has("echoes what follows a Close"):
			e.send(0x80|h.opcode, p)
		}
	}
}

func (e *endpoint) validCode(code int) bool {
	switch {
	case e.has("accepts every Close code"):
		return true
	case code >= 1016 && code <= 2999:
		return e.has("accepts Close codes 1016 to 2999")
	case code == 1004 || code == 1005 || code == 1006 || code == 1015:
		return false
	}
	return code >= 1000 && code <= 4999
}
