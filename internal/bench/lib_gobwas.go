package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"

	"github.com/gobwas/ws"
)

// gobwas/ws by its low-level calls: a loop made by hand that parses frames in one reused buffer, unmasks
// them there, writes the answer's header right before the payload and sends both with one call. It has no
// duties of a library: no fragments, no pings, no limits, no second writer. It is as fast as plain TCP.
func gobwasLibrary() *library {
	return &library{
		name: "gobwas-low", kind: handMade,
		server: func(o order) service { return &gobwasServer{order: o} },
		client: func(order) visit { return gobwasVisit },
	}
}

type gobwasServer struct {
	order order
	conns members[net.Conn]
}

func (s *gobwasServer) serve(ln net.Listener) error {
	return serveHTTP(ln, func(w http.ResponseWriter, r *http.Request) {
		c, rw, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			fatal(err)
		}
		early, err := earlyBytes(rw.Reader)
		if err != nil {
			fatal(err)
		}
		s.conns.add(s.order, c)
		s.order.detach(func() {
			defer c.Close()
			if s.order.Lean {
				_ = s.runLean(c) // ends with the load generator
				return
			}
			_ = s.run(c, early)
		})
	})
}

func (s *gobwasServer) broadcast(message []byte) error {
	frame, err := ws.CompileFrame(ws.NewBinaryFrame(message))
	if err != nil {
		return err
	}
	return s.conns.each(func(c net.Conn) error {
		_, err := c.Write(frame)
		return err
	})
}

// earlyBytes takes what came with the handshake and sits in its reader.
func earlyBytes(br *bufio.Reader) ([]byte, error) {
	if br == nil || br.Buffered() == 0 {
		return nil, nil
	}
	early, err := br.Peek(br.Buffered())
	return slices.Clone(early), err
}

// frameParser holds what parsing needs besides the bytes, so that it allocates nothing.
type frameParser struct {
	reader  bytes.Reader
	scratch [ws.MaxHeaderSize]byte
}

// parse finds the frame at the front of p. size is the header's, or 0 if p ends before the header does.
func (f *frameParser) parse(p []byte) (h ws.Header, size int, err error) {
	f.reader.Reset(p)
	h, err = ws.ReadHeaderBuffer(&f.reader, f.scratch[:])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return h, 0, nil
	}
	return h, len(p) - f.reader.Len(), err
}

// into writes over the bytes it points to.
type into struct{ p []byte }

func (w *into) Write(p []byte) (int, error) { return copy(w.p, p), nil }

func (s *gobwasServer) run(c net.Conn, early []byte) error {
	buf := make([]byte, 4<<10)
	have := copy(buf, early)
	var parser frameParser
	var front into
	for {
		n, err := c.Read(buf[have:])
		if err != nil {
			return err
		}
		have += n
		done, need := 0, 0
		for done < have {
			h, size, err := parser.parse(buf[done:have])
			if err != nil {
				return err
			}
			if need = size + int(h.Length); size == 0 || have-done < need {
				break
			}
			payload := buf[done+size : done+need]
			ws.Cipher(payload, h.Mask, 0)
			if err := s.reply(c, h, buf[done:done+need], size, &front, parser.scratch[:]); err != nil {
				return err
			}
			done, need = done+need, 0
		}
		have = copy(buf, buf[done:have])
		if need > len(buf) {
			buf = append(buf[:have], make([]byte, need-have)...)
		}
	}
}

// reply sends the answer to a frame out of the frame's own bytes: the server's header is four bytes
// shorter than the client's.
func (s *gobwasServer) reply(c net.Conn, h ws.Header, frame []byte, size int, front *into, scratch []byte) error {
	if h.OpCode == ws.OpClose {
		_, err := c.Write(ws.CompiledCloseNormalClosure)
		return errors.Join(err, io.EOF)
	}
	answer := s.order.answer(frame[size:])
	if answer == nil {
		return nil
	}
	h.Masked = false
	h.Length = int64(len(answer))
	start := size - ws.HeaderSize(h)
	front.p = frame[start:size]
	if err := ws.WriteHeaderBuffer(front, h, scratch); err != nil {
		return err
	}
	_, err := c.Write(frame[start : size+len(answer)])
	return err
}

// runLean holds no buffer while it waits.
func (s *gobwasServer) runLean(c net.Conn) error {
	scratch := make([]byte, ws.MaxHeaderSize)
	for {
		h, err := ws.ReadHeaderBuffer(c, scratch)
		if err != nil {
			return err
		}
		if err := s.echoLean(c, h, scratch); err != nil {
			return err
		}
	}
}

func (s *gobwasServer) echoLean(c net.Conn, h ws.Header, scratch []byte) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	size := ws.HeaderSize(h)
	frame := slices.Grow((*buf)[:0], size+int(h.Length))[:size+int(h.Length)]
	*buf = frame
	if _, err := io.ReadFull(c, frame[size:]); err != nil {
		return err
	}
	ws.Cipher(frame[size:], h.Mask, 0)
	return s.reply(c, h, frame, size, &into{}, scratch)
}

// gobwasVisit masks a copy of the message, which is the caller's to keep, right behind its header.
func gobwasVisit(url string, message []byte) error {
	c, br, _, err := ws.Dial(context.Background(), url)
	if err != nil {
		return err
	}
	defer c.Close()
	early, err := earlyBytes(br)
	if err != nil {
		return err
	}
	out := make([]byte, ws.MaxHeaderSize+len(message))
	buf := make([]byte, max(4<<10, len(message)+ws.MaxHeaderSize))
	have := copy(buf, early)
	var parser frameParser
	var front into
	for {
		h := ws.Header{Fin: true, OpCode: ws.OpBinary, Masked: true, Mask: ws.NewMask(), Length: int64(len(message))}
		size := ws.HeaderSize(h)
		front.p = out[:size]
		if err := ws.WriteHeaderBuffer(&front, h, parser.scratch[:]); err != nil {
			return err
		}
		n := copy(out[size:], message)
		ws.Cipher(out[size:size+n], h.Mask, 0)
		if _, err := c.Write(out[:size+n]); err != nil {
			return err
		}
		for {
			n, err := c.Read(buf[have:])
			if err != nil {
				return err
			}
			have += n
			h, size, err := parser.parse(buf[:have])
			if err != nil {
				return err
			}
			if size > 0 && have >= size+int(h.Length) {
				have = copy(buf, buf[size+int(h.Length):have])
				break
			}
		}
	}
}
