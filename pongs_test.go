package websocket

import (
	"fmt"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// TestPongsInOrder: of ten Pings in one segment each is answered, whether the application reads or not.
func TestPongsInOrder(t *testing.T) {
	t.Parallel()
	for _, reading := range []bool{false, true} {
		runConnTest(t, config{}, func(t *connTest) {
			var read <-chan error
			if reading {
				read = start(func() error { _, _, err := t.c.Read(bg); return err })
				t.settle()
			}
			for round := range 5 {
				var pings []wiretest.Frame
				for i := range 10 {
					pings = append(pings, wiretest.Ping(fmt.Sprint(round, i)))
				}
				t.p.SendRaw(t.p.Encode(pings...))
				for i := range pings {
					t.p.WantPong("each is answered, in order", fmt.Sprint(round, i))
				}
			}
			t.p.WantIdle("and no more", 20*time.Millisecond)
			if reading {
				t.p.SendText("on")
				if err := t.want("Read", read); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestPongsCoalesce: of many Pings to a peer that does not read, a few are answered, in order, and the newest.
func TestPongsCoalesce(t *testing.T) {
	t.Parallel()
	runConnTest(t, config{settings: newSettings(0, 0, -1)}, func(t *connTest) {
		stuck := start(func() error { return t.c.Write(bg, MessageBinary, make([]byte, t.blockedSize())) })
		t.blocked("nobody reads", stuck)
		const pings = 1000
		for i := range pings {
			t.p.SendPing(fmt.Sprintf("%0125d", i))
			if i%20 == 0 {
				t.settle()
			}
		}
		if t.real {
			t.p.SendText("all of them have come")
			t.wantRead("the message behind them", MessageText, "all of them have come")
		} else {
			time.Sleep(time.Second)
		}
		t.p.Timeout = time.Minute
		t.p.ReadFrame("the message that was stuck")
		last, answers := -1, 0
		for last < pings-1 {
			f := t.p.ReadFrame("the newest Ping is answered")
			var number int
			if fmt.Sscanf(string(f.Payload), "%d", &number); f.Opcode != wiretest.OpPong || number <= last {
				t.Fatalf("behind the Pong to Ping %d came %v", last, f)
			}
			last = number
			answers++
		}
		if answers < 16 || answers > 32 {
			t.Errorf("%d Pongs waited", answers)
		}
		if err := t.want("Write", stuck); err != nil {
			t.Fatal(err)
		}
	})
}

// TestPongBeforeAnswer: a Ping comes before a message. The Pong leaves before the answer to the message, alone or with
// more of both around.
func TestPongBeforeAnswer(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		for i := range 30 {
			ping, text := fmt.Sprint("ping ", i), fmt.Sprint("text ", i)
			frames := []wiretest.Frame{wiretest.Ping(ping), wiretest.Text(text)}
			if i%3 == 1 { // the answer to the message waits for company
				frames = append(frames, wiretest.Text("behind"))
			}
			if i%3 == 2 { // there is company
				frames = append([]wiretest.Frame{wiretest.Text("before")}, frames...)
			}
			var texts, want []string
			for _, f := range frames {
				want = append(want, string(f.Payload))
				if f.Opcode == wiretest.OpText {
					texts = append(texts, string(f.Payload))
				}
			}
			t.p.SendRaw(t.p.Encode(frames...))
			for _, s := range texts {
				t.wantRead("a message", MessageText, s)
				if err := t.c.Write(bg, MessageText, []byte(s)); err != nil {
					t.Fatal(err)
				}
			}
			seen := map[string]int{}
			for k := range want {
				seen[string(t.p.ReadFrame("an answer").Payload)] = k + 1
			}
			if seen[ping] == 0 || seen[text] == 0 || seen[ping] > seen[text] {
				t.Fatalf("round %d: the Pong came as number %d, the answer to the message behind the Ping as number %d", i, seen[ping], seen[text])
			}
		}
	})
}
