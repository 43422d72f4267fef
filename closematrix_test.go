package websocket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// Who closes first, and what goes wrong: the closing handshake, written out by hand.
//
// The close time-out is 5 s. We close with 1000, the peer with 4001, and echoes with the code that came. A peer
// that does its duty answers 1 s after our Close, and, as a server, closes TCP with its answer.
//
// The columns:
//
//	starts  who starts to close
//	wrong   what goes wrong
//	role    ours
//	wire    what we send, and then TCP: "us 0s" is that we closed it at that time, "them 1s, us 1s" that
//	        the peer closed its side first
//	Close   what our Close returned and when, or a Close after the end if the peer started
//	read    what a Read under way returned, and so would any later call
const closeMatrix = `
starts  | wrong               | role   | wire                                  | Close         | read

us      | nothing             | server | Close 1000; us 1s                     | nil 1s        | closed here
us      | nothing             | client | Close 1000; them 1s, us 1s            | nil 1s        | closed here
us      | EOF before answer   | server | Close 1000; them 1s, us 1s            | lost 1s       | closed here
us      | EOF before answer   | client | Close 1000; them 1s, us 1s            | lost 1s       | closed here
us      | no answer           | server | Close 1000; us 5s                     | timeout 5s    | closed here
us      | no answer           | client | Close 1000; us 5s                     | timeout 5s    | closed here
us      | answer too late     | server | Close 1000; us 5s                     | timeout 5s    | closed here
us      | answer too late     | client | Close 1000; us 5s                     | timeout 5s    | closed here
us      | data on its way     | server | Close 1000; us 1s                     | nil 1s        | closed here
us      | data on its way     | client | Close 1000; them 1s, us 1s            | nil 1s        | closed here
us      | a write blocked     | server | data, Close 1000; us 2s               | nil 2s        | closed here
us      | a write blocked     | client | data, Close 1000; them 2s, us 2s      | nil 2s        | closed here
us      | a second Close      | server | Close 1000; us 1s                     | nil 1s        | closed here
us      | a second Close      | client | Close 1000; them 1s, us 1s            | nil 1s        | closed here

them    | nothing             | server | Close 4001; us 0s                     | nil 10s       | peer 4001
them    | nothing             | client | Close 4001; them 1s, us 1s            | nil 10s       | peer 4001
them    | EOF before answer   | server | Close 4001; them 0s, us 0s            | nil 10s       | peer 4001
them    | EOF before answer   | client | Close 4001; them 0s, us 0s            | nil 10s       | peer 4001
them    | no answer           | server | Close 4001; us 0s                     | nil 10s       | peer 4001
them    | no answer           | client | Close 4001; us 5s                     | nil 10s       | peer 4001
them    | answer too late     | server | Close 4001; us 0s                     | nil 10s       | peer 4001
them    | answer too late     | client | Close 4001; us 5s                     | nil 10s       | peer 4001
them    | data on its way     | server | Close 4001; us 0s                     | nil 10s       | peer 4001
them    | data on its way     | client | Close 4001; them 1s, us 1s            | nil 10s       | peer 4001
them    | a write blocked     | server | data, Close 4001; us 1s               | nil 10s       | peer 4001
them    | a write blocked     | client | data, Close 4001; them 2s, us 2s      | nil 10s       | peer 4001
them    | a second Close      | server | Close 4001; us 0s                     | nil 10s       | peer 4001
them    | a second Close      | client | Close 4001; them 1s, us 1s            | nil 10s       | peer 4001

both    | nothing             | server | Close 1000; us 0s                     | nil 0s        | closed here
both    | nothing             | client | Close 1000; them 1s, us 1s            | nil 1s        | closed here
both    | EOF before answer   | server | Close 1000; them 0s, us 0s            | nil 0s        | closed here
both    | EOF before answer   | client | Close 1000; them 0s, us 0s            | nil 0s        | closed here
both    | no answer           | server | Close 1000; us 0s                     | nil 0s        | closed here
both    | no answer           | client | Close 1000; us 5s                     | nil 5s        | closed here
both    | answer too late     | server | Close 1000; us 5s                     | timeout 5s    | closed here
both    | answer too late     | client | Close 1000; us 5s                     | timeout 5s    | closed here
both    | data on its way     | server | Close 1000; us 0s                     | nil 0s        | closed here
both    | data on its way     | client | Close 1000; them 1s, us 1s            | nil 1s        | closed here
both    | a write blocked     | server | data, Close 1000; us 1s               | nil 1s        | closed here
both    | a write blocked     | client | data, Close 1000; them 2s, us 2s      | nil 2s        | closed here
both    | a second Close      | server | Close 1000; us 0s                     | nil 0s        | closed here
both    | a second Close      | client | Close 1000; them 1s, us 1s            | nil 1s        | closed here

neither | nothing             | server | nothing; open                         | -             | waits
neither | nothing             | client | nothing; open                         | -             | waits
neither | EOF before answer   | server | nothing; them 0s, us 0s               | lost 10s      | lost
neither | EOF before answer   | client | nothing; them 0s, us 0s               | lost 10s      | lost
neither | no answer           | server | Ping; us 60s                          | silent 70s    | silent
neither | no answer           | client | Ping; us 60s                          | silent 70s    | silent
neither | answer too late     | server | Ping; us 60s                          | silent 70s    | silent
neither | answer too late     | client | Ping; us 60s                          | silent 70s    | silent
neither | data on its way     | server | nothing; open                         | -             | data
neither | data on its way     | client | nothing; open                         | -             | data
neither | a write blocked     | server | data; open                            | -             | waits
neither | a write blocked     | client | data; open                            | -             | waits
`

// There is no row for "neither, a second Close": there was no first.
const closeMatrixRows = 4*7*2 - 2

func TestWhoClosedFirst(t *testing.T) {
	rows := strings.Split(strings.TrimSpace(closeMatrix), "\n")[1:]
	seen := map[string]bool{}
	for _, row := range rows {
		if row == "" {
			continue
		}
		cells := strings.Split(row, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		name := strings.Join(cells[:3], "/")
		if seen[name] {
			t.Errorf("%s is there twice", name)
		}
		seen[name] = true
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &closeScene{T: t, starts: cells[0], wrong: cells[1], client: cells[2] == "client"}
				wire, closing, read := s.play()
				if wire != cells[3] || closing != cells[4] || read != cells[5] {
					t.Errorf("\ngot  %s | %s | %s\nwant %s | %s | %s", wire, closing, read, cells[3], cells[4], cells[5])
				}
			})
		})
	}
	if len(seen) != closeMatrixRows {
		t.Errorf("%d rows, want %d", len(seen), closeMatrixRows)
	}
}

// A closeScene plays one row.
type closeScene struct {
	*testing.T
	starts, wrong string
	client        bool

	c       *Conn
	p       *wiretest.Peer
	peerEnd *memconn.Conn
	began   time.Time
}

// blockedWrite is more than fits on the way to a peer that does not read.
var blockedWrite = strings.Repeat("x", 4<<10)

func (s *closeScene) since() string { return fmt.Sprintf("%ds", int(time.Since(s.began).Seconds())) }

func (s *closeScene) play() (wire, closing, read string) {
	ours, theirs := memconn.Pipe(1 << 10)
	s.peerEnd = theirs
	s.began = time.Now()
	keepAlive := time.Duration(-1)
	if s.starts == "neither" && s.wrong != "nothing" {
		keepAlive = 0 // the default of 30 s: then "no answer" is none to its Ping
	}
	cfg := config{client: s.client, parent: context.Background(), readLimit: defaultReadLimit, settings: newSettings(0, 0, keepAlive)}
	if keepAlive == 0 {
		cfg.settings.keepAlive = defaultKeepAlive // and no part of it less: the table has the times
	}
	if !s.client {
		cfg.parent = served(cfg.parent)
	}
	s.c = newConn(ours, cfg)
	defer s.c.CloseNow()
	role := wiretest.Client
	if s.client {
		role = wiretest.Server
	}
	s.p = wiretest.NewPeer(s.T, theirs, role)
	s.p.Timeout = 20 * time.Second
	if keepAlive == 0 {
		s.p.Timeout = time.Hour
	}

	writes := make(chan error, 1)
	if s.wrong == "a write blocked" {
		go func() { writes <- s.c.Write(context.Background(), MessageBinary, []byte(blockedWrite)) }()
		synctest.Wait()
		wire = "data, "
	}
	reads := make(chan string, 1)
	startRead := func() {
		go func() {
			_, p, err := s.c.Read(context.Background())
			if err == nil {
				reads <- string(p)
				return
			}
			reads <- s.verdict(err)
		}()
	}
	closes := make(chan string, 1)
	startClose := func() {
		go func() {
			err := s.c.Close(StatusNormalClosure, "we")
			closes <- s.verdict(err) + " " + s.since()
		}()
	}

	switch s.starts {
	case "us":
		startRead()
		synctest.Wait()
		startClose()
		synctest.Wait()
		wire = s.usFirst(wire)
	case "them":
		startRead()
		synctest.Wait()
		wire = s.themFirst(wire)
	case "both":
		// Theirs lies in our buffers, but nobody has looked there yet when we close.
		wire = s.bothAtOnce(wire, startClose)
		startRead()
	case "neither":
		startRead()
		synctest.Wait()
		wire = s.nobody(wire)
	}

	if strings.HasSuffix(wire, "open") {
		closing = "-"
		read = "waits"
		if s.wrong == "data on its way" {
			read = <-reads
		}
		if err := s.c.err(); err != nil {
			s.Errorf("the connection has ended: %v", err)
		}
		s.c.CloseNow()
		if read == "waits" {
			<-reads
		}
	} else {
		if s.starts == "them" || s.starts == "neither" {
			time.Sleep(10*time.Second - time.Since(s.began)%(10*time.Second))
			startClose()
		}
		closing, read = <-closes, <-reads
		s.theEnd(closing, read)
	}
	if s.wrong == "a write blocked" {
		err := <-writes
		if got := s.verdict(err); s.starts == "neither" && err != nil || s.starts != "neither" && got != read {
			s.Errorf("the blocked Write returned %v, %s", err, got)
		}
	}
	return wire, closing, read
}

// theEnd asserts what is the same however it came to it: all later calls agree, and the context ends.
func (s *closeScene) theEnd(closing, read string) {
	select {
	case <-s.c.Context().Done():
	default:
		s.Error("the context has not ended")
	}
	_, _, readErr := s.c.Read(context.Background())
	_, _, readerErr := s.c.Reader(context.Background())
	_, writerErr := s.c.Writer(context.Background(), MessageText)
	for call, err := range map[string]error{
		"context.Cause": context.Cause(s.c.Context()),
		"Read":          readErr,
		"Reader":        readerErr,
		"Write":         s.c.Write(context.Background(), MessageText, nil),
		"Writer":        writerErr,
		"TryWrite":      s.c.TryWrite(MessageText, nil),
		"Ping":          s.c.Ping(context.Background()),
	} {
		if got := s.verdict(err); got != read {
			s.Errorf("afterwards %s says %s (%v), want %s", call, got, err, read)
		}
	}
	again := s.verdict(s.c.Close(StatusGoingAway, "again"))
	if first, _, _ := strings.Cut(closing, " "); again != first {
		s.Errorf("the second Close returned %s, the first %s", again, first)
	}
	s.c.CloseNow()
}

// verdict says in a word what an error is.
func (s *closeScene) verdict(err error) string {
	is := func(what error) bool { return errors.Is(err, what) }
	switch {
	case err == nil:
		return "nil"
	case CloseStatus(err) != -1:
		return fmt.Sprintf("peer %d", CloseStatus(err))
	case is(net.ErrClosed) && !is(io.ErrUnexpectedEOF) && !is(os.ErrDeadlineExceeded):
		return "closed here"
	case is(io.ErrUnexpectedEOF):
		return "lost"
	case is(ErrPingTimeout):
		return "silent"
	case is(os.ErrDeadlineExceeded):
		return "timeout"
	}
	return err.Error()
}

// data reads the message that was blocked.
func (s *closeScene) data() {
	if s.wrong == "a write blocked" {
		s.p.WantMessage("the message that was blocked arrives whole", wiretest.OpBinary, blockedWrite)
	}
}

// hangUp is what the peer does at last: as a server it closes TCP, as a client it waits for us.
func (s *closeScene) hangUp() string {
	if s.client {
		s.peerEnd.CloseWrite()
		return s.tcp("them " + s.since() + ", ")
	}
	return s.tcp("")
}

// tcp waits for our end of TCP to close, with no frame before it.
func (s *closeScene) tcp(before string) string {
	s.p.WantGone("nothing follows our Close")
	return before + "us " + s.since()
}

func (s *closeScene) usFirst(wire string) string {
	if s.wrong == "a write blocked" {
		time.Sleep(time.Second)
	}
	s.data()
	s.p.WantClose("our Close leaves at once", 1000)
	wire += "Close 1000; "
	switch s.wrong {
	case "no answer":
		return wire + s.tcp("")
	case "answer too late":
		time.Sleep(6 * time.Second)
		if _, err := s.peerEnd.Write(s.p.Encode(wiretest.Close(4001, "late"))); err == nil {
			s.Error("the late answer was taken")
		}
		return wire + "us 5s"
	}
	time.Sleep(time.Second)
	switch s.wrong {
	case "EOF before answer":
		s.peerEnd.CloseWrite()
		return wire + s.tcp("them "+s.since()+", ")
	case "data on its way":
		s.p.SendRaw(s.p.Encode(wiretest.Text("half of").More(), wiretest.Ping("no pong"), wiretest.Continuation("a message"), wiretest.Close(1000, "")))
	case "a second Close":
		s.p.SendRaw(s.p.Encode(wiretest.Close(1000, ""), wiretest.Close(4002, "again")))
	default:
		s.p.SendClose(1000, "")
	}
	return wire + s.hangUp()
}

func (s *closeScene) themFirst(wire string) string {
	switch s.wrong {
	case "EOF before answer":
		s.p.SendClose(4001, "they")
		s.peerEnd.CloseWrite()
		s.p.WantClose("the echo carries their code", 4001)
		return wire + "Close 4001; " + s.tcp("them "+s.since()+", ")
	case "data on its way":
		s.p.SendRaw(s.p.Encode(wiretest.Close(4001, "they"), wiretest.Text("what a peer must not send"), wiretest.Ping("no pong")))
	case "a second Close":
		s.p.SendRaw(s.p.Encode(wiretest.Close(4001, "they"), wiretest.Close(4002, "again")))
	case "a write blocked":
		s.p.SendClose(4001, "they")
		time.Sleep(time.Second)
		s.data()
	default:
		s.p.SendClose(4001, "they")
	}
	if got := s.p.WantClose("the echo carries their code", 4001); got != "they" {
		s.Errorf("the echo has the reason %q", got)
	}
	wire += "Close 4001; "
	if s.client && (s.wrong == "no answer" || s.wrong == "answer too late") {
		return wire + s.tcp("") // the server's answer to the echo is the end of TCP
	}
	if s.client {
		time.Sleep(time.Second)
	}
	return wire + s.hangUp()
}

func (s *closeScene) bothAtOnce(wire string, startClose func()) string {
	switch s.wrong {
	case "answer too late":
		startClose()
		s.p.WantClose("ours leaves", 1000)
		time.Sleep(6 * time.Second)
		if _, err := s.peerEnd.Write(s.p.Encode(wiretest.Close(4001, "they"))); err == nil {
			s.Error("theirs was on its way for too long and was taken")
		}
		return wire + "Close 1000; us 5s"
	case "data on its way":
		s.p.SendRaw(s.p.Encode(wiretest.Text("nobody reads this"), wiretest.Close(4001, "they")))
	case "a second Close":
		s.p.SendRaw(s.p.Encode(wiretest.Close(4001, "they"), wiretest.Close(4002, "again")))
	default:
		s.p.SendClose(4001, "they")
	}
	if s.wrong == "EOF before answer" {
		s.peerEnd.CloseWrite()
	}
	startClose()
	synctest.Wait()
	if s.wrong == "a write blocked" {
		time.Sleep(time.Second)
	}
	s.data()
	s.p.WantClose("ours is no echo", 1000)
	wire += "Close 1000; "
	switch {
	case s.wrong == "EOF before answer":
		return wire + s.tcp("them "+s.since()+", ")
	case s.client && s.wrong == "no answer":
		return wire + s.tcp("")
	case s.client:
		time.Sleep(time.Second)
	}
	return wire + s.hangUp()
}

func (s *closeScene) nobody(wire string) string {
	switch s.wrong {
	case "EOF before answer":
		s.peerEnd.CloseWrite()
		return wire + "nothing; " + s.tcp("them 0s, ")
	case "no answer", "answer too late":
		if f := s.p.ReadFrame("a silent peer is pinged"); f.Opcode != wiretest.OpPing {
			s.Fatalf("got %v, want a Ping", f)
		}
		if s.wrong == "answer too late" {
			gone := s.tcp("")
			s.peerEnd.Write(s.p.Encode(wiretest.Pong("late")))
			return wire + "Ping; " + gone
		}
		return wire + "Ping; " + s.tcp("")
	case "data on its way":
		s.p.SendText("data")
		synctest.Wait()
		return wire + "nothing; open"
	case "a write blocked":
		s.data()
		return strings.TrimSuffix(wire, ", ") + "; open"
	}
	s.p.WantIdle("nothing happens by itself", 10*time.Second)
	return wire + "nothing; open"
}

// TestCloseMisuse: a code or a reason that may not be sent is an error, and closes the connection all the same.
func TestCloseMisuse(t *testing.T) {
	for _, client := range []bool{false, true} {
		for _, tt := range []struct {
			code   StatusCode
			reason string
			sent   wiretest.Frame
			says   string
		}{
			{StatusAbnormalClosure, "lost", wiretest.Close(1011, ""), "1006"},
			{StatusNoStatusRcvd, "why", wiretest.Close(1011, ""), "1005"},
			{70000, "", wiretest.Close(1011, ""), "70000"},
			{StatusNormalClosure, strings.Repeat("é", 62), wiretest.Close(1000, strings.Repeat("é", 61)), "124 bytes"},
			{StatusNormalClosure, "\xff", wiretest.Close(1000, ""), "UTF-8"},
			{StatusNoStatusRcvd, "", wiretest.EmptyClose(), ""},
		} {
			t.Run(fmt.Sprintf("client=%t/%d", client, tt.code), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ours, theirs := memconn.Pipe(0)
					c := newConn(ours, config{client: client, parent: context.Background(), readLimit: defaultReadLimit, settings: newSettings(0, 0, 0)})
					role := wiretest.Client
					if client {
						role = wiretest.Server
					}
					p := wiretest.NewPeer(t, theirs, role)
					closed := make(chan error, 1)
					go func() { closed <- c.Close(tt.code, tt.reason) }()
					p.WantFrame("the nearest that may be sent is sent", tt.sent)
					p.SendClose(1000, "")
					if client {
						p.Close()
					} else {
						p.WantEOF("and the handshake goes on")
					}
					err := <-closed
					if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
						t.Errorf("Close returned %v, want something of %q", err, tt.says)
					}
				})
			})
		}
	}
}
