package sim

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// options are those of both doors that the simulation draws.
type options struct {
	readLimit    int64
	queueLimit   int
	closeTimeout time.Duration
	keepAlive    time.Duration
	compression  websocket.CompressionMode
	threshold    int
	end          string // tcp, tls, plain, or stream: what the Conn stands on
	server       bool   // the request is one that an http.Server got
}

func drawOptions(r random) options {
	o := options{
		readLimit:    one[int64](r, 0, 0, 0, 1<<20, 70_000),
		queueLimit:   one(r, 0, 0, 1<<10, 8<<10, -1),
		closeTimeout: one(r, 0, time.Second, 3*time.Second, 10*time.Second),
		keepAlive:    one(r, 0, -1, 2*time.Second, 7*time.Second),
		compression:  one(r, 0, websocket.CompressionContextTakeover, websocket.CompressionContextTakeover, websocket.CompressionNoContextTakeover),
		threshold:    one(r, 0, 0, 1, 1000),
		end:          one(r, "tcp", "tcp", "tcp", "tls", "plain"),
	}
	// Not the same for both ends to the nanosecond.
	if o.closeTimeout > 0 {
		o.closeTimeout += r.upTo(time.Millisecond)
	}
	if o.keepAlive > 0 {
		o.keepAlive += r.upTo(time.Millisecond)
	}
	return o
}

// boundless is longer than any run takes.
const boundless = 1000 * time.Hour

// closeWithin is the close timeout that holds.
func (o options) closeWithin() time.Duration {
	if o.closeTimeout == 0 {
		return 5 * time.Second
	}
	return min(max(o.closeTimeout, 0), boundless)
}

// aliveWithin is the keepalive period that holds; 0: none.
func (o options) aliveWithin() time.Duration {
	if o.keepAlive == 0 {
		return 30 * time.Second
	}
	return min(max(o.keepAlive, 0), boundless)
}

func (o options) limit() int64 {
	switch {
	case o.readLimit == 0:
		return 1 << 20
	case o.readLimit < 0:
		return 1 << 62
	}
	return o.readLimit
}

func (o options) queue() int {
	switch {
	case o.queueLimit == 0:
		return 256 << 10
	case o.queueLimit < 0:
		return 0
	}
	return o.queueLimit
}

// accept makes a Conn of the server's end. A request that is read from it comes
// through br; without br, the request is taken as having come.
func accept(nc net.Conn, r *http.Request, br *bufio.Reader, o options) (*websocket.Conn, error) {
	if br == nil {
		br = bufio.NewReader(nc)
	}
	if o.server {
		r = r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, new(http.Server)))
	}
	w := &hijacker{nc: nc, rw: bufio.NewReadWriter(br, bufio.NewWriter(nc)), header: http.Header{}}
	return websocket.Accept(w, r, &websocket.AcceptOptions{
		ReadLimit: o.readLimit, QueueLimit: o.queueLimit, CloseTimeout: o.closeTimeout, KeepAlive: o.keepAlive,
		CompressionMode: o.compression, CompressionThreshold: o.threshold,
	})
}

// request is a handshake's request as a server gets it.
func request() *http.Request {
	r, _ := http.NewRequest("GET", "http://sim/", nil)
	r.Header = http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}
	return r
}

// A hijacker is an http.ResponseWriter that gives its connection away.
type hijacker struct {
	nc     net.Conn
	rw     *bufio.ReadWriter
	header http.Header
}

func (h *hijacker) Header() http.Header         { return h.header }
func (h *hijacker) Write(p []byte) (int, error) { return h.nc.Write(p) }
func (h *hijacker) WriteHeader(int)             {}
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.nc, h.rw, nil
}

// dial makes a Conn of the client's end.
func dial(ctx context.Context, nc net.Conn, o options) (*websocket.Conn, error) {
	transport := &http.Transport{
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return nc, nil },
		DisableKeepAlives: true,
	}
	defer transport.CloseIdleConnections()
	var rt http.RoundTripper = transport
	if o.end == "stream" {
		rt = hidden{transport}
	}
	c, _, err := websocket.Dial(ctx, "ws://sim/", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: rt},
		ReadLimit:  o.readLimit, QueueLimit: o.queueLimit, CloseTimeout: o.closeTimeout, KeepAlive: o.keepAlive,
		CompressionMode: o.compression, CompressionThreshold: o.threshold,
	})
	return c, err
}

// hidden is a RoundTripper that hides the net.Conn below the response's body.
type hidden struct{ http.RoundTripper }

func (h hidden) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := h.RoundTripper.RoundTrip(r)
	if err == nil {
		if body, ok := resp.Body.(io.ReadWriteCloser); ok {
			resp.Body = struct{ io.ReadWriteCloser }{body}
		}
	}
	return resp, err
}

// answer reads the client's request and answers it as a server does that is
// not ours.
func answer(nc net.Conn) (*bufio.Reader, error) {
	br := bufio.NewReader(nc)
	r, err := http.ReadRequest(br)
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+
		wiretest.AcceptKey(r.Header.Get("Sec-Websocket-Key"))+"\r\n\r\n")
	return br, err
}

// A peer is one of our Conns, with all that the checks want to know of it.
type peer struct {
	world *world
	role  string // client or server
	name  string // role, if it does not say more
	link  *link
	opts  options
	conn  *websocket.Conn
	end   *end
	out   *ledger // what it sends
	in    *ledger // what it is sent
	wire  *observer
	heard *observer
	life  life

	sings      *singer   // it may be a member of groups
	relays     bool      // it is a proxy's: what it sends others have written
	mayBeDeaf  time.Time // since when bytes wait for it that it has room for; watch's
	gaveNotice bool      // of something left undone; watch's
}

func (p *peer) String() string { return p.name }

func (p *peer) event(format string, args ...any) {
	p.world.trace.event("%s: %s", p.name, fmt.Sprintf(format, args...))
}

func (p *peer) fail(format string, args ...any) {
	p.world.trace.fail("%s: %s", p.name, fmt.Sprintf(format, args...))
}
