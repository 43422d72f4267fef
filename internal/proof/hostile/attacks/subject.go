package attacks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/closeonce/websocket"
)

// settings say what the endpoint under attack is like. Times count in units.
type settings struct {
	App                            string
	Compression                    websocket.CompressionMode
	ReadLimit                      int64
	QueueLimit                     int
	Subprotocols                   []string
	SmallSockets                   bool // the kernel buffers little, so that writes block soon
	ReadHeaderTimeout, IdleTimeout time.Duration
	Notice                         time.Duration // a KeepAlive in true seconds, after which a peer that is gone is noticed
	KeepAlive, CloseTimeout        time.Duration
	ReadTimeout, WriteTimeout      time.Duration // the application's own
	MaxResponseHeaderBytes         int64         // of a client's transport
	HandshakeTimeout               time.Duration // of a client
}

// The limits of most attacks: so small that the bound means something.
const (
	readLimit  = 32 << 10
	queueLimit = 64 << 10
	readAhead  = 64 << 10
)

// bound is what a connection may cost: a message, what was read ahead of the
// application, what waits to be written, and a little; and what was agreed on to
// keep between messages, a window in each direction.
func (s settings) bound() int {
	n := max(readLimit, int(s.readLimit())) + readAhead + s.queueLimit() + 16<<10
	if s.Compression == websocket.CompressionContextTakeover {
		n += 2 * 32 << 10
	}
	return n
}

// borrowed is what a connection borrows while it reads or writes, 32 KiB at most for each. Few attackers may all do so when they are
// looked at; of many, few do.
const borrowed = 2 * 32 << 10

func (s settings) readLimit() int64 {
	if s.ReadLimit != 0 {
		return s.ReadLimit
	}
	return readLimit
}

func (s settings) queueLimit() int {
	if s.QueueLimit != 0 {
		return s.QueueLimit
	}
	return queueLimit
}

// scaled counts times in units instead of seconds.
func (s settings) scaled(unit time.Duration) settings {
	for _, d := range []*time.Duration{&s.ReadHeaderTimeout, &s.IdleTimeout, &s.KeepAlive, &s.CloseTimeout, &s.ReadTimeout, &s.WriteTimeout, &s.HandshakeTimeout} {
		*d = time.Duration(d.Seconds() * float64(unit))
	}
	if s.Notice > 0 {
		s.KeepAlive = s.Notice
	}
	return s
}

// over are the settings for an attack over a road.
func (s settings) over(a Attack) settings {
	if a.queue > 0 {
		s.QueueLimit = a.queue
	}
	if a.ends != "" && s.KeepAlive > 0 { // on a slow machine an attacker must not pass for a silent one
		s.Notice = notice
	}
	return s
}

// notice is a time after which a peer that is gone is noticed, and one that is slow is not.
const notice = 2 * time.Second

// endpoint is what runs in the process under attack.
type endpoint struct {
	road     *Road // nil: HTTP/1.1
	settings settings
	peaks    peaks

	mu     sync.Mutex
	errs   []error // of clients: an application may keep them
	counts map[string]int
	grew   *sync.Cond
}

// beSubject obeys orders until there are no more.
func beSubject(road *Road) {
	e := &endpoint{road: road, counts: map[string]int{}}
	e.grew = sync.NewCond(&e.mu)
	go e.peaks.watch()
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var o order
		if in.Decode(&o) != nil {
			return
		}
		r, err := e.obey(o)
		if err != nil {
			r.Err = err.Error()
		}
		out.Encode(r)
	}
}

func (e *endpoint) obey(o order) (r reply, err error) {
	switch o.Do {
	case "serve":
		e.settings = o.Settings
		r.Addr, err = e.serve()
	case "dial":
		s := e.settings
		if o.Honest {
			s = settings{App: "echo"}
		}
		for range o.Count {
			go e.dial(o.URL, s)
		}
	case "begin":
		r.Sample = e.peaks.begin()
	case "steady":
		r.Sample, r.Last = steady(o.Within)
		e.peaks.see(r.Sample)
	case "peaks":
		r.Sample = e.peaks.end()
	case "quiet":
		r.Sample = quiet(o.Count, o.Within)
	case "await":
		err = e.await(o.Counter, o.Count, o.Within)
	case "counts":
		r.Counts = e.counted()
	default:
		err = fmt.Errorf("nobody knows how to %s", o.Do)
	}
	return r, err
}

func (e *endpoint) count(what string) {
	e.mu.Lock()
	e.counts[what]++
	e.grew.Broadcast()
	e.mu.Unlock()
}

func (e *endpoint) counted() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	counts := map[string]int{}
	for name, n := range e.counts {
		counts[name] = n
	}
	return counts
}

func (e *endpoint) await(what string, n int, within time.Duration) error {
	late := false
	timer := time.AfterFunc(within, func() {
		e.mu.Lock()
		late = true
		e.grew.Broadcast()
		e.mu.Unlock()
	})
	defer timer.Stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	for e.counts[what] < n && !late {
		e.grew.Wait()
	}
	if e.counts[what] < n {
		return fmt.Errorf("the application has counted %d %s, not %d", e.counts[what], what, n)
	}
	return nil
}

// serve starts a server.
func (e *endpoint) serve() (addr string, err error) {
	handler := websocket.Handler
	if e.road != nil {
		handler = e.road.Handler
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c := &connection{endpoint: e, app: e.settings.App}
		opts := &websocket.AcceptOptions{
			Subprotocols:    e.settings.Subprotocols,
			CompressionMode: e.settings.Compression,
			ReadLimit:       e.settings.readLimit(),
			QueueLimit:      e.settings.queueLimit(),
			CloseTimeout:    e.settings.CloseTimeout,
			KeepAlive:       e.settings.KeepAlive,
		}
		if e.settings.App == "worst" {
			c.reading, c.giveUp = context.WithCancel(context.Background())
			opts.OnPingReceived = c.pinged
		}
		handler(opts, c.run).ServeHTTP(w, r)
	})
	honest := &connection{endpoint: e, app: "echo"}
	mux.Handle("/honest", handler(nil, honest.run))
	mux.HandleFunc("/admin", func(w http.ResponseWriter, r *http.Request) { e.count("admin") })
	if e.road != nil {
		return e.road.Serve(mux)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{
		Handler:           mux,
		ErrorLog:          log.New(io.Discard, "", 0),
		ReadHeaderTimeout: e.settings.ReadHeaderTimeout,
		IdleTimeout:       e.settings.IdleTimeout,
		ConnContext: func(ctx context.Context, nc net.Conn) context.Context {
			e.shrink(nc)
			return ctx
		},
	}
	go server.Serve(ln)
	return ln.Addr().String(), nil
}

// shrink makes the kernel buffer little of what is written.
func (e *endpoint) shrink(nc net.Conn) {
	if tcp, ok := nc.(*net.TCPConn); ok && e.settings.SmallSockets {
		tcp.SetWriteBuffer(smallSocket)
	}
}

const smallSocket = 16 << 10

// dial is one client under attack.
func (e *endpoint) dial(url string, s settings) {
	dial := websocket.Dial
	if e.road != nil {
		dial = e.road.Dial
	}
	transport := &http.Transport{MaxResponseHeaderBytes: s.MaxResponseHeaderBytes}
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil {
			e.shrink(nc)
		}
		return nc, err
	}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithCancel(context.Background())
	if s.HandshakeTimeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, s.HandshakeTimeout)
	}
	defer cancel()
	c, _, err := dial(ctx, url, &websocket.DialOptions{
		HTTPClient:      &http.Client{Transport: transport},
		CompressionMode: s.Compression,
		ReadLimit:       s.readLimit(),
		QueueLimit:      s.queueLimit(),
		CloseTimeout:    s.CloseTimeout,
		KeepAlive:       s.KeepAlive,
	})
	var failed *websocket.HandshakeError
	switch {
	case err == nil:
		(&connection{endpoint: e, app: s.App}).run(c.Context(), c)
		c.CloseNow()
	case errors.As(err, &failed):
		e.count("HandshakeError")
	case errors.Is(err, context.DeadlineExceeded):
		e.count("deadline exceeded")
	default:
		e.count("error")
	}
	if err != nil {
		e.mu.Lock()
		e.errs = append(e.errs, err)
		e.mu.Unlock()
		e.count("refused")
	}
}
