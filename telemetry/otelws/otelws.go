// Package otelws shows WebSockets as spans and metrics of OpenTelemetry.
//
// A connection is one span, "websocket", from the handshake to its end, below the span of the request's context, if there is
// one (a server's, as package otelhttp makes it, or the one under which Dial was called). Steps of the closing handshake are
// its events; how much went through, and who closed with which code, are its attributes. Its status is Error if the
// connection was lost or the peer broke the protocol.
//
// The metrics are websocket.connections, websocket.messages, websocket.message.size, websocket.round_trip and
// websocket.queue_full, with the attributes websocket.role and websocket.direction.
package otelws

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/telemetry"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

const scope = "github.com/closeonce/websocket/telemetry/otelws"

// NewTrace returns a Trace for the connections of one role; client says that it is for Dial, and not for Accept. Spans go to
// spans, metrics to metrics.
func NewTrace(spans trace.TracerProvider, metrics metric.MeterProvider, client bool) (*websocket.Trace, error) {
	role := attribute.String("websocket.role", telemetry.Role(client))
	o := &observer{
		tracer:  spans.Tracer(scope),
		client:  client,
		role:    metric.WithAttributeSet(attribute.NewSet(role)),
		read:    metric.WithAttributeSet(attribute.NewSet(role, attribute.String("websocket.direction", "read"))),
		written: metric.WithAttributeSet(attribute.NewSet(role, attribute.String("websocket.direction", "written"))),
	}
	if err := o.instruments(metrics.Meter(scope)); err != nil {
		return nil, err
	}
	return &websocket.Trace{
		HandshakeDone:  o.handshakeDone,
		MessageRead:    func(c *websocket.Conn, m websocket.MessageInfo) { o.message(c, m, o.read) },
		MessageWritten: func(c *websocket.Conn, m websocket.MessageInfo) { o.message(c, m, o.written) },
		StateChanged:   o.stateChanged,
		PingAnswered: func(c *websocket.Conn, rtt time.Duration) {
			o.roundTrip.Record(o.context(c), rtt.Seconds(), o.role)
		},
		Slow:   func(c *websocket.Conn, queued int) { o.full.Add(o.context(c), 1, o.role) },
		Closed: o.closed,
	}, nil
}

type observer struct {
	tracer              trace.Tracer
	client              bool
	role, read, written metric.MeasurementOption

	open      metric.Int64UpDownCounter
	messages  metric.Int64Counter
	size      metric.Int64Histogram
	roundTrip metric.Float64Histogram
	full      metric.Int64Counter

	spans sync.Map // context.Context with its span, by *websocket.Conn, until it has ended
}

func (o *observer) instruments(m metric.Meter) error {
	var errs [5]error
	o.open, errs[0] = m.Int64UpDownCounter("websocket.connections", metric.WithDescription("WebSockets that are open"))
	o.messages, errs[1] = m.Int64Counter("websocket.messages", metric.WithDescription("Messages"))
	o.size, errs[2] = m.Int64Histogram("websocket.message.size", metric.WithUnit("By"),
		metric.WithDescription("Size of a message, not compressed"))
	o.roundTrip, errs[3] = m.Float64Histogram("websocket.round_trip", metric.WithUnit("s"),
		metric.WithDescription("Time from a Ping to its Pong"))
	o.full, errs[4] = m.Int64Counter("websocket.queue_full", metric.WithDescription("Messages that did not fit into the queue"))
	return errors.Join(errs[:]...)
}

// context returns one with the connection's span.
func (o *observer) context(c *websocket.Conn) context.Context {
	if ctx, ok := o.spans.Load(c); ok {
		return ctx.(context.Context)
	}
	return context.Background()
}

func (o *observer) handshakeDone(c *websocket.Conn, h websocket.HandshakeInfo) {
	kind := trace.SpanKindServer
	if o.client {
		kind = trace.SpanKindClient
	}
	parent := trace.SpanContextFromContext(c.Context())
	ctx, _ := o.tracer.Start(trace.ContextWithSpanContext(context.Background(), parent), "websocket", trace.WithSpanKind(kind),
		trace.WithAttributes(
			attribute.String("websocket.subprotocol", c.Subprotocol()),
			attribute.Bool("websocket.compressed", h.Compressed),
			attribute.String("network.peer.address", address(c)),
		))
	o.spans.Store(c, ctx)
	o.open.Add(ctx, 1, o.role)
}

// address is the peer's, which not every net.Conn has.
func address(c *websocket.Conn) string {
	if a := c.RemoteAddr(); a != nil {
		return a.String()
	}
	return ""
}

func (o *observer) message(c *websocket.Conn, m websocket.MessageInfo, direction metric.MeasurementOption) {
	ctx := o.context(c)
	o.messages.Add(ctx, 1, direction)
	o.size.Record(ctx, m.Size, direction)
}

func (o *observer) stateChanged(c *websocket.Conn, _, to websocket.CloseState) {
	trace.SpanFromContext(o.context(c)).AddEvent(to.String())
}

func (o *observer) closed(c *websocket.Conn, reason error, s websocket.Stats) {
	ctx := o.context(c)
	o.spans.Delete(c)
	o.open.Add(ctx, -1, o.role)
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(
		attribute.String("websocket.closed_by", s.ClosedBy.String()),
		attribute.Int("websocket.close_code", int(s.CloseCode)),
		attribute.Int64("websocket.read.messages", s.Read.Messages),
		attribute.Int64("websocket.read.bytes", s.Read.Bytes),
		attribute.Int64("websocket.read.wire_bytes", s.Read.WireBytes),
		attribute.Int64("websocket.written.messages", s.Written.Messages),
		attribute.Int64("websocket.written.bytes", s.Written.Bytes),
		attribute.Int64("websocket.written.wire_bytes", s.Written.WireBytes),
		attribute.Int64("websocket.dropped", s.Dropped),
	)
	if s.ClosedBy == websocket.ClosedByLoss || s.ClosedBy == websocket.ClosedByViolation {
		span.SetStatus(codes.Error, reason.Error())
	}
	span.End()
}
