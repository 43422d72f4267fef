package http3_test

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	ws3 "github.com/closeonce/websocket/http3"
	"github.com/closeonce/websocket/internal/proof/hostile/attacks"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

const (
	hostileWindow = 64 << 10 // of a stream, for what its peer sends
	narrowWindow  = 16 << 10 // what an attacker gives a stream
)

// road is how hostile peers come over HTTP/3. quic-go lets a peer send 512 KiB to a stream that nobody reads, and up to 6 MiB to one
// that was read fast before, if it is not told otherwise; and all streams of a connection 768 KiB to 15 MiB together. An attacker
// fills that, so the endpoint under attack has a smaller window.
var road = &attacks.Road{
	Holds: hostileHolds, ClientHolds: hostileHolds,
	Handler: ws3.Handler,
	Serve: func(h http.Handler) (string, error) {
		addr, _, err := serveHostile(h, hostileWindow)
		return addr, err
	},
	Dial: func(ctx context.Context, url string, opts *websocket.DialOptions) (*websocket.Conn, *http.Response, error) {
		opts.HTTPClient = nil
		return victim.Dial(ctx, url, opts)
	},
	Attack: attackHTTP3,
	Lure:   lureHTTP3,
}

// hostileHolds is what a stream may cost besides the connection's bound: its window, of which quic-go keeps each packet's part in a
// buffer of 1,452 bytes, and packets may be half full; a chunk that streamconn reads and one that it writes, 16 KiB each; and what
// quic-go has for a stream and a request.
const hostileHolds = 2*hostileWindow + 2*16<<10 + 16<<10

// victim dials servers whose certificate it does not know.
var victim = &ws3.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, QUICConfig: hostileQUIC(hostileWindow)}

// hostileQUIC has windows of fixed size. That of the connection has room for all streams: one that nobody reads must not stall others.
func hostileQUIC(window uint64) *quic.Config {
	return &quic.Config{
		InitialStreamReceiveWindow: window, MaxStreamReceiveWindow: window,
		InitialConnectionReceiveWindow: 16 << 20, MaxConnectionReceiveWindow: 16 << 20, KeepAlivePeriod: 10 * time.Second,
	}
}

// serveHostile starts a server with a window for each stream.
func serveHostile(h http.Handler, window uint64) (addr string, stop func(), err error) {
	pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return "", nil, err
	}
	tlsConfig, _ := certificate()
	server := &http3.Server{TLSConfig: tlsConfig, QUICConfig: hostileQUIC(window), Handler: h}
	go server.Serve(pc)
	return pc.LocalAddr().String(), func() { server.Close(); pc.Close() }, nil
}

// An attackerStream is a stream of quic-go's, which knows no addresses. Nothing of the library is in it.
type attackerStream struct {
	deadlineStream
	net.Conn // nil: addresses
}

// A deadlineStream is an *http3.Stream or an *http3.RequestStream.
type deadlineStream interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	Close() error
	CancelRead(quic.StreamErrorCode)
	CancelWrite(quic.StreamErrorCode)
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	SetDeadline(time.Time) error
}

func (s attackerStream) Read(p []byte) (int, error)    { return s.deadlineStream.Read(p) }
func (s attackerStream) Write(p []byte) (int, error)   { return s.deadlineStream.Write(p) }
func (s attackerStream) SetDeadline(t time.Time) error { return s.deadlineStream.SetDeadline(t) }
func (s attackerStream) SetReadDeadline(t time.Time) error {
	return s.deadlineStream.SetReadDeadline(t)
}
func (s attackerStream) SetWriteDeadline(t time.Time) error {
	return s.deadlineStream.SetWriteDeadline(t)
}

// Close resets both directions, as one who hangs up.
func (s attackerStream) Close() error {
	s.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	s.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	return nil
}

func attackHTTP3(addr string) (attacks.Attackers, error) {
	ctx, cancel := context.WithTimeout(bg, 20*time.Second)
	defer cancel()
	q, err := quic.DialAddr(ctx, addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}}, hostileQUIC(narrowWindow))
	if err != nil {
		return attacks.Attackers{}, err
	}
	conn := (&http3.Transport{DisableCompression: true}).NewClientConn(q)
	return attacks.Attackers{Close: func() { q.CloseWithError(0, "") }, Open: func(path, extensions string) (net.Conn, error) {
		str, err := conn.OpenRequestStream(bg)
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequest(http.MethodConnect, "https://"+addr+path, nil)
		if err != nil {
			return nil, err
		}
		req.Proto = "websocket"
		req.Header.Set("Sec-WebSocket-Version", "13")
		if extensions != "" {
			req.Header.Set("Sec-WebSocket-Extensions", extensions)
		}
		if err := str.SendRequestHeader(req); err != nil {
			return nil, err
		}
		resp, err := str.ReadResponse()
		if err == nil && resp.StatusCode != http.StatusOK {
			err = errors.New(resp.Status)
		}
		return attackerStream{deadlineStream: str}, err
	}}, nil
}

func lureHTTP3(extensions string) (attacks.Trap, error) {
	opened := make(chan net.Conn)
	addr, stop, err := serveHostile(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if extensions != "" && r.Header.Get("Sec-WebSocket-Extensions") != "" {
			w.Header().Set("Sec-WebSocket-Extensions", extensions)
		}
		w.WriteHeader(http.StatusOK)
		if str, err := w.(http3.HTTPStreamer).HTTPStream(); err == nil {
			opened <- attackerStream{deadlineStream: str}
		}
	}), narrowWindow)
	return attacks.Trap{URL: "wss://" + addr + "/", Close: stop, Accept: func() (net.Conn, error) {
		select {
		case c := <-opened:
			return c, nil
		case <-time.After(20 * time.Second):
			return nil, errors.New("the client does not dial")
		}
	}}, err
}

func TestMain(m *testing.M) {
	if attacks.Subject(road) {
		return
	}
	flag.Set("test.parallel", "4") // attacks wait more than they compute
	os.Exit(m.Run())
}

// TestHostile carries out the attacks of internal/proof/hostile that are made of frames over HTTP/3. The attackers' streams and an
// honest peer's are on one QUIC connection.
func TestHostile(t *testing.T) { attacks.Over(t, road) }
