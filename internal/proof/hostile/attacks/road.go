package attacks

import (
	"context"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

// A Road carries WebSockets in streams of HTTP/2 or HTTP/3, all on one connection.
// Handler, Serve and Dial are used in the process under attack, Attack and Lure by
// the attackers.
type Road struct {
	// Holds is what a stream may cost a server besides the bound of a connection, in
	// bytes of the heap: above all its window, which the peer may fill without anybody
	// reading. ClientHolds is that of a client.
	Holds, ClientHolds int

	// Handler is websocket.Handler, or its like.
	Handler func(*websocket.AcceptOptions, func(context.Context, *websocket.Conn)) http.Handler

	// Serve starts a server, which goes on until the process ends.
	Serve func(h http.Handler) (addr string, err error)

	// Dial is websocket.Dial, or its like.
	Dial func(ctx context.Context, url string, opts *websocket.DialOptions) (*websocket.Conn, *http.Response, error)

	// Attack connects to a server.
	Attack func(addr string) (Attackers, error)

	// Lure starts a server that agrees on the extensions, if a client offers any.
	Lure func(extensions string) (Trap, error)
}

// Attackers are clients that share one connection. Their kernel or their window takes
// little of what they do not read.
type Attackers struct {
	Open  func(path, extensions string) (net.Conn, error) // a stream whose handshake is done
	Close func()
}

// A Trap is a server of attackers.
type Trap struct {
	URL    string
	Accept func() (net.Conn, error) // a stream whose handshake is done
	Close  func()
}

func (r *Road) holds(client bool) int {
	switch {
	case r == nil:
		return 0
	case client:
		return r.ClientHolds
	}
	return r.Holds
}

// Subject reports whether this process is one under attack. If it is, it obeys orders
// until there are no more. Every program that measures attacks calls it first.
func Subject(road *Road) bool {
	if os.Getenv(subjectEnv) == "" {
		return false
	}
	beSubject(road)
	return true
}

// Over carries out each attack that does not depend on HTTP/1.1, or all of them if
// road is nil, with fewer attackers: what a connection costs stays within its bound,
// the answers are the right ones, no goroutine is left, and an honest peer beside the
// attackers does not wait long.
func Over(t *testing.T, road *Road) {
	for _, a := range All() {
		t.Run(a.name, func(t *testing.T) {
			if road != nil && a.http1 != "" {
				t.Skip("over HTTP/1.1 only: " + a.http1)
			}
			t.Parallel()
			unit := 50 * time.Millisecond
			if road != nil { // an attacker's goroutines have to come to what a kernel does over TCP
				unit *= 2
			}
			var r Result
			var filled bool
			for more := range 3 { // on a busy machine an attack needs more time to get anywhere
				var err error
				if r, err = a.measure(road, scale{unit: unit << more, conns: a.few, brief: true}); err != nil {
					t.Error(err)
				}
				if filled = a.ends == "" || int(r.Sent)/a.few >= readAhead/2; filled {
					break
				}
			}
			if r.Sent == 0 && len(a.want) > 0 && !a.silent {
				t.Error("the attackers have sent nothing")
			}
			if !filled {
				t.Errorf("%d bytes of an attacker did not fill what the endpoint holds", int(r.Sent)/a.few)
			}
			t.Logf("%v, %d KiB sent, %d of %d KiB held, an honest peer waited %v", r.Answers, int(r.Sent)/a.few>>10, r.Heap>>10, r.Bound>>10, r.Waited)
		})
	}
}
