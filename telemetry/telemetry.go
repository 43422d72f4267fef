// Package telemetry is for what watches WebSockets by a websocket.Trace. Its packages promws and otelws show connections as
// metrics of Prometheus, and as spans and metrics of OpenTelemetry.
package telemetry

import (
	"slices"
	"strconv"
	"time"

	"github.com/closeonce/websocket"
)

// Join returns a Trace that calls the functions of each of several, in their order. A nil one counts for nothing.
func Join(traces ...*websocket.Trace) *websocket.Trace {
	traces = slices.DeleteFunc(slices.Clone(traces), func(t *websocket.Trace) bool { return t == nil })
	if len(traces) == 1 {
		return traces[0]
	}
	joined := new(websocket.Trace)
	for _, t := range traces {
		join(joined, t)
	}
	return joined
}

// join has to's functions call those of t behind what they call already.
func join(to, t *websocket.Trace) {
	first := *to
	if f := t.HandshakeDone; f != nil {
		to.HandshakeDone = func(c *websocket.Conn, h websocket.HandshakeInfo) { call2(first.HandshakeDone, c, h); f(c, h) }
	}
	if f := t.FrameRead; f != nil {
		to.FrameRead = func(c *websocket.Conn, i websocket.FrameInfo) { call2(first.FrameRead, c, i); f(c, i) }
	}
	if f := t.FrameWritten; f != nil {
		to.FrameWritten = func(c *websocket.Conn, i websocket.FrameInfo) { call2(first.FrameWritten, c, i); f(c, i) }
	}
	if f := t.MessageRead; f != nil {
		to.MessageRead = func(c *websocket.Conn, m websocket.MessageInfo) { call2(first.MessageRead, c, m); f(c, m) }
	}
	if f := t.MessageWritten; f != nil {
		to.MessageWritten = func(c *websocket.Conn, m websocket.MessageInfo) { call2(first.MessageWritten, c, m); f(c, m) }
	}
	if f := t.StateChanged; f != nil {
		to.StateChanged = func(c *websocket.Conn, a, b websocket.CloseState) { call3(first.StateChanged, c, a, b); f(c, a, b) }
	}
	if f := t.PingAnswered; f != nil {
		to.PingAnswered = func(c *websocket.Conn, rtt time.Duration) { call2(first.PingAnswered, c, rtt); f(c, rtt) }
	}
	if f := t.Slow; f != nil {
		to.Slow = func(c *websocket.Conn, queued int) { call2(first.Slow, c, queued); f(c, queued) }
	}
	if f := t.Closed; f != nil {
		to.Closed = func(c *websocket.Conn, reason error, s websocket.Stats) {
			call3(first.Closed, c, reason, s)
			f(c, reason, s)
		}
	}
}

func call2[A any](f func(*websocket.Conn, A), c *websocket.Conn, a A) {
	if f != nil {
		f(c, a)
	}
}

func call3[A, B any](f func(*websocket.Conn, A, B), c *websocket.Conn, a A, b B) {
	if f != nil {
		f(c, a, b)
	}
}

// Code returns a status code as a label: the codes of the protocol each for itself, and one label each for 3000 to 3999 and
// 4000 to 4999, of which a peer may choose any. So metrics stay few.
func Code(code websocket.StatusCode) string {
	switch {
	case code < 3000:
		return strconv.Itoa(int(code))
	case code < 4000:
		return "3xxx"
	}
	return "4xxx"
}

// Role returns "client" or "server".
func Role(client bool) string {
	if client {
		return "client"
	}
	return "server"
}
