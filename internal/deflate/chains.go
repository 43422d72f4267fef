package deflate

import (
	"encoding/binary"
	"math/bits"
)

// chains finds all earlier places that start like the one at hand, newest first.
// They live in a pool of their own: only an encoder with positive effort takes
// them, and only while it works on a message.
//
// Positions count on from message to message. So what is left of the last message
// lies before the start of this one, and nothing needs to be cleared.
type chains struct {
	newest [1 << chainBits]uint32     // position, by what it starts with
	back   [1 << maxWindowBits]uint16 // from a position to the one before it; 0: none in reach
	origin uint32                     // position of buf[0]
	next   uint32                     // first position not entered
}

const (
	chainBits = 15
	chainLoad = 4 // bytes that the places of one chain share
	chainMask = 1<<maxWindowBits - 1
)

func chainSlot(v uint32) uint32 { return v * 0x9E3779B1 >> (32 - chainBits) }

// begin starts another message. Without positive effort there is nothing to do.
func (c *chains) begin() {
	if c != nil {
		c.origin = c.next + 1
		c.next = c.origin
	}
}

// enter enters the places before end that are not entered yet and may come to be
// in reach.
func (c *chains) enter(buf []byte, end int) {
	end = min(end, len(buf)-chainLoad+1)
	s := max(int(int32(c.next-c.origin)), end-1<<maxWindowBits, 0)
	// Most are entered four at a time: one load has them all.
	for ; s+3 < end && s+8 <= len(buf); s += 4 {
		v := binary.LittleEndian.Uint64(buf[s:])
		now := c.origin + uint32(s)
		c.enterOne(now, uint32(v))
		c.enterOne(now+1, uint32(v>>8))
		c.enterOne(now+2, uint32(v>>16))
		c.enterOne(now+3, uint32(v>>24))
	}
	for ; s < end; s++ {
		c.enterOne(c.origin+uint32(s), binary.LittleEndian.Uint32(buf[s:]))
	}
	if next := c.origin + uint32(max(end, 0)); int32(next-c.next) > 0 {
		c.next = next
	}
}

func (c *chains) enterOne(position, start uint32) {
	newest := &c.newest[chainSlot(start)]
	back := position - *newest
	*newest = position
	if back > 1<<maxWindowBits {
		back = 0
	}
	c.back[position&chainMask] = uint16(back)
}

// match is a place that starts like the one at hand, and how far it does.
type match struct{ length, distance int }

// worth compares matches: what a byte more is worth in bits of distance.
func (m match) worth() int { return byteWorth*m.length - bits.Len32(uint32(m.distance)) }

const byteWorth = 5

// longest looks at up to so many earlier places for the match at s that is worth
// most, and returns best if none is worth more than that. It stops at one that is
// long enough. It is given only places with chainLoad bytes behind them.
func (c *chains) longest(buf []byte, s, reach, tries, enough int, best match) match {
	c.enter(buf, s)
	v := binary.LittleEndian.Uint32(buf[s:])
	now := c.origin + uint32(s)
	reach = min(reach, s)
	length := max(best.length-2, chainLoad-1) // what is shorter is hardly ever worth more
	if s+length >= len(buf) {
		return best
	}
	worth := best.worth()
	for d := int(now - c.newest[chainSlot(v)]); uint(d-1) < uint(reach) && tries > 0; tries-- {
		if binary.LittleEndian.Uint32(buf[s-d:]) == v && buf[s+length] == buf[s-d+length] {
			m := match{chainLoad + matching(buf[s+chainLoad:], buf[s-d+chainLoad:]), d}
			if w := m.worth(); m.length > length && w > worth {
				best, worth, length = m, w, m.length
				if length >= enough || s+length == len(buf) {
					break
				}
			}
		}
		back := int(c.back[(now-uint32(d))&chainMask])
		if back == 0 {
			break
		}
		d += back
	}
	return best
}

// findAll is find with positive effort.
func (e *encoder) findAll(buf []byte, start, reach int) int {
	e.numSequences = 0
	c, t := e.chains, &thoroughness[e.effort]
	next := start // first byte that no sequence covers
	last := len(buf) - chainLoad
	for s := start; s <= last; {
		m := c.longest(buf, s, reach, t.tries, t.enough, match{})
		if m.length == 0 {
			s += 1 + (s-next)>>patience
			continue
		}
		for s < last && m.length < t.lazy {
			later := c.longest(buf, s+1, reach, t.tries, t.enough, m)
			if later == m {
				break
			}
			s++
			m = later
		}
		if !e.addMatch(s-next, m.length, m.distance) {
			return next
		}
		s += m.length
		next = s
	}
	return len(buf)
}

// patience is skipAfter for positive effort.
const patience = 8
