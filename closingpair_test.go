package websocket

import (
	"errors"
	"fmt"
	"testing"
)

// A closingPair is a client and a server that close, and what is on its way between them.
type closingPair struct {
	ends [2]closingKey
	// out is what is on its way from each: C for a Close frame, d for any other, E for the end of the stream.
	out  [2]string
	loss loss
}

// loss is what has happened to the connection between them.
type loss uint8

const (
	lossless loss = iota
	broken        // nothing gets through any more, and both are told
	silent        // nothing gets through any more, and nobody is told
)

func (p *closingPair) String() string {
	return fmt.Sprintf("client: %v, on its way %q\nserver: %v, on its way %q\nloss: %d", p.ends[0], p.out[0], p.ends[1], p.out[1], p.loss)
}

// A closingPairModel is what may happen to a pair.
type closingPairModel struct {
	lossy    bool
	inFlight int // how many frames fit between two ends
	// unkind: an end may be cut short by CloseNow or by a violation of the other's.
	unkind bool
	// half: an end may call CloseWrite. passive: both ends leave the answer to a Close to the application, which answers.
	half, passive bool
}

// do makes an event happen at one end.
func (p *closingPair) do(i int, name string) error {
	l := p.ends[i].life()
	for k := range closingEvents {
		e := &closingEvents[k]
		if e.name != name {
			continue
		}
		before := l.key().life()
		a, yes := apply(&l, e)
		if rule := brokenStep(&before, &l, name, a, yes); rule != "" {
			return errors.New(rule)
		}
		p.ends[i] = l.key()
		if name == "leave" && yes {
			p.put(i, "C")
		}
		if a&hangUps != 0 {
			p.put(i, "E")
		}
		return nil
	}
	return fmt.Errorf("there is no %s", name)
}

func (p *closingPair) put(i int, frame string) {
	if p.loss == lossless {
		p.out[i] += frame
	}
}

// with returns the pair after an event at one end.
func (p closingPair) with(i int, name string) (closingPair, error) {
	err := p.do(i, name)
	return p, err
}

// must returns the pairs that follow by what is bound to happen: what is on its way arrives, what is due leaves, and if
// something can get lost, time passes.
func (m *closingPairModel) must(p *closingPair) (next []closingPair, err error) {
	add := func(q closingPair, broken error) {
		next = append(next, q)
		err = errors.Join(err, broken)
	}
	for i := range p.ends {
		k := &p.ends[i]
		if from := p.out[1-i]; from != "" {
			q := *p
			q.out[1-i] = from[1:]
			add(q, q.arrive(i, from[0]))
		} else if p.loss == broken && k.reads() {
			add(p.with(i, "noRead"))
		}
		if k.ended {
			continue
		}
		if l := k.life(); l.asks() {
			add(p.with(i, "begin"))
			add(p.with(i, "beginHalf"))
		}
		canWrite := !k.noWrites && p.loss != broken
		switch {
		case canWrite && k.ours == due && len(p.out[i]) < m.inFlight:
			add(p.with(i, "leave"))
		case canWrite && k.ours == leaving:
			add(p.with(i, "wrote"))
		case p.loss == broken && !k.noWrites && (k.ours == due || k.ours == leaving) && !k.over:
			add(p.with(i, "noWrite"))
		}
		if k.over && !k.handshakeDone {
			add(p.with(i, "gone"))
			if k.closeLeft && canWrite {
				add(p.with(i, "gone, wrote"))
			}
		}
		if k.timer && m.lossy {
			add(p.with(i, "timedOut"))
		}
	}
	return next, err
}

func (k *closingKey) reads() bool {
	l := k.life()
	return l.closing.reads()
}

// arrive is what a frame does at the end that it comes to.
func (p *closingPair) arrive(i int, frame byte) error {
	k := &p.ends[i]
	switch {
	case !k.reads():
		return nil
	case frame == 'E':
		return p.do(i, "noRead, eof")
	case k.readOver:
		return nil
	case frame == 'C':
		return p.do(i, "received")
	}
	l := k.life()
	if action := l.state.step(recvData); action != deliver && action != ignore {
		return fmt.Errorf("%s is no answer to data", closeActionNames[action])
	} else if action == deliver && k.closeLeft {
		return errors.New("data was delivered after our Close")
	}
	if l.half && !l.over && !l.delivers() {
		return errors.New("data is lost after CloseWrite")
	}
	p.ends[i] = l.key()
	return nil
}

// may returns the pairs that follow by what somebody may do or not.
func (m *closingPairModel) may(p *closingPair) (next []closingPair, err error) {
	add := func(q closingPair, broken error) {
		next = append(next, q)
		err = errors.Join(err, broken)
	}
	for i := range p.ends {
		k := &p.ends[i]
		if (k.ours == none || k.half) && !k.over {
			add(p.with(i, "begin"))
		}
		if m.half && k.ours == none && !k.over {
			add(p.with(i, "beginHalf"))
		}
		if m.unkind && !k.over {
			add(p.with(i, "end"))
			if !k.readOver && k.reads() && p.out[1-i] != "" {
				add(p.with(i, "fail"))
			}
		}
		if len(p.out[i]) < m.inFlight && !k.noWrites && !k.ended {
			for _, e := range []closeEvent{sendData, sendQueued} {
				l := k.life()
				if l.mayLeave(e) {
					q := *p
					q.put(i, "d")
					var broken error
					if k.closeLeft {
						broken = errors.New("something leaves after our Close")
					}
					add(q, broken)
				}
			}
		}
	}
	if m.lossy && p.loss == lossless { // what is on its way is lost from some point on
		for a := range len(p.out[0]) + 1 {
			for b := range len(p.out[1]) + 1 {
				for _, how := range []loss{broken, silent} {
					q := *p
					q.loss, q.out = how, [2]string{p.out[0][:a], p.out[1][:b]}
					add(q, nil)
				}
			}
		}
	}
	return next, err
}

// rest is called where nothing is bound to happen any more: so what has begun to end must have ended.
func (m *closingPairModel) rest(p *closingPair) error {
	begun := false
	for i := range p.ends {
		l := p.ends[i].life()
		begun = begun || l.stopped()
		switch {
		case l.half && l.cause == nil && p.loss == silent: // the application bounds it
		case l.stopped() && !l.ended:
			return fmt.Errorf("end %d is stuck", i)
		case p.loss == broken && !l.ended:
			return fmt.Errorf("end %d does not know that the connection is lost", i)
		}
	}
	for i, k := range p.ends {
		switch {
		case p.loss == silent:
		case begun && !k.ended:
			return fmt.Errorf("end %d does not know that the other has ended", i)
		case begun && !m.lossy && !m.unkind && (!k.handshakeDone || k.result != nil || !k.closeLeft):
			return fmt.Errorf("nothing was lost, and yet at end %d not both Close frames are through", i)
		}
	}
	return nil
}

// TestTwoCloseMachines explores every state that a client and a server can get into over a channel that keeps the order of
// frames, with and without losing the end of it. Every way in which it goes on by itself comes to an end, and there both
// have ended.
func TestTwoCloseMachines(t *testing.T) {
	for name, m := range map[string]*closingPairModel{
		"lossless": {inFlight: 4},
		"unkind":   {inFlight: 2, unkind: true},
		"lossy":    {inFlight: 2, lossy: true},

		"half":            {inFlight: 3, half: true},
		"half, unkind":    {inFlight: 1, half: true, unkind: true},
		"half, lossy":     {inFlight: 1, half: true, lossy: true},
		"passive":         {inFlight: 3, half: true, passive: true},
		"passive, unkind": {inFlight: 1, half: true, passive: true, unkind: true},
	} {
		t.Run(name, func(t *testing.T) { m.explore(t) })
	}
}

func (m *closingPairModel) explore(t *testing.T) {
	var start closingPair
	start.ends[1].server = true
	start.ends[0].passive, start.ends[1].passive = m.passive, m.passive
	// left is how many steps are bound to happen at most from here; 0: that is being found out.
	left := map[closingPair]int{}
	rests := 0
	var follow func(p closingPair) int
	follow = func(p closingPair) int {
		if n, ok := left[p]; ok {
			if n == 0 {
				t.Fatalf("what is bound to happen can go on for ever:\n%v", &p)
			}
			return n
		}
		left[p] = 0
		next, err := m.must(&p)
		if err == nil && len(next) == 0 {
			rests++
			err = m.rest(&p)
		}
		if err != nil {
			t.Fatalf("%v:\n%v", err, &p)
		}
		most := 0
		for _, q := range next {
			most = max(most, follow(q))
		}
		left[p] = most + 1
		return most + 1
	}
	seen := map[closingPair]bool{start: true}
	longest := 0
	for queue := []closingPair{start}; len(queue) > 0; {
		p := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		longest = max(longest, follow(p))
		next, err := m.must(&p)
		if err == nil {
			var more []closingPair
			more, err = m.may(&p)
			next = append(next, more...)
		}
		if err != nil {
			t.Fatalf("%v:\n%v", err, &p)
		}
		for _, q := range next {
			if !seen[q] {
				seen[q] = true
				queue = append(queue, q)
			}
		}
	}
	if len(seen) < 100 || rests < 2 {
		t.Errorf("only %d states and %d ends: the model does not move", len(seen), rests)
	}
	t.Logf("%d states, %d where it rests, at most %d steps to there", len(seen), rests, longest)
}
