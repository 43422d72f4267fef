package faulty

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/closeonce/websocket/internal/proof/conformance/suite"
)

// agreement is what was negotiated, from this endpoint's side.
type agreement struct {
	sendBits                 int
	sendKeeps, receivesKeeps bool
}

// start begins to use what was agreed.
func (e *endpoint) start(a *agreement) {
	if e.deflate = a; a == nil {
		return
	}
	bits, keeps := a.sendBits, a.sendKeeps
	if e.has("compresses within 32 KiB whatever was agreed") {
		bits = 15
	}
	if e.has("refers to earlier messages whatever was agreed") {
		keeps = true
	}
	e.deflater = suite.NewDeflater(bits, keeps)
}

// inflate decodes a message; a code other than 0 fails the connection.
func (e *endpoint) inflate(p []byte) ([]byte, int) {
	if !e.deflate.receivesKeeps || e.has("forgets the window between messages") {
		e.history = nil
	}
	// RFC 7692, section 7.2.2, and a last block, for flate wants one.
	in := bytes.NewReader(append(append([]byte(nil), p...), 0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff))
	var out []byte
	for in.Len() > 0 {
		dict := append(append([]byte(nil), e.history...), out...)
		r := flate.NewReaderDict(in, dict[max(0, len(dict)-32768):])
		limit := int64(messageLimit - len(out) + 1)
		if e.has("counts its limit before inflating") {
			limit = 1 << 40
		}
		piece, err := io.ReadAll(io.LimitReader(r, limit))
		out = append(out, piece...)
		if int64(len(piece)) == limit {
			return nil, 1009
		}
		// What is behind a last block is another run of blocks: section 7.2.3.4.
		if err != nil {
			if e.has("delivers what does not inflate") {
				break
			}
			return nil, 1007
		}
		if e.has("stops at a block with BFINAL") && err == nil {
			e.history = nil
			return out, 0
		}
	}
	e.history = append(e.history, out...)
	e.history = append([]byte(nil), e.history[max(0, len(e.history)-32768):]...)
	return out, 0
}

// params are permessage-deflate's. Bits are 0 where absent, -1 without value.
type params struct {
	serverKeepsNot, clientKeepsNot bool
	serverBits, clientBits         int
}

// parse reads one element of Sec-WebSocket-Extensions.
func (f Fault) parse(element string, offer bool) (params, bool) {
	var p params
	parts := strings.Split(element, ";")
	if strings.TrimSpace(parts[0]) != "permessage-deflate" {
		return p, false
	}
	lenient := f == "accepts every extension parameter"
	seen := map[string]bool{}
	for _, part := range parts[1:] {
		name, value, given := strings.Cut(part, "=")
		name, value = strings.TrimSpace(name), strings.Trim(strings.TrimSpace(value), `"`)
		ok := !seen[name]
		seen[name] = true
		bits := -1
		if given || name == "server_max_window_bits" || !offer {
			n, err := strconv.Atoi(value)
			if bits = n; strings.Contains(name, "bits") && (err != nil || n < 8 || n > 15 || value[0] == '0') {
				bits, ok = 0, false
			}
		}
		switch name {
		case "server_max_window_bits":
			p.serverBits = bits
		case "client_max_window_bits":
			p.clientBits = bits
		case "server_no_context_takeover":
			p.serverKeepsNot, ok = true, ok && !given
		case "client_no_context_takeover":
			p.clientKeepsNot, ok = true, ok && !given
		default:
			ok = false
		}
		if !ok && !lenient {
			return p, false
		}
	}
	return p, true
}

// choose answers a client's offers, "" declines them.
func (f Fault) choose(offers string) (string, *agreement) {
	for element := range strings.SplitSeq(offers, ",") {
		p, ok := f.parse(element, true)
		if !ok {
			continue
		}
		answer := "permessage-deflate"
		a := &agreement{sendBits: 15, sendKeeps: !p.serverKeepsNot, receivesKeeps: !p.clientKeepsNot}
		if p.serverKeepsNot && f != "forgets server_no_context_takeover" {
			answer += "; server_no_context_takeover"
		}
		if p.clientKeepsNot {
			answer += "; client_no_context_takeover"
		}
		if p.serverBits > 0 {
			a.sendBits = p.serverBits
			if f == "agrees to a larger window than offered" {
				a.sendBits = 15
			}
			answer += fmt.Sprintf("; server_max_window_bits=%d", a.sendBits)
		}
		if p.clientBits > 0 {
			answer += fmt.Sprintf("; client_max_window_bits=%d", p.clientBits)
		} else if p.clientBits == 0 && f == "agrees to client_max_window_bits nobody offered" {
			answer += "; client_max_window_bits=15"
		}
		return answer, a
	}
	return "", nil
}

// agreed reads a server's answer to our offer; false: it is none we can take.
func (f Fault) agreed(answer string) (*agreement, bool) {
	if answer == "" {
		return nil, true
	}
	if f == "does not check extensions" && !strings.Contains(answer, "permessage-deflate") {
		return nil, true
	}
	p, ok := f.parse(answer, false)
	if !ok && f != "does not check extensions" {
		return nil, false
	}
	a := &agreement{sendBits: 15, sendKeeps: !p.clientKeepsNot, receivesKeeps: !p.serverKeepsNot}
	if p.clientBits > 0 {
		a.sendBits = p.clientBits
	}
	return a, true
}
