// Package promws shows WebSockets as metrics of Prometheus:
//
//	websocket_connections{role}                      open now
//	websocket_closed_total{role,by,code}             ended: who closed, and with which status code
//	websocket_connection_seconds{role}               how long they lived
//	websocket_messages_total{role,direction}         messages
//	websocket_message_bytes_total{role,direction}    their size, not compressed
//	websocket_frames_total{role,direction,opcode}    frames, control frames included
//	websocket_wire_bytes_total{role,direction}       bytes of frames, counted when a connection ends
//	websocket_round_trip_seconds{role}               answers to Pings
//	websocket_queue_full_total{role}                 messages that did not fit into the queue
//	websocket_dropped_messages_total{role}           messages that were taken and never left
package promws

import (
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/telemetry"
	"github.com/prometheus/client_golang/prometheus"
)

// NewTrace registers the metrics of one role with reg, and returns what counts for them. client says that it is for Dial, and
// not for Accept; there may be one of each. A second one for the same role counts for the same metrics.
func NewTrace(reg prometheus.Registerer, client bool) (*websocket.Trace, error) {
	m := newMetrics(telemetry.Role(client))
	if err := m.register(reg); err != nil {
		return nil, err
	}
	return m.trace(), nil
}

// metrics are those of one role.
type metrics struct {
	open           prometheus.Gauge
	closed         *prometheus.CounterVec
	lived          prometheus.Histogram
	messages, size *prometheus.CounterVec
	frames, wire   *prometheus.CounterVec
	roundTrip      prometheus.Histogram
	full, dropped  prometheus.Counter
}

func newMetrics(role string) *metrics {
	labels := prometheus.Labels{"role": role}
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "websocket", Name: name, Help: help, ConstLabels: labels}
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "websocket", Name: name, Help: help, ConstLabels: labels, Buckets: buckets,
		})
	}
	vec := func(name, help string, names ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts(opts(name, help)), names)
	}
	return &metrics{
		open:      prometheus.NewGauge(prometheus.GaugeOpts(opts("connections", "WebSockets that are open."))),
		closed:    vec("closed_total", "WebSockets that have ended.", "by", "code"),
		lived:     histogram("connection_seconds", "How long WebSockets lived.", prometheus.ExponentialBuckets(0.1, 4, 12)),
		messages:  vec("messages_total", "Messages.", "direction"),
		size:      vec("message_bytes_total", "Size of the messages, not compressed.", "direction"),
		frames:    vec("frames_total", "Frames, control frames included.", "direction", "opcode"),
		wire:      vec("wire_bytes_total", "Bytes of frames, counted when a WebSocket ends.", "direction"),
		roundTrip: histogram("round_trip_seconds", "Time from a Ping to its Pong.", prometheus.ExponentialBuckets(0.001, 2, 14)),
		full:      prometheus.NewCounter(prometheus.CounterOpts(opts("queue_full_total", "Messages that did not fit into the queue."))),
		dropped:   prometheus.NewCounter(prometheus.CounterOpts(opts("dropped_messages_total", "Messages that were taken and never left."))),
	}
}

// register registers them, or takes those that are registered already.
func (m *metrics) register(reg prometheus.Registerer) error {
	for _, err := range []error{
		registerOne(reg, &m.open), registerOne(reg, &m.closed), registerOne(reg, &m.lived),
		registerOne(reg, &m.messages), registerOne(reg, &m.size), registerOne(reg, &m.frames), registerOne(reg, &m.wire),
		registerOne(reg, &m.roundTrip), registerOne(reg, &m.full), registerOne(reg, &m.dropped),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func registerOne[C prometheus.Collector](reg prometheus.Registerer, c *C) error {
	err := reg.Register(*c)
	if already, ok := err.(prometheus.AlreadyRegisteredError); ok {
		if same, ok := already.ExistingCollector.(C); ok {
			*c = same
			return nil
		}
	}
	return err
}

// trace returns what counts for them. Counters with labels are looked up once, not for each message.
func (m *metrics) trace() *websocket.Trace {
	message := func(direction string) func(*websocket.Conn, websocket.MessageInfo) {
		n, size := m.messages.WithLabelValues(direction), m.size.WithLabelValues(direction)
		return func(_ *websocket.Conn, info websocket.MessageInfo) {
			n.Inc()
			size.Add(float64(info.Size))
		}
	}
	frame := func(direction string) func(*websocket.Conn, websocket.FrameInfo) {
		var n [16]prometheus.Counter
		for _, op := range []websocket.Opcode{websocket.OpContinuation, websocket.OpText, websocket.OpBinary,
			websocket.OpClose, websocket.OpPing, websocket.OpPong} {
			n[op] = m.frames.WithLabelValues(direction, op.String())
		}
		return func(_ *websocket.Conn, f websocket.FrameInfo) { n[f.Opcode].Inc() }
	}
	read, written := m.wire.WithLabelValues("read"), m.wire.WithLabelValues("written")
	return &websocket.Trace{
		HandshakeDone:  func(*websocket.Conn, websocket.HandshakeInfo) { m.open.Inc() },
		MessageRead:    message("read"),
		MessageWritten: message("written"),
		FrameRead:      frame("read"),
		FrameWritten:   frame("written"),
		PingAnswered:   func(_ *websocket.Conn, rtt time.Duration) { m.roundTrip.Observe(rtt.Seconds()) },
		Slow:           func(*websocket.Conn, int) { m.full.Inc() },
		Closed: func(_ *websocket.Conn, _ error, s websocket.Stats) {
			m.open.Dec()
			m.closed.WithLabelValues(s.ClosedBy.String(), telemetry.Code(s.CloseCode)).Inc()
			m.lived.Observe(time.Since(s.Opened).Seconds())
			m.dropped.Add(float64(s.Dropped))
			read.Add(float64(s.Read.WireBytes))
			written.Add(float64(s.Written.WireBytes))
		},
	}
}
