package peers

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
)

// A tap is a route that counts the bytes that it carries.
type tap struct {
	toServer, toClient atomic.Int64
}

// lead is the tap's route.
func (p *tap) lead(t *testing.T, target string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return // the test is over
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				client.Close()
				continue
			}
			go carry(server, client, &p.toServer)
			go carry(client, server, &p.toClient)
		}
	}()
	return ln.Addr().String()
}

// carry copies until the source ends. It counts before it writes: who has a
// message knows that it was counted.
func carry(to, from net.Conn, count *atomic.Int64) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		count.Add(int64(n))
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			io.Copy(io.Discard, from)
			return
		}
	}
}
