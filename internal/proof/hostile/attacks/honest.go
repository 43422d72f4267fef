package attacks

import (
	"bytes"
	"fmt"
	"time"

	"github.com/closeonce/websocket/internal/testkit/wiretest"
)

// An honest peer sends small messages beside the attackers, over a road on their
// connection, and reads the echoes.
type honest struct {
	*peer
	masked bool
	stop   chan struct{}
	done   chan struct{}
	waited time.Duration // for one echo, at most
	err    error
}

// maxWait is how long an honest peer may wait for an echo. Attackers take processor
// time, and tests take each other's; one who is locked out waits for longer.
const maxWait = 5 * time.Second

// pause is the time between an echo and the next message.
const pause = 10 * time.Millisecond

// beginHonest has an honest client of the server under attack, if there is to be one.
func (f *field) beginHonest() (*honest, error) {
	if !f.brief {
		return nil, nil
	}
	p, err := f.openOne("/honest", "")
	if err != nil {
		return nil, err
	}
	return p.behave(true)
}

// beginHonestServer has an honest server of a client under attack, which dials trap.
// What it costs is not the attackers'.
func (f *field) beginHonestServer(trap Trap) (*honest, error) {
	if _, err := f.subject.ask(order{Do: "dial", URL: trap.URL, Count: 1, Honest: true}); err != nil {
		return nil, err
	}
	nc, err := trap.Accept()
	if err != nil {
		return nil, err
	}
	h, err := f.peer(nc).behave(false)
	if err == nil {
		err = f.begin()
	}
	if err == nil {
		h.begin()
	}
	return h, err
}

// behave returns an honest peer, which has had its first echo.
func (p *peer) behave(masked bool) (*honest, error) {
	h := &honest{peer: p, masked: masked, stop: make(chan struct{}), done: make(chan struct{})}
	if err := h.echo(); err != nil {
		return nil, err
	}
	h.waited = 0 // that echo came before the attack
	return h, nil
}

// begin lets it send on.
func (h *honest) begin() {
	if h != nil {
		go h.run()
	}
}

// run goes on until it is stopped, and once more after that.
func (h *honest) run() {
	defer close(h.done)
	for last := false; h.err == nil; {
		h.err = h.echo()
		if last {
			return
		}
		select {
		case <-h.stop:
			last = true
		case <-time.After(pause):
		}
	}
}

// echo sends a message and waits for it.
func (h *honest) echo() error {
	message := bytes.Repeat([]byte("honest"), 20)
	sent := time.Now()
	deadline := sent.Add(maxWait)
	h.SetWriteDeadline(deadline)
	h.SetReadDeadline(deadline)
	_, err := h.Conn.Write(frame(nil, fin|text, message, h.masked))
	for err == nil {
		var opcode byte
		var payload []byte
		if opcode, payload, err = h.next(); err == nil && opcode != wiretest.OpPing {
			if opcode != text || !bytes.Equal(payload, message) {
				err = fmt.Errorf("a frame with opcode %d and %.100q came back", opcode, payload)
			}
			break
		}
	}
	h.waited = max(h.waited, time.Since(sent))
	if err != nil {
		return fmt.Errorf("an honest peer's echo after %v: %w", time.Since(sent), err)
	}
	return nil
}

// end stops it, and returns what it has seen.
func (h *honest) end() (waited time.Duration, err error) {
	if h == nil {
		return 0, nil
	}
	close(h.stop)
	<-h.done
	return h.waited, h.err
}
