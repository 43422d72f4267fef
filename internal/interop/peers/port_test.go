package peers

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
)

// nextPort is where the search goes on. Linux takes the ports of outgoing
// connections and of listeners without one from 32768 on; below, nobody takes it
// between our look and the proxy's start.
var nextPort = func() *atomic.Int32 {
	n := new(atomic.Int32)
	n.Store(20000 + rand.Int32N(10000))
	return n
}()

// freeAddr returns an address for a server that can't say which one it took.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", nextPort.Add(1))
		if ln, err := net.Listen("tcp", addr); err == nil {
			ln.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}
