package wiretest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
	"unicode/utf8"
)

// next waits for a frame and checks what RFC 6455 demands of every frame.
func (p *Peer) next(why, want string) Frame {
	p.t.Helper()
	deadline := time.Now().Add(p.Timeout)
	for {
		f, n, err := ParseFrame(p.received)
		if err != nil {
			p.fail(why, want, err.Error())
		}
		if n > 0 {
			p.received = p.received[n:]
			if fault := p.fault(f); fault != "" {
				p.fail(why, want, fmt.Sprintf("%s, but %s", f, fault))
			}
			p.closed = p.closed || f.Opcode == OpClose
			return f
		}
		if err := p.fill(deadline); err != nil {
			p.fail(why, want, p.came(err))
		}
	}
}

// fault says what is illegal about a frame, or returns "".
func (p *Peer) fault(f Frame) string {
	control := f.Opcode&0x8 != 0
	switch {
	case p.closed:
		return "no frame may follow a Close frame"
	case p.Role == Client && f.Masked:
		return "a server must not mask"
	case p.Role == Server && !f.Masked:
		return "a client must mask"
	case f.LengthForm != 0:
		return "its length is not in the shortest form"
	case control && !f.FIN:
		return "a control frame must not be fragmented"
	case control && len(f.Payload) > 125:
		return "a control frame has at most 125 bytes"
	}
	return ""
}

// ReadFrame returns the next frame. It must be legal.
func (p *Peer) ReadFrame(why string) Frame {
	p.t.Helper()
	return p.next(why, "a frame")
}

// WantFrame asserts that the next frame has the FIN bit, RSV bits, opcode and payload of want.
func (p *Peer) WantFrame(why string, want Frame) {
	p.t.Helper()
	want.LengthForm = 0
	got := p.next(why, want.String())
	if got.FIN != want.FIN || got.RSV1 != want.RSV1 || got.RSV2 != want.RSV2 || got.RSV3 != want.RSV3 ||
		got.Opcode != want.Opcode || !bytes.Equal(got.Payload, want.Payload) {
		p.fail(why, want.String(), got.String())
	}
}

// WantText asserts that the next frame is a whole text message.
func (p *Peer) WantText(why, text string) {
	p.t.Helper()
	p.WantFrame(why, Text(text))
}

// WantBinary asserts that the next frame is a whole binary message.
func (p *Peer) WantBinary(why, text string) {
	p.t.Helper()
	p.WantFrame(why, Binary(text))
}

// WantPong asserts that the next frame is a pong.
func (p *Peer) WantPong(why, text string) {
	p.t.Helper()
	p.WantFrame(why, Pong(text))
}

// WantMessage asserts that the next frames are an uncompressed message in one or more fragments, without a control frame
// between them. It returns the number of fragments.
func (p *Peer) WantMessage(why string, opcode byte, payload string) (fragments int) {
	p.t.Helper()
	want := Frame{FIN: true, Opcode: opcode, Payload: []byte(payload)}
	got := Frame{Opcode: opcode}
	for expected := opcode; !got.FIN; expected = OpContinuation {
		f := p.next(why, want.String())
		if f.Opcode != expected || f.RSV1 || f.RSV2 || f.RSV3 {
			p.fail(why, want.String(), fmt.Sprintf("%s as fragment %d", f, fragments+1))
		}
		got.FIN = f.FIN
		got.Payload = append(got.Payload, f.Payload...)
		fragments++
	}
	if string(got.Payload) != payload {
		p.fail(why, want.String(), got.String())
	}
	return fragments
}

// WantClose asserts that the next frame is a legal Close frame with this status code, and returns its reason. Code 1005
// means a Close frame without a status code (RFC 6455, section 7.1.5).
func (p *Peer) WantClose(why string, code int) (reason string) {
	p.t.Helper()
	want := fmt.Sprintf("a Close frame with code %d", code)
	f := p.next(why, want)
	got := 1005
	if len(f.Payload) >= 2 {
		got = int(binary.BigEndian.Uint16(f.Payload))
		reason = string(f.Payload[2:])
	}
	switch {
	case f.Opcode != OpClose || f.RSV1 || f.RSV2 || f.RSV3 || len(f.Payload) == 1 || got != code:
		p.fail(why, want, f.String())
	case len(f.Payload) >= 2 && got == 1005:
		p.fail(why, want, "that code on the wire, where it must not be")
	case !utf8.ValidString(reason):
		p.fail(why, want, fmt.Sprintf("%s, but the reason is not UTF-8", f))
	}
	return reason
}

// WantClosed asserts that the next frame is a Close frame with this status code, and that the stream ends after it. It
// returns the reason.
func (p *Peer) WantClosed(why string, code int) (reason string) {
	p.t.Helper()
	reason = p.WantClose(why, code)
	p.WantEOF(why)
	return reason
}

// WantEOF asserts that the stream ends with io.EOF, without another byte.
func (p *Peer) WantEOF(why string) {
	p.t.Helper()
	if err := p.wantNoByte(why, "the end of the stream", p.Timeout); err != io.EOF {
		p.fail(why, "the end of the stream", p.came(err))
	}
}

// WantGone asserts that the stream ends with io.EOF or a reset, without another byte. A TCP connection that is closed
// while it has unread bytes is reset.
func (p *Peer) WantGone(why string) {
	p.t.Helper()
	err := p.wantNoByte(why, "the end of the stream or a reset", p.Timeout)
	if err != io.EOF && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		p.fail(why, "the end of the stream or a reset", p.came(err))
	}
}

// WantIdle asserts that no byte arrives within d, and that the stream does not end.
func (p *Peer) WantIdle(why string, d time.Duration) {
	p.t.Helper()
	want := fmt.Sprintf("nothing for %v", d)
	if err := p.wantNoByte(why, want, d); !errors.Is(err, os.ErrDeadlineExceeded) {
		p.fail(why, want, p.came(err))
	}
}

// wantNoByte waits for d and returns the error that came in place of a byte.
func (p *Peer) wantNoByte(why, want string, d time.Duration) error {
	p.t.Helper()
	if len(p.received) > 0 {
		p.fail(why, want, p.came(nil))
	}
	err := p.fill(time.Now().Add(d))
	if err == nil {
		p.fail(why, want, p.came(nil))
	}
	return err
}
