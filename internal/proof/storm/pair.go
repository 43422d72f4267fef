package storm

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/closeonce/websocket"
)

// An end is one of the two Conns of a pair, and what is known of it.
type end struct {
	pair    *pair
	role    string // "client" or "server"
	conn    *websocket.Conn
	near    net.Conn // what the library was given
	options options
	done    <-chan struct{} // closed when the connection has ended
	out, in *ledger
	wire    *pipe // what it writes
	heard   *pipe // what it is sent

	begun      atomic.Int64 // messages that Read, Reader and the like returned
	closedNow  atomic.Bool  // CloseNow was called
	closedWell atomic.Bool  // a Close returned nil
	overtaken  atomic.Bool  // CloseNow comes behind a Close that has begun for certain
	alone      atomic.Bool  // one goroutine wrote, not much, and then called CloseNow
	violated   atomic.Bool  // it was sent an illegal frame

	mu     sync.Mutex
	closes []int // codes that Close was called with while the connection lived
	asked  []int // codes that Close was called with
}

// got enters a message that was read whole.
func (e *end) got(data []byte, typ websocket.MessageType) {
	e.begun.Add(1)
	e.in.got(data, typ)
}

// isOver reports whether the connection has ended.
func (e *end) isOver() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// noteClose notes that Close is about to be called.
func (e *end) noteClose(code websocket.StatusCode) {
	alive := !e.isOver() && !e.closedNow.Load()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, int(code))
	if alive {
		e.closes = append(e.closes, int(code))
	}
}

// hadToClose reports whether Close was called while the connection lived.
func (e *end) hadToClose() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.closes) > 0
}

// hasAsked reports whether Close was called with the code.
func (e *end) hasAsked(code int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.asked, code)
}

// options are what a pair is made with.
type options struct {
	compression  websocket.CompressionMode
	threshold    int
	queueLimit   int
	closeTimeout time.Duration
	keepAlive    time.Duration
	buffer       int  // the kernel's
	handler      bool // the server uses websocket.Handler
	callbacks    bool
}

// drawOptions draws the options of one end.
func (w *world) drawOptions() options {
	r := w.draw
	return options{
		compression: one(r, websocket.CompressionDisabled, websocket.CompressionDisabled,
			websocket.CompressionContextTakeover, websocket.CompressionNoContextTakeover),
		threshold:    one(r, 0, -1, 3000),
		queueLimit:   one(r, 0, 0, 4<<10, 32<<10, -1),
		closeTimeout: w.storm.config.CloseTimeout,
		keepAlive:    one(r, -1, -1, 0, 20*time.Second),
		buffer:       one(r, 32<<10, 128<<10), // a bound for what is on its way when a Close is called
		handler:      r.chance(50),
		callbacks:    r.chance(30),
	}
}

// A pair is a client and a server with a relay between them.
type pair struct {
	world          *world
	client, server *end
	relay          *relay
	id             int
	release        chan struct{} // closed when the server's handler may return
	mayDie         atomic.Bool   // something was done that ends a connection
	doom           atomic.Int64  // when both ends must have ended, counted from the program's start
}

// doomed says that something was done which ends both connections: at once or after
// a closing handshake that does not succeed.
func (p *pair) doomed() {
	p.doom.CompareAndSwap(0, int64(time.Since(p.world.began)+p.client.options.closeTimeout+time.Second))
}

func (p *pair) ends() []*end { return []*end{p.client, p.server} }

// other returns the end on the other side.
func (e *end) other() *end {
	if e == e.pair.client {
		return e.pair.server
	}
	return e.pair.client
}

// pair makes a connected pair, or nil if that failed.
func (w *world) pair(clientOptions, serverOptions options) *pair {
	p := &pair{world: w, release: make(chan struct{})}
	up, down := newLedger(w.fail), newLedger(w.fail)
	p.client = &end{pair: p, role: "client", options: clientOptions, out: up, in: down}
	p.server = &end{pair: p, role: "server", options: serverOptions, out: down, in: up}
	near1, far1, err := w.storm.transports.pair(w.program.Transport, false, clientOptions.buffer)
	if err != nil {
		w.fail("handshake", "%v", err)
		return nil
	}
	near2, far2, err := w.storm.transports.pair(w.program.Transport, true, serverOptions.buffer)
	if err != nil {
		near1.Close()
		far1.Close()
		w.fail("handshake", "%v", err)
		return nil
	}
	p.client.near, p.server.near = near1, near2
	p.connect(far1, far2)
	if err := w.storm.server.handshake(p); err != nil {
		w.fail("handshake", "%v", err)
		p.relay.cut(true)
		near1.Close()
		near2.Close()
		return nil
	}
	for _, e := range p.ends() {
		e.done = e.conn.Context().Done()
		if n, ok := e.near.(awaker); ok {
			n.awake()
		}
		e.conn.SetReadLimit(4 * largestLetter)
	}
	w.mu.Lock()
	w.pairs = append(w.pairs, p)
	w.mu.Unlock()
	return p
}

// connect puts the relay between the far ends.
func (p *pair) connect(far1, far2 net.Conn) {
	see := func(e *end) *observer {
		return &observer{name: e.role, fromClient: e == p.client, fail: p.world.fail, handshake: true, onMessage: e.out.left}
	}
	up, down := see(p.client), see(p.server)
	down.agreed = func() {
		up.mu.Lock()
		defer up.mu.Unlock()
		up.deflate = true
	}
	p.relay = &relay{up: newPipe(far1, far2, up), down: newPipe(far2, far1, down)}
	p.client.wire, p.server.heard = p.relay.up, p.relay.up
	p.server.wire, p.client.heard = p.relay.down, p.relay.down
	for _, e := range p.ends() {
		// The observer's lock is held here, so that these only take locks below it.
		e.wire.seen.onPing = func(payload string) { e.wire.pings.add(payload) }
		e.wire.seen.onPong = func(payload string) { e.heard.pings.answer(payload) }
	}
	go p.relay.up.run()
	go p.relay.down.run()
}

// A server accepts the connections of a storm.
type server struct {
	http     *http.Server
	accepted chan net.Conn
	closed   chan struct{}

	mu    sync.Mutex
	pairs map[int]*pair
	last  int
	conns map[int]chan *websocket.Conn
}

func newServer() *server {
	s := &server{accepted: make(chan net.Conn), closed: make(chan struct{}), pairs: map[int]*pair{}, conns: map[int]chan *websocket.Conn{}}
	s.http = &http.Server{Handler: s}
	go s.http.Serve(s)
	return s
}

// Accept makes the server a net.Listener of the connections that handshake hands over.
func (s *server) Accept() (net.Conn, error) {
	select {
	case nc := <-s.accepted:
		return nc, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Close ends it. http.Server calls it too.
func (s *server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
	return nil
}

// Addr has no meaning here.
func (s *server) Addr() net.Addr { return &net.UnixAddr{Name: "storm", Net: "unix"} }

// ServeHTTP accepts the server's end of the pair that the path names.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.Atoi(r.URL.Path[1:])
	s.mu.Lock()
	p, conns := s.pairs[id], s.conns[id]
	s.mu.Unlock()
	if p == nil {
		http.NotFound(w, r)
		return
	}
	o := p.server.options
	opts := &websocket.AcceptOptions{
		CompressionMode: o.compression, CompressionThreshold: o.threshold, QueueLimit: o.queueLimit,
		CloseTimeout: o.closeTimeout, KeepAlive: o.keepAlive,
	}
	if o.callbacks {
		opts.OnPingReceived = func(context.Context, []byte) bool { return true }
		opts.OnPongReceived = func(context.Context, []byte) {}
	}
	if o.handler {
		websocket.Handler(opts, func(_ context.Context, c *websocket.Conn) {
			conns <- c
			<-p.release
		}).ServeHTTP(w, r)
		return
	}
	c, err := websocket.Accept(w, r, opts)
	if err != nil {
		return
	}
	conns <- c
	if id%2 == 0 {
		<-p.release
	}
}

// handshake makes both Conns of a pair.
func (s *server) handshake(p *pair) error {
	conns := make(chan *websocket.Conn, 1)
	s.mu.Lock()
	s.last++
	p.id = s.last
	s.pairs[p.id], s.conns[p.id] = p, conns
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.pairs, p.id)
		delete(s.conns, p.id)
		s.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	select {
	case s.accepted <- p.server.near:
	case <-ctx.Done():
		return ctx.Err()
	}
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return p.client.near, nil }}
	defer transport.CloseIdleConnections()
	o := p.client.options
	opts := &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, CompressionMode: o.compression, CompressionThreshold: o.threshold,
		QueueLimit: o.queueLimit, CloseTimeout: o.closeTimeout, KeepAlive: o.keepAlive,
	}
	if o.callbacks {
		opts.OnPingReceived = func(context.Context, []byte) bool { return true }
		opts.OnPongReceived = func(context.Context, []byte) {}
	}
	c, _, err := websocket.Dial(ctx, fmt.Sprintf("ws://storm/%d", p.id), opts)
	if err != nil {
		return fmt.Errorf("dialling: %w", err)
	}
	p.client.conn = c
	select {
	case p.server.conn = <-conns:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("Accept: %w", ctx.Err())
	}
}
