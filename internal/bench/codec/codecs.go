package main

import (
	"bytes"
	stdflate "compress/flate"
	"io"

	"github.com/closeonce/websocket/internal/deflate"
	kpflate "github.com/klauspost/compress/flate"
)

const tailLength = 4 // 00 00 ff ff, which no codec is charged for

// compressor compresses the messages of one connection.
type compressor interface {
	// compress appends msg without the tail, or as it is where that is what the
	// codec's user would send.
	compress(dst, msg []byte) []byte
}

type ours struct{ c *deflate.Compressor }

func newOurs(takeover bool) compressor { return ours{deflate.NewCompressor(15, takeover)} }

func (o ours) compress(dst, msg []byte) []byte {
	out, ok := o.c.AppendMessage(dst, msg)
	if !ok {
		return append(dst, msg...)
	}
	return out
}

// flushWriter is what compress/flate and klauspost's have in common.
type flushWriter interface {
	io.Writer
	Flush() error
	Reset(io.Writer)
}

// streamWriter is a writer of either library: with takeover one writer for the
// connection, without one that is reset for each message.
type streamWriter struct {
	w        flushWriter
	out      appender
	takeover bool
}

type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

func (s *streamWriter) compress(dst, msg []byte) []byte {
	s.out.b = dst
	if !s.takeover {
		s.w.Reset(&s.out)
	}
	if _, err := s.w.Write(msg); err != nil {
		panic(err)
	}
	if err := s.w.Flush(); err != nil {
		panic(err)
	}
	return s.out.b[:len(s.out.b)-tailLength]
}

func newStd(level int) func(bool) compressor {
	return func(takeover bool) compressor {
		s := &streamWriter{takeover: takeover}
		w, err := stdflate.NewWriter(&s.out, level)
		if err != nil {
			panic(err)
		}
		s.w = w
		return s
	}
}

func newKlauspost(level int) func(bool) compressor {
	return func(takeover bool) compressor {
		s := &streamWriter{takeover: takeover}
		w, err := kpflate.NewWriter(&s.out, level)
		if err != nil {
			panic(err)
		}
		s.w = w
		return s
	}
}

// stateless is klauspost's, given the last 8 KiB (all it looks at) as dictionary.
type stateless struct {
	out      appender
	takeover bool
	history  []byte
}

func newStateless(takeover bool) compressor { return &stateless{takeover: takeover} }

func (s *stateless) compress(dst, msg []byte) []byte {
	s.out.b = dst
	if err := kpflate.StatelessDeflate(&s.out, msg, false, s.history); err != nil {
		panic(err)
	}
	if s.takeover {
		s.history = append(s.history, msg...)
		if len(s.history) > 32<<10 {
			s.history = append(s.history[:0], s.history[len(s.history)-8<<10:]...)
		}
	}
	return s.out.b[:len(s.out.b)-tailLength]
}

// inflater inflates the messages of one connection.
type inflater interface {
	// inflate decodes wire, a message of n bytes without its tail, into dst.
	inflate(dst, wire []byte, n int) []byte
}

type oursInflater struct{ d *deflate.Decompressor }

func newOursInflater(takeover bool) inflater {
	return oursInflater{deflate.NewDecompressor(15, takeover)}
}

func (o oursInflater) inflate(dst, wire []byte, _ int) []byte {
	dst, err := o.d.AppendMessage(dst, wire, 1<<20)
	if err != nil {
		panic(err)
	}
	return dst
}

// streamReader is a reader of either library. With takeover it is one reader
// that never ends and is told how much to read, which is more than a WebSocket
// could tell it; without it is reset for each message.
type streamReader struct {
	r        io.Reader
	in       source
	takeover bool
}

type source struct {
	bytes.Reader
	rest []byte
}

var (
	syncTail  = []byte{0x00, 0x00, 0xff, 0xff}
	finalTail = []byte{0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff}
)

func (s *streamReader) inflate(dst, wire []byte, n int) []byte {
	if s.takeover {
		s.in.rest = append(append(s.in.rest[:0], wire...), syncTail...)
		left := make([]byte, 0)
		_ = left
		s.in.Reset(s.in.rest)
		dst = dst[:n]
		if _, err := io.ReadFull(s.r, dst); err != nil {
			panic(err)
		}
		return dst
	}
	s.in.rest = append(append(s.in.rest[:0], wire...), finalTail...)
	s.in.Reset(s.in.rest)
	if err := s.r.(stdflate.Resetter).Reset(&s.in.Reader, nil); err != nil {
		panic(err)
	}
	dst = dst[:cap(dst)]
	at := 0
	for {
		k, err := s.r.Read(dst[at:])
		at += k
		if err == io.EOF {
			return dst[:at]
		}
		if err != nil {
			panic(err)
		}
	}
}
