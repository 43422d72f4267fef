package wiretest_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestPeer shows how to use a peer. It connects two peers, so that both roles can be seen. A test of the library gives
// one end of the pipe to the library instead.
func TestPeer(t *testing.T) {
	// In a synctest bubble the clock is fake: an hour of silence takes no time.
	synctest.Test(t, func(t *testing.T) {
		clientConn, serverConn := memconn.Pipe(0)
		client := wiretest.NewPeer(t, clientConn, wiretest.Client)
		server := wiretest.NewPeer(t, serverConn, wiretest.Server)

		// Both sides of a handshake must run at the same time. Frames can also be sent without a handshake.
		go client.ClientHandshake("/chat", http.Header{"Sec-WebSocket-Protocol": {"soap"}})
		request := server.ServeHandshake(http.Header{"Sec-WebSocket-Protocol": {"soap"}})
		if request.URL.Path != "/chat" || request.Host != "example.com" {
			t.Errorf("the request is for %v on %q", request.URL, request.Host)
		}
		synctest.Wait() // the client has read the response

		// The first argument of every Want is the sentence that it asserts.
		client.SendText("hello")
		server.WantText("a client's text arrives", "hello")
		server.SendBinary("\x00\xff")
		client.WantBinary("a server's bytes arrive", "\x00\xff")

		// A client masks, a server does not. A test may choose the masking key.
		client.Send(wiretest.Frame{FIN: true, Opcode: wiretest.OpText, Payload: []byte("Hello"), Key: [4]byte{1, 2, 3, 4}})
		if f := server.ReadFrame("a frame can be looked at"); !f.Masked || f.Key != [4]byte{1, 2, 3, 4} {
			t.Errorf("masked %t with %v, want the chosen key", f.Masked, f.Key)
		}

		// A message in three fragments, with a ping in its middle, frame by frame.
		client.Send(wiretest.Text("one ").More())
		client.Send(wiretest.Continuation("two ").More())
		client.SendPing("between")
		client.Send(wiretest.Continuation("three"))
		server.WantFrame("the first fragment has no FIN", wiretest.Text("one ").More())
		server.WantFrame("nor has the second", wiretest.Continuation("two ").More())
		server.WantFrame("a ping may come between fragments", wiretest.Ping("between"))
		server.WantFrame("the last has FIN", wiretest.Continuation("three"))

		// The same message, where the fragments do not matter. Encode returns the bytes for SendRaw and SendPieces.
		bytes := client.Encode(wiretest.Text("one ").More(), wiretest.Continuation("two"))
		client.SendPieces(bytes, 1, synctest.Wait)
		if n := server.WantMessage("fragments make up a message", wiretest.OpText, "one two"); n != 2 {
			t.Errorf("%d fragments, want 2", n)
		}

		// A test can also assert that nothing is sent.
		server.WantIdle("a ping is answered only by those who want to", time.Hour)
		server.SendPong("between")
		client.WantPong("a pong carries the payload of the ping", "between")

		// The close handshake.
		client.SendClose(1000, "bye")
		if reason := server.WantClose("a Close frame arrives", 1000); reason != "bye" {
			t.Errorf("reason %q, want %q", reason, "bye")
		}
		server.Send(wiretest.EmptyClose())
		server.Close()
		client.WantClosed("a Close frame without a code counts as 1005, and then the stream ends", 1005)
		server.Conn.Close()
	})
}

// TestPeerOnTCP uses real connections, whose deadlines end the waiting.
func TestPeerOnTCP(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	clientConn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	serverConn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	client := wiretest.NewPeer(t, clientConn, wiretest.Client)
	server := wiretest.NewPeer(t, serverConn, wiretest.Server)
	server.WantIdle("nothing was sent", time.Millisecond)
	client.SendText("hello")
	server.WantText("an expired deadline does no harm", "hello")
	client.SendText("nobody reads this")
	client.Close()
	server.WantText("somebody does", "nobody reads this")
	server.WantGone("the client has gone")
}

func TestFramesOfTheRFC(t *testing.T) {
	for _, tt := range []struct {
		name  string
		frame wiretest.Frame
		wire  string
	}{
		{"rfc6455_5.7_unmasked_hello", wiretest.Text("Hello"), "\x81\x05Hello"},
		{"rfc6455_5.7_masked_hello", wiretest.Frame{FIN: true, Opcode: wiretest.OpText, Payload: []byte("Hello"),
			Masked: true, Key: [4]byte{0x37, 0xfa, 0x21, 0x3d}}, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"},
		{"rfc6455_5.7_first_fragment", wiretest.Text("Hel").More(), "\x01\x03Hel"},
		{"rfc6455_5.7_last_fragment", wiretest.Continuation("lo"), "\x80\x02lo"},
		{"rfc6455_5.7_ping", wiretest.Ping("Hello"), "\x89\x05Hello"},
		{"rfc6455_5.7_pong_without_mask", wiretest.Pong("Hello"), "\x8a\x05Hello"},
		{"rfc6455_5.7_256_bytes", wiretest.Binary(string(make([]byte, 256))), "\x82\x7e\x01\x00" + string(make([]byte, 256))},
		{"rfc6455_5.7_64_KiB", wiretest.Binary(string(make([]byte, 65536))), "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + string(make([]byte, 65536))},
		{"rfc7692_7.2.3.1_compressed_hello", wiretest.Text("\xf2\x48\xcd\xc9\xc9\x07\x00").Compressed(), "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"},
		{"close with a code", wiretest.Close(1002, "no"), "\x88\x04\x03\xeano"},
		{"forced 7+16 bits", wiretest.Frame{FIN: true, Opcode: 2, Payload: []byte("x"), LengthForm: 16}, "\x82\x7e\x00\x01x"},
		{"forced 7+64 bits", wiretest.Frame{FIN: true, Opcode: 2, Payload: []byte("x"), LengthForm: 64}, "\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x01x"},
		{"lying length", wiretest.Frame{FIN: true, Opcode: 2, Payload: []byte("x"), Length: 1 << 63}, "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00x"},
		{"every bit", wiretest.Frame{FIN: true, RSV1: true, RSV2: true, RSV3: true, Opcode: 0xF}, "\xff\x00"},
		{"each RSV bit has its place", wiretest.Frame{RSV2: true, Opcode: 3}, "\x23\x00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.frame.Append(nil); string(got) != tt.wire {
				t.Errorf("got  %x\nwant %x", got, tt.wire)
			}
			if tt.frame.LengthForm != 0 || tt.frame.Length != 0 || tt.frame.Opcode == 0xF {
				return // no peer takes these for legal
			}
			synctest.Test(t, func(t *testing.T) {
				a, b := memconn.Pipe(1 << 20)
				defer b.Close()
				role := wiretest.Client
				if tt.frame.Masked {
					role = wiretest.Server
				}
				p := wiretest.NewPeer(t, a, role)
				b.Write([]byte(tt.wire))
				p.WantFrame("the decoder reads what the encoder writes", tt.frame)
				p.WantIdle("and no more", time.Second)
			})
		})
	}
}

// TestFailuresAreSeen holds each Want against a stream for which it must fail, and reads what it says.
func TestFailuresAreSeen(t *testing.T) {
	frames := func(frames ...wiretest.Frame) (b []byte) {
		for _, f := range frames {
			b = f.Append(b)
		}
		return b
	}
	masked := wiretest.Text("hi")
	masked.Masked = true
	long := wiretest.Text("hi")
	long.LengthForm = 16
	const why = "the sentence"

	for _, tt := range []struct {
		name string
		wire []byte
		end  bool // the stream ends
		call func(p *wiretest.Peer)
		says string
	}{
		{"another payload", frames(wiretest.Text("ho")), false,
			func(p *wiretest.Peer) { p.WantText(why, "hi") }, "the sentence\n\twant text \"hi\"\n\tgot  text \"ho\""},
		{"another opcode", frames(wiretest.Binary("hi")), false,
			func(p *wiretest.Peer) { p.WantText(why, "hi") }, `got  binary "hi"`},
		{"a missing FIN", frames(wiretest.Text("hi").More()), false,
			func(p *wiretest.Peer) { p.WantText(why, "hi") }, `got  text "hi", no FIN`},
		{"an RSV bit", frames(wiretest.Text("hi").Compressed()), false,
			func(p *wiretest.Peer) { p.WantText(why, "hi") }, `got  text "hi", RSV1`},
		{"a masked frame from a server", frames(masked), false,
			func(p *wiretest.Peer) { p.WantText(why, "hi") }, "a server must not mask"},
		{"an unmasked frame from a client", frames(wiretest.Text("hi")), false,
			func(p *wiretest.Peer) { p.Role = wiretest.Server; p.WantText(why, "hi") }, "a client must mask"},
		{"a long length", frames(long), false,
			func(p *wiretest.Peer) { p.WantText(why, "hi") }, "not in the shortest form"},
		{"a fragmented ping", frames(wiretest.Ping("").More()), false,
			func(p *wiretest.Peer) { p.ReadFrame(why) }, "must not be fragmented"},
		{"a ping of 126 bytes", frames(wiretest.Ping(string(make([]byte, 126)))), false,
			func(p *wiretest.Peer) { p.ReadFrame(why) }, "at most 125 bytes"},
		{"a giant", frames(wiretest.Frame{FIN: true, Opcode: 2, Length: 1 << 63}), false,
			func(p *wiretest.Peer) { p.ReadFrame(why) }, "9223372036854775808 bytes"},
		{"silence", nil, false,
			func(p *wiretest.Peer) { p.WantText(why, "hi") }, "got  nothing more in time"},
		{"half a frame", []byte("\x81\x05He"), false,
			func(p *wiretest.Peer) { p.WantText(why, "Hello") }, "4 bytes that are no whole frame"},
		{"the end", nil, true,
			func(p *wiretest.Peer) { p.WantText(why, "hi") }, "got  the end of the stream"},
		{"a message cut by a ping", frames(wiretest.Text("h").More(), wiretest.Ping("")), false,
			func(p *wiretest.Peer) { p.WantMessage(why, wiretest.OpText, "hi") }, `ping "" as fragment 2`},
		{"another message", frames(wiretest.Text("h").More(), wiretest.Continuation("o")), false,
			func(p *wiretest.Peer) { p.WantMessage(why, wiretest.OpText, "hi") }, `got  text "ho"`},
		{"another code", frames(wiretest.Close(1001, "away")), false,
			func(p *wiretest.Peer) { p.WantClose(why, 1002) }, `want a Close frame with code 1002` + "\n\t" + `got  Close 1001 "away"`},
		{"half a code", frames(wiretest.Frame{FIN: true, Opcode: 8, Payload: []byte{3}}), false,
			func(p *wiretest.Peer) { p.WantClose(why, 1005) }, "got  Close"},
		{"1005 on the wire", frames(wiretest.Close(1005, "")), false,
			func(p *wiretest.Peer) { p.WantClose(why, 1005) }, "must not be"},
		{"a reason that is not UTF-8", frames(wiretest.Close(1000, "\xff")), false,
			func(p *wiretest.Peer) { p.WantClose(why, 1000) }, "not UTF-8"},
		{"text in place of a Close frame", frames(wiretest.Text("\x03\xe8")), false,
			func(p *wiretest.Peer) { p.WantClose(why, 1000) }, "got  text"},
		{"a second Close frame", frames(wiretest.Close(1000, ""), wiretest.Close(1000, "")), true,
			func(p *wiretest.Peer) { p.WantClosed(why, 1000) }, "got  Close 1000"},
		{"a frame after the Close frame", frames(wiretest.Close(1000, ""), wiretest.Text("hi")), true,
			func(p *wiretest.Peer) { p.WantClose(why, 1000); p.ReadFrame(why) }, "no frame may follow a Close frame"},
		{"a stream that stays open", frames(wiretest.Close(1000, "")), false,
			func(p *wiretest.Peer) { p.WantClosed(why, 1000) }, "want the end of the stream\n\tgot  nothing more in time"},
		{"bytes before the end", []byte("\x81"), true,
			func(p *wiretest.Peer) { p.WantEOF(why) }, "1 bytes that are no whole frame"},
		{"bytes before it is gone", []byte("\x81"), true,
			func(p *wiretest.Peer) { p.WantGone(why) }, "1 bytes that are no whole frame"},
		{"not gone", nil, false,
			func(p *wiretest.Peer) { p.WantGone(why) }, "nothing more in time"},
		{"not idle", frames(wiretest.Pong("x")), false,
			func(p *wiretest.Peer) { p.WantIdle(why, time.Second) }, `want nothing for 1s` + "\n\t" + `got  pong "x"`},
		{"idle for ever", nil, true,
			func(p *wiretest.Peer) { p.WantIdle(why, time.Second) }, "got  the end of the stream"},
		{"nobody reads", nil, false,
			func(p *wiretest.Peer) { p.SendRaw(make([]byte, 1<<20)) }, "could send only 4096 of 1048576 bytes"},
		{"a response that is none", []byte("HTTP/9\r\n\r\n"), false,
			func(p *wiretest.Peer) { p.ClientHandshake("/", nil) }, "well-formed HTTP"},
		{"a response that does not end", []byte("HTTP/1.1 101 Switching Protocols\r\n"), true,
			func(p *wiretest.Peer) { p.ClientHandshake("/", nil) }, "want the head of a response"},
		{"a response without Upgrade", []byte("HTTP/1.1 101 Switching Protocols\r\n\r\n"), false,
			func(p *wiretest.Peer) { p.ClientHandshake("/", nil) }, "want Upgrade: websocket"},
		{"a response with another Accept", []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: x, Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"), false,
			func(p *wiretest.Peer) { p.ClientHandshake("/", nil) }, "want Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
		{"a cut body", []byte("HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nno"), true,
			func(p *wiretest.Peer) { p.ClientHandshake("/", nil) }, "want 5 bytes"},
		{"a request of another method", []byte("POST / HTTP/1.1\r\nHost: x\r\n\r\n"), false,
			func(p *wiretest.Peer) { p.ServeHandshake(nil) }, "POST, HTTP/1.1"},
		{"a request without a key", []byte("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n"), false,
			func(p *wiretest.Peer) { p.ServeHandshake(nil) }, "want Sec-WebSocket-Key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := memconn.Pipe(4096)
				defer b.Close()
				recorder := &recorder{TB: t}
				p := wiretest.NewPeer(recorder, a, wiretest.Client)
				b.Write(tt.wire)
				if tt.end {
					b.CloseWrite()
				}
				recorder.run(func() { tt.call(p) })
				recorder.wantSaid(t, tt.says)
			})
		})
	}
}

func TestResetIsGoneButNoEOF(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memconn.Pipe(0)
		recorder := &recorder{TB: t}
		p := wiretest.NewPeer(recorder, a, wiretest.Client)
		b.Reset()
		p.WantGone("a reset ends the stream")
		recorder.run(func() { p.WantEOF("the sentence") })
		recorder.wantSaid(t, "connection reset")
	})
}

// TestPeerIsPatientForItsTimeout checks both edges: the frame that comes just in time, and the one too late.
func TestPeerIsPatientForItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memconn.Pipe(0)
		defer b.Close()
		recorder := &recorder{TB: t}
		p := wiretest.NewPeer(recorder, a, wiretest.Client)
		p.Timeout = time.Minute
		go func() {
			time.Sleep(time.Minute - 1)
			b.Write(wiretest.Text("in time").Append(nil))
			time.Sleep(time.Minute + 1)
			b.Write(wiretest.Text("late").Append(nil))
		}()
		p.WantText("a frame a nanosecond before the end comes in time", "in time")
		recorder.run(func() { p.WantText("the sentence", "late") })
		recorder.wantSaid(t, "nothing more in time")
		time.Sleep(time.Hour)
		p.WantText("it came later", "late")
	})
}

func TestHandshakesAreAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := memconn.Pipe(0)
		client := wiretest.NewPeer(t, a, wiretest.Client)
		server := wiretest.NewPeer(t, b, wiretest.Server)
		refused := make(chan *http.Response, 1)
		go func() {
			refused <- client.ClientHandshake("/chat?room=1", http.Header{"Sec-WebSocket-Key": nil, "Origin": {"http://a.example"}})
		}()
		req := server.ReadRequest()
		if got := req.Header.Get("Origin") + " " + req.RequestURI; got != "http://a.example /chat?room=1" {
			t.Errorf("origin and target: %s", got)
		}
		if _, has := req.Header["Sec-Websocket-Key"]; has {
			t.Error("a field without values was sent")
		}
		server.SendRaw([]byte("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno\x81\x02hi"))
		resp := <-refused
		var body bytes.Buffer
		if _, err := body.ReadFrom(resp.Body); err != nil || resp.StatusCode != 403 || body.String() != "no" {
			t.Errorf("response %d with body %q, %v; want 403, no", resp.StatusCode, &body, err)
		}
		client.WantText("bytes behind the response are kept", "hi")
	})
}

// A recorder stands in for a test that is expected to fail.
type recorder struct {
	testing.TB
	said string
}

var errFatal = errors.New("the test ended here")

func (r *recorder) Fatalf(format string, args ...any) {
	r.said = fmt.Sprintf(format, args...)
	panic(errFatal)
}

// run calls f, which may end with Fatalf.
func (r *recorder) run(f func()) {
	defer func() {
		if e := recover(); e != nil && e != errFatal {
			panic(e)
		}
	}()
	f()
}

func (r *recorder) wantSaid(t *testing.T, text string) {
	t.Helper()
	if !strings.Contains(r.said, text) {
		t.Errorf("the peer said %q, want it to say %q", r.said, text)
	}
}
