package main

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"unsafe"
)

// The references say what plain TCP costs in Go: messages with four bytes of length before them, no
// handshake, no masking. For groups they say what the system call costs: a bare loop of write(2) over the sockets, of which
// Go's runtime and package net know nothing.

func rawLibrary() *library {
	return &library{
		name: "rawtcp", kind: reference, framing: framingLength, noHandler: true,
		server: func(o order) service { return &rawServer{order: o} },
		client: func(o order) visit { return rawVisit },
	}
}

// rawBatchLibrary answers all messages of one read with one write.
func rawBatchLibrary() *library {
	return &library{
		name: "rawtcp-batch", kind: reference, framing: framingLength, noHandler: true,
		server: func(o order) service { return &rawServer{order: o, batch: true} },
	}
}

type rawServer struct {
	order order
	batch bool
	conns members[net.Conn]
	files members[int] // for groups, instead of conns
}

func (s *rawServer) serve(ln net.Listener) error {
	return acceptAll(ln, func(c net.Conn) {
		defer c.Close()
		if s.order.Group {
			s.files.add(s.order, descriptor(c))
		} else {
			s.conns.add(s.order, c)
		}
		if s.order.Lean {
			_ = s.runLean(c) // ends with the load generator
			return
		}
		_ = s.run(c)
	})
}

func (s *rawServer) broadcast(message []byte) error {
	frame := appendLengthPrefixed(nil, message)
	if s.order.Group {
		return s.files.each(func(fd int) error {
			_, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&frame[0])), uintptr(len(frame)))
			if errno != 0 {
				return errno
			}
			return nil
		})
	}
	return s.conns.each(func(c net.Conn) error {
		_, err := c.Write(frame)
		return err
	})
}

// descriptor returns the number of the connection's socket, which is valid until the connection is closed.
func descriptor(c net.Conn) (fd int) {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		fatal(err)
	}
	if err := raw.Control(func(f uintptr) { fd = int(f) }); err != nil {
		fatal(err)
	}
	return fd
}

// run reads into one buffer that grows to the largest message, and answers from it.
func (s *rawServer) run(c net.Conn) error {
	size := 4 << 10
	if s.batch {
		size = 64 << 10
	}
	buf := make([]byte, size)
	for have := 0; ; {
		n, err := c.Read(buf[have:])
		if err != nil {
			return err
		}
		have += n
		done := 0 // up to here messages are whole
		need := 4
		for have-done >= 4 {
			need = 4 + int(binary.BigEndian.Uint32(buf[done:]))
			if have-done < need {
				break
			}
			if !s.batch {
				if err := s.reply(c, buf[done:done+need]); err != nil {
					return err
				}
			}
			done += need
			need = 4
		}
		if s.batch && done > 0 {
			if err := s.reply(c, buf[:done]); err != nil {
				return err
			}
		}
		have = copy(buf, buf[done:have])
		if need > len(buf) {
			buf = slices.Grow(buf, need)[:need]
		}
	}
}

// reply writes the answer to a message, or to several whole messages.
func (s *rawServer) reply(c net.Conn, message []byte) error {
	answer := s.order.answer(message[4:])
	switch {
	case answer == nil:
		return nil
	case len(answer) == len(message)-4:
		_, err := c.Write(message)
		return err
	}
	_, err := c.Write(appendLengthPrefixed(nil, answer))
	return err
}

// runLean holds four bytes while it waits.
func (s *rawServer) runLean(c net.Conn) error {
	header := make([]byte, 4)
	for {
		if _, err := io.ReadFull(c, header); err != nil {
			return err
		}
		if err := s.echoBody(c, header); err != nil {
			return err
		}
	}
}

func (s *rawServer) echoBody(c net.Conn, header []byte) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	size := 4 + int(binary.BigEndian.Uint32(header))
	message := slices.Grow((*buf)[:0], size)[:size]
	*buf = message
	copy(message, header)
	if _, err := io.ReadFull(c, message[4:]); err != nil {
		return err
	}
	return s.reply(c, message)
}

func rawVisit(url string, message []byte) error {
	c, err := net.Dial("tcp", hostOf(url))
	if err != nil {
		return err
	}
	defer c.Close()
	frame := appendLengthPrefixed(nil, message)
	buf := make([]byte, max(4<<10, len(frame)))
	for {
		if _, err := c.Write(frame); err != nil {
			return err
		}
		need := 4
		for have := 0; have < need; {
			n, err := c.Read(buf[have:])
			if err != nil {
				return err
			}
			if have += n; have >= 4 {
				need = 4 + int(binary.BigEndian.Uint32(buf))
			}
		}
	}
}

// hostOf returns the address in ws://address/path.
func hostOf(url string) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(url, "ws://"), "/")
	return host
}
