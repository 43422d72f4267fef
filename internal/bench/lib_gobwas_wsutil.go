package main

import (
	"bufio"
	"compress/flate"
	"context"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"
)

// gobwas/ws by package wsutil: its Reader over a buffered reader, so that a frame costs one system call
// instead of three, and its pooled Writer, so that header and payload leave together. Its ReadClientData and
// ReadServerData where memory is to be fresh.
func gobwasUtilLibrary() *library {
	return &library{
		name: "gobwas-wsutil", kind: readyMade, deflate: true,
		server: func(o order) service { return &wsutilServer{order: o} },
		client: wsutilVisit,
	}
}

type wsutilServer struct {
	order order
	conns members[net.Conn]
}

func (s *wsutilServer) serve(ln net.Listener) error {
	return serveHTTP(ln, func(w http.ResponseWriter, r *http.Request) {
		var upgrader ws.HTTPUpgrader
		if s.order.Deflate {
			extension := wsflate.Extension{Parameters: wsflate.DefaultParameters}
			upgrader.Negotiate = extension.Negotiate
		}
		c, rw, _, err := upgrader.Upgrade(r, w)
		if err != nil {
			fatal(err)
		}
		s.conns.add(s.order, c)
		s.order.detach(func() {
			defer c.Close()
			_ = s.run(c, rw.Reader) // ends with the load generator
		})
	})
}

func (s *wsutilServer) broadcast(message []byte) error {
	return s.conns.each(func(c net.Conn) error {
		return wsutilWrite(c, ws.StateServerSide, ws.OpBinary, message)
	})
}

// wsutilWrite sends one message, short ones with one call, large ones without a copy.
func wsutilWrite(c io.Writer, state ws.State, op ws.OpCode, message []byte) error {
	const copied = 32 << 10
	if len(message) > copied {
		return wsutil.WriteMessage(c, state, op, message)
	}
	w := wsutil.GetWriter(c, state, op, len(message)+ws.MaxHeaderSize)
	defer wsutil.PutWriter(w)
	if _, err := w.Write(message); err != nil {
		return err
	}
	return w.Flush()
}

// buffered reads through a buffer and writes without one.
type buffered struct {
	*bufio.Reader
	io.Writer
}

// runFresh echoes messages that each have memory of their own.
func runFresh(rw buffered) error {
	for {
		message, op, err := wsutil.ReadClientData(rw)
		if err != nil {
			return err
		}
		if err := wsutilWrite(rw.Writer, ws.StateServerSide, op, message); err != nil {
			return err
		}
	}
}

func (s *wsutilServer) run(c net.Conn, br *bufio.Reader) error {
	if s.order.Fresh {
		return runFresh(buffered{br, c})
	}
	r := &wsutil.Reader{Source: br, State: ws.StateServerSide}
	if s.order.Lean {
		r.Source = c
	}
	var state wsflate.MessageState
	if s.order.Deflate {
		r.State |= ws.StateExtended
		r.Extensions = []wsutil.RecvExtension{&state}
	}
	control := wsutil.ControlFrameHandler(c, ws.StateServerSide)
	for {
		h, err := r.NextFrame()
		if err != nil {
			return err
		}
		switch {
		case h.OpCode.IsControl():
			err = control(h, r)
		case state.IsCompressed():
			err = s.echoDeflate(c, r, h.OpCode)
		default:
			err = s.echo(c, r, h.OpCode)
		}
		if err != nil {
			return err
		}
	}
}

func (s *wsutilServer) echo(c net.Conn, r io.Reader, op ws.OpCode) (err error) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	if *buf, err = readAll(r, (*buf)[:0]); err != nil {
		return err
	}
	if answer := s.order.answer(*buf); answer != nil {
		return wsutilWrite(c, ws.StateServerSide, op, answer)
	}
	return nil
}

var (
	inflaters = sync.Pool{New: func() any {
		return wsflate.NewReader(nil, func(r io.Reader) wsflate.Decompressor { return flate.NewReader(r) })
	}}
	deflaters = sync.Pool{New: func() any {
		return wsflate.NewWriter(nil, func(w io.Writer) wsflate.Compressor {
			c, err := flate.NewWriter(w, flate.BestSpeed)
			if err != nil {
				fatal(err)
			}
			return c
		})
	}}
)

func (s *wsutilServer) echoDeflate(c net.Conn, r io.Reader, op ws.OpCode) (err error) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	inflater := inflaters.Get().(*wsflate.Reader)
	defer inflaters.Put(inflater)
	inflater.Reset(r)
	if *buf, err = readAll(inflater, (*buf)[:0]); err != nil {
		return err
	}
	var state wsflate.MessageState
	state.SetCompressed(true)
	w := wsutil.GetWriter(c, ws.StateServerSide|ws.StateExtended, op, len(*buf)+64)
	defer wsutil.PutWriter(w)
	w.SetExtensions(&state)
	deflater := deflaters.Get().(*wsflate.Writer)
	defer deflaters.Put(deflater)
	deflater.Reset(w)
	if _, err := deflater.Write(s.order.answer(*buf)); err != nil {
		return err
	}
	if err := deflater.Close(); err != nil {
		return err
	}
	return w.Flush()
}

func wsutilVisit(o order) visit {
	return func(url string, message []byte) error { return wsutilSpeak(o, url, message) }
}

func wsutilSpeak(o order, url string, message []byte) error {
	c, br, _, err := ws.Dial(context.Background(), url)
	if err != nil {
		return err
	}
	defer c.Close()
	if br == nil {
		br = bufio.NewReader(c)
	}
	r := &wsutil.Reader{Source: br, State: ws.StateClientSide}
	buf := make([]byte, 0, len(message)+512)
	for {
		if err := wsutilWrite(c, ws.StateClientSide, ws.OpBinary, message); err != nil {
			return err
		}
		if o.Fresh {
			if _, _, err := wsutil.ReadServerData(buffered{br, c}); err != nil {
				return err
			}
			continue
		}
		if _, err := r.NextFrame(); err != nil {
			return err
		}
		if buf, err = readAll(r, buf[:0]); err != nil {
			return err
		}
	}
}
