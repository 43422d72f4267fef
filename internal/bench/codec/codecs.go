package main

import (
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

func newOurs(takeover bool) compressor {
	return ours{deflate.NewCompressor(15, takeover, deflate.Effort(*effort))}
}

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
	// inflate decodes wire, a message of n bytes with wireTail behind it, into dst.
	inflate(dst, wire []byte, n int) []byte
}

type oursInflater struct{ d *deflate.Decompressor }

func newOursInflater(takeover bool) inflater {
	return oursInflater{deflate.NewDecompressor(15, takeover)}
}

func (o oursInflater) inflate(dst, wire []byte, _ int) []byte {
	dst, err := o.d.AppendMessage(dst, wire[:len(wire)-wireTail], 1<<20)
	if err != nil {
		panic(err)
	}
	return dst
}

// streamReader is a reader of either library. With takeover it is one reader
// that never ends and is told how much to read, which is more than a WebSocket
// could tell it; without, it is reset for each message.
type streamReader struct {
	r        io.Reader
	in       source
	joined   []byte
	takeover bool
}

// source is what streamReader reads from; it also gives single bytes, as both
// libraries want it.
type source struct{ rest []byte }

func (s *source) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *source) ReadByte() (byte, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	b := s.rest[0]
	s.rest = s.rest[1:]
	return b, nil
}

func newStdInflater(takeover bool) inflater {
	s := &streamReader{takeover: takeover}
	s.r = stdflate.NewReader(&s.in)
	return s
}

func newKlauspostInflater(takeover bool) inflater {
	s := &streamReader{takeover: takeover}
	s.r = kpflate.NewReader(&s.in)
	return s
}

// inflate gets wire with both tails behind it: LEN and NLEN of the block that
// ends the message, and the final block that compress/flate takes for an EOF.
func (s *streamReader) inflate(dst, wire []byte, n int) []byte {
	dst = dst[:n]
	if s.takeover {
		wire = wire[:len(wire)-len(finalBlock)]
		if len(s.in.rest) > 0 {
			// After a stored block the tail of the message before is still there.
			s.joined = append(append(s.joined[:0], s.in.rest...), wire...)
			wire = s.joined
		}
		s.in.rest = wire
		if _, err := io.ReadFull(s.r, dst); err != nil {
			panic(err)
		}
		return dst
	}
	s.in.rest = wire
	if err := s.r.(stdflate.Resetter).Reset(&s.in, nil); err != nil {
		panic(err)
	}
	if _, err := io.ReadFull(s.r, dst); err != nil {
		panic(err)
	}
	return dst
}

var (
	syncTail   = []byte{0x00, 0x00, 0xff, 0xff}
	finalBlock = []byte{0x01, 0x00, 0x00, 0xff, 0xff}
)

// wireTail is how much of what an inflater gets lies behind the message.
var wireTail = len(syncTail) + len(finalBlock)
