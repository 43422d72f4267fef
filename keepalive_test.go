package websocket

import (
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestKeepAliveSpreads: after a restart all clients dial within a second, and stay idle. Their first Pings take 7 seconds of
// 32, not that second, and later ones come evenly. Each has its round trip measured.
func TestKeepAliveSpreads(t *testing.T) {
	const period, conns, periods = 32 * time.Second, 400, 10
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		perSecond := make([]int, periods*int(period/time.Second)+1)
		var all []*Conn
		begun := time.Now()
		for range conns {
			ours, theirs := memconn.Pipe(0)
			c := newConn(ours, config{parent: bg, readLimit: defaultReadLimit, settings: newSettings(0, 0, period)})
			all = append(all, c)
			go answerPings(theirs, func() {
				mu.Lock()
				defer mu.Unlock()
				perSecond[int(time.Since(begun)/time.Second)]++
			})
			time.Sleep(time.Second / conns)
		}
		time.Sleep(periods * period)
		for _, c := range all {
			if rtt := c.Stats().RTT; rtt != pongDelay {
				t.Errorf("RTT %v", rtt)
			}
			c.CloseNow()
		}
		first := perSecond[:int(period/time.Second)+1]
		sum, quiet := 0, 0
		for _, n := range first {
			if sum += n; sum == 0 {
				quiet++
			}
		}
		if most := slices.Max(first); sum < conns || quiet < 24-1 || most > conns/7*3/2 {
			t.Errorf("of the first Pings up to %d come in one second, after %d: %d", most, quiet, first)
		}
		t.Logf("Pings in each second: %d", perSecond)
		late := perSecond[len(perSecond)/2 : len(perSecond)-1]
		mean := conns * 8 / 7 / int(period/time.Second) // periods are an eighth shorter on average
		if most := slices.Max(late); most > 3*mean {
			t.Errorf("in the end up to %d Pings come in one second, %d on average: %d", most, mean, late)
		}
	})
}

// pongDelay is how long answerPings takes.
const pongDelay = 3 * time.Millisecond

// answerPings is a raw client that answers Pings, and calls ping for each.
func answerPings(nc io.ReadWriteCloser, ping func()) {
	defer nc.Close()
	var b [2 + maxControlPayload]byte
	for {
		if _, err := io.ReadFull(nc, b[:2]); err != nil {
			return
		}
		if _, err := io.ReadFull(nc, b[2:2+b[1]]); err != nil {
			return
		}
		if opcode(b[0]&0xf) != opPing {
			continue
		}
		ping()
		time.Sleep(pongDelay)
		pong := wiretest.Pong(string(b[2 : 2+b[1]]))
		pong.Masked = true
		if _, err := nc.Write(pong.Append(nil)); err != nil {
			return
		}
	}
}

// TestKeepAliveMidway: the time runs from the last byte, wherever in a message or a header it was.
func TestKeepAliveMidway(t *testing.T) {
	const asked = 2 * time.Second
	s := newSettings(0, 0, asked)
	for name, send := range map[string]func(t *connTest){
		"in a message": func(t *connTest) { t.p.Send(wiretest.Frame{Opcode: wiretest.OpText, Payload: []byte("begun")}) },
		"in a frame": func(t *connTest) {
			if t.c.sender.client {
				t.p.Conn.Write([]byte{0x82, 0x05, 'x'})
			} else {
				t.p.Conn.Write([]byte{0x82, 0x85, 0, 0, 0, 0, 'x'})
			}
		},
		"in a header": func(t *connTest) { t.p.Conn.Write([]byte{0x82}) },
	} {
		t.Run(name, func(t *testing.T) {
			runConnTest(t, config{settings: s}, func(t *connTest) {
				if t.real {
					return
				}
				go t.c.Read(bg)
				time.Sleep(asked / 4)
				send(t)
				begun := time.Now()
				f := t.p.ReadFrame("a Ping")
				if took := time.Since(begun); f.Opcode != wiretest.OpPing || !aboutAPeriod(took, s.keepAlive) {
					t.Errorf("%v after %v, period %v", f, took, s.keepAlive)
				}
				<-t.c.Context().Done()
				if took := time.Since(begun); !aboutAPeriod(took/2, s.keepAlive) {
					t.Errorf("dead after %v, period %v", took, s.keepAlive)
				}
			})
		})
	}
}
