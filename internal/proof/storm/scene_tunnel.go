package storm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/closeonce/websocket"
)

// tunnel is a byte stream in each direction through NetConn, with read deadlines that pass.
func (w *world) tunnel() {
	r := w.draw
	p := w.pair(w.drawOptions(), w.drawOptions())
	if p == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	typ := websocket.MessageBinary
	size := one(r, 1000, 100_000, 1_000_000)
	var all sync.WaitGroup
	for _, e := range p.ends() {
		e.out.opaque = true
		nc := websocket.NetConn(ctx, e.conn, typ)
		writer, reader := e.actor("w", w.dead), e.actor("r", w.dead)
		all.Go(func() { writer.pours(nc, pools[1][:size]) })
		all.Go(func() { reader.takes(nc, pools[1][:size]) })
	}
	if w.join(&all) && !p.client.isOver() && !p.server.isOver() {
		for _, e := range p.ends() {
			e.hears("after a tunnel's last byte")
		}
		w.closeCrowd(p)
	}
	p.finish()
}

// pours writes all bytes in pieces.
func (a *actor) pours(nc net.Conn, data []byte) {
	for len(data) > 0 {
		n := min(len(data), a.draw.between(1, one(a.draw, 10, 1000, 40_000)))
		a.in("NetConn's Write", nil, 0)
		_, err := nc.Write(data[:n])
		a.out()
		if err != nil {
			a.end.pair.world.fail("died", "%s: NetConn's Write: %v", a, err)
			return
		}
		data = data[n:]
	}
}

// takes reads as many bytes, and holds them against what was sent.
func (a *actor) takes(nc net.Conn, want []byte) {
	buf := make([]byte, 32<<10)
	for len(want) > 0 {
		if a.draw.chance(20) {
			nc.SetReadDeadline(time.Now().Add(a.draw.upTo(300 * time.Microsecond)))
		}
		a.in("NetConn's Read", nil, 0)
		n, err := nc.Read(buf[:a.draw.between(1, len(buf))])
		a.out()
		if n > len(want) || !bytes.Equal(buf[:n], want[:n]) {
			a.end.pair.world.fail("misread", "%s: NetConn's Read returned other bytes than were written", a)
			return
		}
		want = want[n:]
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			nc.SetReadDeadline(time.Time{})
		case err != nil && err != io.EOF:
			a.end.pair.world.fail("died", "%s: NetConn's Read: %v", a, err)
			return
		}
	}
}
