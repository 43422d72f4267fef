package websocket

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

var overStreams = flag.Bool("streams", false, "run the tests of connections over streams that are no net.Conn, instead of TLS and TCP")

// notOverStreams skips a test about deadlines, addresses or memory that a stream has not, or about which byte of a write is the first.
func notOverStreams(t *testing.T) {
	if *overStreams {
		t.Skip("it is about what a net.Conn has")
	}
}

// pipes is a stream that is no net.Conn.
type pipes struct {
	*io.PipeReader
	*io.PipeWriter
}

func (p pipes) Close() error {
	p.PipeReader.Close()
	return p.PipeWriter.Close()
}

// bareStream hides that a stream is a net.Conn.
type bareStream struct{ io.ReadWriteCloser }

// namedStream is a stream with addresses and halves.
type namedStream struct {
	io.ReadWriteCloser
	*memconn.Conn
}

func (s namedStream) Read(p []byte) (int, error)  { return s.Conn.Read(p) }
func (s namedStream) Write(p []byte) (int, error) { return s.Conn.Write(p) }
func (s namedStream) Close() error                { return s.Conn.Close() }
func (s namedStream) SetDeadline()                {} // no net.Conn

// streamPairs are the kinds of streams that tests go through.
var streamPairs = map[string]func(t *testing.T) (a, b io.ReadWriteCloser){
	"net.Pipe": func(*testing.T) (a, b io.ReadWriteCloser) { return pairOf(net.Pipe()) },
	"memconn":  func(*testing.T) (a, b io.ReadWriteCloser) { return pairOf(memconn.Pipe(100)) },
	"io.Pipe": func(*testing.T) (a, b io.ReadWriteCloser) {
		r1, w1 := io.Pipe()
		r2, w2 := io.Pipe()
		return pipes{r1, w2}, pipes{r2, w1}
	},
	"with addresses": func(*testing.T) (a, b io.ReadWriteCloser) {
		x, y := memconn.Pipe(100)
		return namedStream{Conn: x}, namedStream{Conn: y}
	},
}

func pairOf[T io.ReadWriteCloser](a, b T) (io.ReadWriteCloser, io.ReadWriteCloser) { return a, b }

// bothEnds makes a client and a server of a pair.
func bothEnds(t *testing.T, pair func(*testing.T) (a, b io.ReadWriteCloser)) (client, server *Conn) {
	t.Helper()
	a, b := pair(t)
	client, err := NewConn(a, &ConnOptions{Client: true, Subprotocol: "chat"})
	if err != nil {
		t.Fatal(err)
	}
	server, err = NewConn(b, &ConnOptions{Subprotocol: "chat"})
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}

// TestNewConn: on every kind of stream messages go both ways, a call whose context ends leaves the connection alone, a dead
// peer is found, and both ends learn the reason, whichever closes.
func TestNewConn(t *testing.T) {
	for name, pair := range streamPairs {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := bothEnds(t, pair)
				defer client.CloseNow()
				defer server.CloseNow()
				for _, ends := range [][2]*Conn{{client, server}, {server, client}} {
					from, to := ends[0], ends[1]
					short, cancel := context.WithTimeout(bg, time.Second)
					if _, _, err := to.Read(short); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("Read: %v", err)
					}
					cancel()
					text := strings.Repeat("x", 100_000)
					wrote := start(func() error { return from.Write(bg, MessageText, []byte(text)) })
					if _, p, err := to.Read(bg); err != nil || string(p) != text {
						t.Errorf("Read: %d bytes, %v", len(p), err)
					}
					if err := <-wrote; err != nil {
						t.Error(err)
					}
					if err := from.Ping(bg); err != nil {
						t.Error(err)
					}
					if to.Subprotocol() != "chat" || to.LocalAddr() == nil || to.RemoteAddr() == nil {
						t.Errorf("%q, %v, %v", to.Subprotocol(), to.LocalAddr(), to.RemoteAddr())
					}
				}
			})
			for _, closer := range []string{"client", "server"} {
				synctest.Test(t, func(t *testing.T) {
					us, peer := bothEnds(t, pair)
					if closer == "server" {
						us, peer = peer, us
					}
					if err := us.Close(4000, "enough"); err != nil {
						t.Errorf("the %s's Close: %v", closer, err)
					}
					if _, _, err := peer.Read(bg); CloseStatus(err) != 4000 {
						t.Errorf("the other's Read: %v", err)
					}
					<-peer.Context().Done()
					<-us.Context().Done()
				})
			}
		})
	}
}

// TestNewConnAddresses: a stream's own addresses are used, and its CloseWrite.
func TestNewConnAddresses(t *testing.T) {
	a, b := memconn.Pipe(100)
	c, err := NewConn(namedStream{Conn: a}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	defer b.Close()
	if c.LocalAddr() != a.LocalAddr() || c.RemoteAddr() != a.RemoteAddr() {
		t.Errorf("%v and %v", c.LocalAddr(), c.RemoteAddr())
	}
}

// earlyFrames are some messages with control frames between them, as a peer sends them.
func earlyFrames(p *wiretest.Peer, text string) []byte {
	return p.Encode(wiretest.Text("one"), wiretest.Ping("a"), wiretest.Text(text).More(), wiretest.Ping("b"), wiretest.Continuation("!"), wiretest.Close(1001, "bye"))
}

// TestNewConnEarly: it makes no difference which of the bytes came early.
func TestNewConnEarly(t *testing.T) {
	for _, role := range []wiretest.Role{wiretest.Client, wiretest.Server} {
		for _, text := range []string{"two", strings.Repeat("x", 70_000)} {
			step := 1
			if len(text) > 1000 {
				step = 7919
			}
			a, b := memconn.Pipe(100)
			wire := earlyFrames(wiretest.NewPeer(t, a, role), text)
			a.Close()
			b.Close()
			for at := 0; at <= len(wire); at += step {
				synctest.Test(t, func(t *testing.T) {
					ours, theirs := memconn.Pipe(1 << 10)
					p := wiretest.NewPeer(t, theirs, role)
					early := append([]byte(nil), wire[:at]...)
					c, err := NewConn(bareStream{ours}, &ConnOptions{Client: role == wiretest.Server, Early: early})
					if err != nil {
						t.Fatal(err)
					}
					clear(early) // they were copied
					go theirs.Write(wire[at:])
					go io.Copy(io.Discard, theirs)
					for _, want := range []string{"one", text + "!"} {
						if _, got, err := c.Read(bg); err != nil || string(got) != want {
							t.Fatalf("%d early bytes: %.20q of %d bytes, %v", at, got, len(got), err)
						}
					}
					if _, _, err := c.Read(bg); CloseStatus(err) != 1001 {
						t.Errorf("%d early bytes: %v", at, err)
					}
					if n := c.Stats().Read.WireBytes; n != int64(len(wire)) {
						t.Errorf("%d early bytes: %d were read, want %d", at, n, len(wire))
					}
					c.CloseNow()
					p.Close()
				})
			}
		}
	}
}

// TestNewConnEarlyBad: early bytes that break the protocol are answered as others are, without a Read of the application's.
func TestNewConnEarlyBad(t *testing.T) {
	for _, client := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := memconn.Pipe(1 << 10)
			role := wiretest.Client
			if client {
				role = wiretest.Server
			}
			c, err := NewConn(bareStream{ours}, &ConnOptions{Client: client, Early: []byte("HTTP/1.1 200 OK\r\n\r\n")})
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseNow()
			p := wiretest.NewPeer(t, theirs, role)
			p.WantClose("bytes that are no frame are answered by Close", 1002)
			<-c.Context().Done()
			var broken ProtocolError
			if _, _, err := c.Read(bg); !errors.As(err, &broken) {
				t.Errorf("Read: %v", err)
			}
			p.Close()
		})
	}
}

// TestNewConnRefuses: options that can't be are refused with an error that names them, and the stream is untouched.
func TestNewConnRefuses(t *testing.T) {
	const answer = "permessage-deflate; client_max_window_bits=10"
	for says, opts := range map[string]*ConnOptions{
		"only permessage-deflate is":   {Extensions: "x-webkit-deflate-frame"},
		"where":                        {Extensions: "permessage-deflate; =1"},
		"unknown":                      {Extensions: "permessage-deflate; unknown"},
		"has permessage-deflate twice": {Extensions: "permessage-deflate, permessage-deflate"},
		"8 to 15":                      {Extensions: "permessage-deflate; server_max_window_bits=16"},
		"repeated":                     {Extensions: "permessage-deflate; server_no_context_takeover; server_no_context_takeover"},
		"64 KiB":                       {Extensions: "permessage-deflate" + strings.Repeat(" ", 70_000)},
		"which was not offered":        {Client: true, Extensions: answer, Offered: "permessage-deflate"},
		"deflate, which was not":       {Client: true, Extensions: answer, Offered: "x-other"},
		"though 9 was offered":         {Client: true, Extensions: answer, Offered: "permessage-deflate; client_max_window_bits=9"},
		"no server_no_context_take":    {Client: true, Extensions: "permessage-deflate", Offered: "permessage-deflate; server_no_context_takeover"},
		"malformed":                    {Client: true, Extensions: answer, Offered: "="},
		"offer of more than 64":        {Client: true, Extensions: answer, Offered: "permessage-deflate" + strings.Repeat(" ", 70_000)},
		"has 16 bits":                  {Extensions: "permessage-deflate", CompressionTuning: CompressionTuning{ServerWindowBits: 16}},
		"Effort is 4":                  {Extensions: "permessage-deflate", CompressionTuning: CompressionTuning{Effort: 4}},
	} {
		a, b := memconn.Pipe(100)
		c, err := NewConn(a, opts)
		if c != nil || err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, %v; want an error that says %q", c, err, says)
		}
		if _, err := a.Write([]byte("untouched")); err != nil {
			t.Errorf("%s: %v", says, err)
		}
		a.Close()
		b.Close()
	}
	if _, err := NewConn(nil, nil); err == nil {
		t.Error("no stream is a connection")
	}
	for _, client := range []bool{false, true} { // calls would wait for TLS's handshake, and one that gives up would break it
		x, y := memconn.Pipe(100)
		early := tls.Server(x, &tls.Config{})
		if client {
			early = tls.Client(x, &tls.Config{InsecureSkipVerify: true})
		}
		if c, err := NewConn(early, &ConnOptions{Client: client}); c != nil || err == nil || !strings.Contains(err.Error(), "TLS") {
			t.Errorf("client %v: before the handshake of TLS: %v, %v", client, c, err)
		}
		x.Close()
		y.Close()
	}
	// A choice of offers: the answer is to the second.
	a, b := memconn.Pipe(100)
	defer b.Close()
	c, err := NewConn(a, &ConnOptions{Client: true, Extensions: answer, Offered: "x-other, permessage-deflate; client_max_window_bits=9, permessage-deflate; client_max_window_bits"})
	if err != nil {
		t.Fatal(err)
	}
	c.CloseNow()
}

// TestNewConnDeadline: the deadline of the handshake does not end the connection.
func TestNewConnDeadline(t *testing.T) {
	for _, pair := range []func() (a, b net.Conn){func() (a, b net.Conn) { return tcpPair(t) }, net.Pipe} {
		a, b := pair()
		defer b.Close()
		a.SetDeadline(time.Now())
		c, err := NewConn(a, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		p := wiretest.NewPeer(t, b, wiretest.Client)
		p.SendText("still here")
		if _, got, err := c.Read(bg); err != nil || string(got) != "still here" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// A badStream does what a stream should not.
type badStream struct {
	io.ReadWriteCloser
	read  func([]byte) (int, error)
	write func([]byte) (int, error)
	close func() error
}

func (s badStream) Read(p []byte) (int, error) {
	if s.read != nil {
		return s.read(p)
	}
	return s.ReadWriteCloser.Read(p)
}

func (s badStream) Write(p []byte) (int, error) {
	if s.write != nil {
		return s.write(p)
	}
	return s.ReadWriteCloser.Write(p)
}

func (s badStream) Close() error {
	if s.close != nil {
		return s.close()
	}
	return s.ReadWriteCloser.Close()
}

// TestNewConnBadStream: a stream that breaks io's rules ends the connection with an error that says what it did.
func TestNewConnBadStream(t *testing.T) {
	broken := errors.New("broken stream")
	for name, tt := range map[string]struct {
		bad  badStream
		want error
	}{
		"Read returns nothing":   {badStream{read: func(p []byte) (int, error) { return 0, nil }}, io.ErrNoProgress},
		"Write takes less":       {badStream{write: func(p []byte) (int, error) { return len(p) / 2, nil }}, io.ErrShortWrite},
		"Write fails":            {badStream{write: func(p []byte) (int, error) { return 0, broken }}, broken},
		"Read fails":             {badStream{read: func(p []byte) (int, error) { return 0, broken }}, broken},
		"Read ends with a frame": {badStream{read: func(p []byte) (int, error) { return copy(p, "\x81\x82\x00\x00\x00\x00"), io.EOF }}, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := memconn.Pipe(100)
				defer b.Close()
				tt.bad.ReadWriteCloser = a
				c, err := NewConn(tt.bad, nil)
				if err != nil {
					t.Fatal(err)
				}
				c.Write(bg, MessageText, []byte("hello"))
				if _, _, err := c.Read(bg); !errors.Is(err, tt.want) {
					t.Errorf("Read: %v, want %v", err, tt.want)
				}
				<-c.Context().Done()
				c.CloseNow()
			})
		})
	}
}

// TestNewConnDeafClose: a Close that frees nobody, and never returns, keeps nobody waiting.
func TestNewConnDeafClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		stay := func([]byte) (int, error) { <-never; return 0, net.ErrClosed }
		c, err := NewConn(badStream{read: stay, write: stay, close: func() error { <-never; return nil }}, nil)
		if err != nil {
			t.Fatal(err)
		}
		read := start(func() error { _, _, err := c.Read(bg); return err })
		wrote := start(func() error { return c.Write(bg, MessageText, make([]byte, 1<<20)) })
		synctest.Wait()
		began := time.Now()
		if err := c.Close(StatusNormalClosure, ""); err == nil {
			t.Error("Close succeeded")
		}
		for _, call := range []<-chan error{read, wrote} {
			if err := <-call; !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
		if took := time.Since(began); took > 7*time.Second {
			t.Errorf("it took %v", took)
		}
		close(never)
	})
}

// TestUnusedTuning: without compression nobody looks at how it is tuned, as in Accept and Dial.
func TestUnusedTuning(t *testing.T) {
	a, b := memconn.Pipe(100)
	defer b.Close()
	c, err := NewConn(a, &ConnOptions{CompressionTuning: CompressionTuning{Effort: 9}})
	if err != nil {
		t.Fatal(err)
	}
	c.CloseNow()
}
