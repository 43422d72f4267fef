package moving

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// A behaviour is a small program. Its id stands in MIGRATING.md if the libraries differ in it.
type behaviour struct {
	id   string
	play func(p *play)
}

// A sight is something that a program saw.
type sight struct{ what, value string }

// A play is one run of a behaviour with one of the libraries, in a bubble of package synctest with a clock of its own.
type play struct {
	t    *testing.T
	lib  library
	seen []sight
	ends []func()
}

// varying are the behaviours in which chance decides what coder/websocket does: it waits for its lock and for the
// context in one select, and takes whichever comes.
var varying = map[string]bool{
	"read-cancelled-before": true, "write-cancelled-before": true, "ping-cancelled-before": true, "wsjson-cancelled": true,
	"close-after-cancelled-read": true, "read-peer-closed-kinds": true, "write-after-close": true, "writer-cancelled": true,
	"netconn-after-close": true, "netconn-read-deadline": true, "netconn-write-deadline": true,
	"read-cancelled-words": true, "netconn-context-idle": true,
	"reader-cancelled": true,
}

// run plays a behaviour, often if it varies, and returns what was seen.
func run(t *testing.T, b behaviour, lib library) (seen []sight) {
	seen = once(t, b, lib)
	if !varying[b.id] {
		return seen
	}
	values := make([][]string, len(seen))
	for range 40 {
		for i, s := range once(t, b, lib) {
			values[i] = append(values[i], s.value)
		}
	}
	for i := range seen {
		slices.Sort(values[i])
		seen[i].value = strings.Join(slices.Compact(values[i]), ", or ")
	}
	return seen
}

// once plays a behaviour.
func once(t *testing.T, b behaviour, lib library) (seen []sight) {
	program := func(t *testing.T) {
		p := &play{t: t, lib: lib}
		defer func() {
			for _, end := range slices.Backward(p.ends) {
				end()
			}
			seen = p.seen
		}()
		b.play(p)
	}
	t.Run(lib.name, func(t *testing.T) {
		synctest.Test(t, program)
	})
	return seen
}

// saw notes something.
func (p *play) saw(what string, value any) {
	p.seen = append(p.seen, sight{what, fmt.Sprint(value)})
}

// finally has f called at the end; what was asked for last comes first.
func (p *play) finally(f func()) { p.ends = append(p.ends, f) }

// settle waits until everybody waits.
func (p *play) settle() { synctest.Wait() }

// pass lets time go by.
func (p *play) pass(d time.Duration) {
	time.Sleep(d) // the bubble's
	synctest.Wait()
}

// took notes how long f takes, in full milliseconds.
func (p *play) took(what string, f func()) {
	began := time.Now()
	f()
	p.saw(what, time.Since(began).Round(time.Millisecond))
}

// forever is how long a call may take.
const forever = 2 * time.Minute

// try runs f, and says that it panics, or that it is still waiting after a long time.
func (p *play) try(f func() string) string {
	select {
	case s := <-p.begin(f):
		return s
	case <-time.After(forever):
		return "still waiting after minutes"
	}
}

// begin runs f in a goroutine of its own.
func (p *play) begin(f func() string) <-chan string {
	done := make(chan string, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- "panics"
			}
		}()
		done <- f()
	}()
	return done
}

// now returns what is in the channel when everybody waits.
func (p *play) now(done <-chan string) string {
	p.settle()
	select {
	case s := <-done:
		return s
	default:
		return "waiting"
	}
}

// err says of which kinds an error is. Its text is not looked at.
func (p *play) err(err error) string {
	if err == nil {
		return "nil"
	}
	var kinds []string
	for _, k := range []struct {
		name string
		err  error
	}{
		{"context.Canceled", context.Canceled}, {"context.DeadlineExceeded", context.DeadlineExceeded},
		{"net.ErrClosed", net.ErrClosed}, {"io.EOF", io.EOF}, {"io.ErrUnexpectedEOF", io.ErrUnexpectedEOF},
		{"os.ErrDeadlineExceeded", os.ErrDeadlineExceeded}, {"ErrMessageTooBig", p.lib.tooBig},
		{"http.ErrNotSupported", http.ErrNotSupported}, {"ECONNREFUSED", syscall.ECONNREFUSED}, {"ECONNRESET", syscall.ECONNRESET},
	} {
		if errors.Is(err, k.err) {
			kinds = append(kinds, k.name)
		}
	}
	if code, reason, ok := p.lib.closeError(err); ok {
		kinds = append(kinds, fmt.Sprintf("CloseError %d %q", code, reason))
	}
	var u *url.Error
	if errors.As(err, &u) {
		kinds = append(kinds, "*url.Error")
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		kinds = append(kinds, "*json.SyntaxError")
	}
	if len(kinds) == 0 {
		return "another error"
	}
	return strings.Join(kinds, ", ")
}

// words are what programs look for in the text of errors.
var words = []string{
	"failed to read frame header: EOF", "read limited at ", "received close frame", "status = Status",
	"expected handshake response status code 101 but got ", "use of closed network connection", "unexpected EOF",
	"context canceled", "context deadline exceeded", "message too big", "EOF",
}

// prefixes say which call failed.
var prefixes = []string{
	"failed to get reader", "failed to write msg", "failed to WebSocket dial", "failed to accept WebSocket connection", "failed to ping",
	"failed to wait for pong",
}

// words says which of the words an error's text has.
func (p *play) words(err error) string { return contained(err, words) }

func contained(err error, words []string) string {
	if err == nil {
		return "nil"
	}
	var found []string
	for _, w := range words {
		if strings.Contains(err.Error(), w) {
			found = append(found, fmt.Sprintf("%q", w))
		}
	}
	return strings.Join(found, ", ")
}

// key is what raw clients send, and accepted what belongs to it.
const key = wiretest.SampleKey

// request makes the text of a handshake's request. A change is a start line, a "Name: value" to put in the place of the
// field or to add, or a "-Name" to leave out.
func request(changes ...string) string {
	start := "GET /ws HTTP/1.1"
	fields := []string{"Host: example.com", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + key}
	for _, change := range changes {
		name, _, isField := strings.Cut(change, ": ")
		switch {
		case strings.HasPrefix(change, "+"):
			fields = append(fields, change[1:])
			continue
		case strings.HasPrefix(change, "-"):
			name = change[1:]
		case !isField:
			start = change
			continue
		}
		fields = slices.DeleteFunc(fields, func(f string) bool { return strings.HasPrefix(f, name+": ") })
		if isField {
			fields = append(fields, change)
		}
	}
	return start + "\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n"
}

// serve starts a server, and returns a raw connection to it.
func (p *play) serve(h http.Handler) *memconn.Conn {
	ln := memconn.Listen()
	server := &http.Server{
		Handler: h, ErrorLog: log.New(io.Discard, "", 0),
		ReadTimeout: 3 * time.Second, WriteTimeout: 3 * time.Second, IdleTimeout: 3 * time.Second, // for the request, as in programs
	}
	go server.Serve(ln)
	conn, err := ln.Dial(context.Background())
	if err != nil {
		p.t.Fatal(err)
	}
	p.finally(func() {
		conn.Close()
		server.Close()
	})
	return conn
}

// accepted is what came of a raw client's handshake.
type accepted struct {
	c        conn
	err      error
	peer     *peer
	status   int
	header   http.Header
	head     string // as it was on the wire
	body     string
	returned bool // Accept returned
}

// accept sends a request to a server that calls Accept, wrapped by what wrap returns.
func (p *play) accept(o *options, req string, wrap ...func(http.ResponseWriter) http.ResponseWriter) *accepted {
	a := &accepted{}
	over := make(chan struct{})
	conn := p.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, wrap := range wrap {
			w = wrap(w)
		}
		a.c, a.err = p.lib.accept(w, r, o)
		a.returned = true
		if a.c != nil {
			<-over
		}
	}))
	p.finally(func() {
		close(over)
		if a.c != nil {
			a.c.CloseNow()
		}
	})
	conn.Write([]byte(req))
	head, rest, err := readHead(conn)
	if err != nil {
		p.t.Fatalf("no answer: %v", err)
	}
	p.settle()
	a.head = head
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head)), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	a.status, a.header = resp.StatusCode, resp.Header
	if a.status == http.StatusSwitchingProtocols {
		a.peer = newPeer(conn, true, rest)
	} else {
		a.body = string(rest)
	}
	return a
}

// server returns the library's end of a connection, and a raw client.
func (p *play) server(o *options) (conn, *peer) {
	p.t.Helper()
	a := p.accept(o, request())
	if a.c == nil {
		p.t.Fatal(a.err)
	}
	return a.c, a.peer
}

// dialed is what came of a Dial to a raw server.
type dialed struct {
	c        conn
	resp     *http.Response
	err      error
	peer     *peer
	requests []string // their heads, as they were on the wire
}

// accepting is an answer that accepts a handshake, with more fields.
func accepting(r *http.Request, more ...string) string {
	fields := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Accept: " + wiretest.AcceptKey(r.Header.Get("Sec-WebSocket-Key"))}
	for _, change := range more {
		name, _, isField := strings.Cut(strings.TrimPrefix(change, "-"), ": ")
		fields = slices.DeleteFunc(fields, func(f string) bool { return strings.HasPrefix(f, name+": ") })
		if isField {
			fields = append(fields, change)
		}
	}
	return "HTTP/1.1 101 Switching Protocols\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n"
}

// dial calls Dial against a raw server. answer writes the answer to a request; "" ends the connection.
func (p *play) dial(ctx context.Context, u string, o *options, answer func(r *http.Request) string) *dialed {
	d := &dialed{}
	d.listen(p, o, answer)
	p.panicking(func() { d.c, d.resp, d.err = p.lib.dial(ctx, u, o) }, &d.err)
	p.settle()
	return d
}

var errPanics = errors.New("panics")

// panicking makes an error of a panic.
func (p *play) panicking(f func(), err *error) {
	defer func() {
		if recover() != nil {
			*err = errPanics
		}
	}()
	f()
}

// listen starts the raw server, to which o's client goes.
func (d *dialed) listen(p *play, o *options, answer func(r *http.Request) string) {
	ln := memconn.Listen()
	transport := &http.Transport{DialContext: ln.DialContext}
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{}
	}
	switch t := o.HTTPClient.Transport.(type) {
	case nil:
		o.HTTPClient.Transport = transport
	case *http.Transport:
		transport = t
		t.DialContext = ln.DialContext
	}
	var conns []*memconn.Conn
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			conn := nc.(*memconn.Conn)
			conns = append(conns, conn)
			go d.answer(conn, answer)
		}
	}()
	p.finally(func() {
		if d.c != nil {
			d.c.CloseNow()
		}
		ln.Close()
		for _, conn := range conns {
			conn.Close()
		}
		transport.CloseIdleConnections()
	})
}

// answer answers requests until one is a WebSocket.
func (d *dialed) answer(conn *memconn.Conn, answer func(r *http.Request) string) {
	for {
		head, early, err := readHead(conn)
		if err != nil {
			return
		}
		d.requests = append(d.requests, head)
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader([]byte(head))))
		if err != nil {
			conn.Close()
			return
		}
		resp := answer(r)
		if resp == "" {
			conn.Close()
			return
		}
		conn.Write([]byte(resp))
		if strings.HasPrefix(resp, "HTTP/1.1 101 ") {
			d.peer = newPeer(conn, false, early)
			return
		}
	}
}

// client returns the library's end of a connection, and a raw server.
func (p *play) client(o *options) (conn, *peer) {
	p.t.Helper()
	if o == nil {
		o = &options{}
	}
	d := p.dial(context.Background(), "ws://example.com/ws", o, func(r *http.Request) string { return accepting(r) })
	if d.c == nil {
		p.t.Fatal(d.err)
	}
	return d.c, d.peer
}

// read reads a message and says what came.
func (p *play) read(ctx context.Context, c conn) string {
	return p.try(func() string {
		typ, b, err := c.Read(ctx)
		if err != nil {
			return p.err(err)
		}
		return fmt.Sprintf("%s %s", p.lib.typeName(typ), short(b))
	})
}

// short quotes bytes, or tells how many there are.
func short(b []byte) string {
	if len(b) > 60 {
		return fmt.Sprintf("%d bytes", len(b))
	}
	return fmt.Sprintf("%q", b)
}

// write writes a text message and says how it went.
func (p *play) write(ctx context.Context, c conn, s string) string {
	return p.try(func() string { return p.err(c.Write(ctx, text, []byte(s))) })
}

// close closes with 1000 and says how it went.
func (p *play) close(c conn) string {
	return p.try(func() string { return p.err(c.Close(1000, "done")) })
}

// alive asks whether the peer can still talk to the application.
func (p *play) alive(c conn, other *peer) string {
	other.send(wiretest.Text("still there?"))
	if p.read(context.Background(), c) == `MessageText "still there?"` {
		return "alive"
	}
	return "ended"
}

// cancelled is a context that is done.
func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

var background = context.Background()
