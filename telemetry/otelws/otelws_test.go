package otelws_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/telemetry"
	"github.com/closeonce/websocket/telemetry/otelws"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// TestSpanAndMetrics: a client's connection is a span below the one under which it was dialled. It ends well, or is lost.
func TestSpanAndMetrics(t *testing.T) {
	for _, lost := range []bool{false, true} {
		exporter, reader := tracetest.NewInMemoryExporter(), metric.NewManualReader()
		spans := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
		observed, err := otelws.NewTrace(spans, metric.NewMeterProvider(metric.WithReader(reader)), true)
		if err != nil {
			t.Fatal(err)
		}
		closed := make(chan bool)
		joined := telemetry.Join(observed, &websocket.Trace{Closed: func(*websocket.Conn, error, websocket.Stats) { close(closed) }})
		srv := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
			typ, p, _ := c.Read(ctx)
			c.Write(ctx, typ, p)
			c.Read(ctx)
			if !lost {
				c.Read(ctx) // and answers the Close
			}
			c.CloseNow()
		}))
		ctx, parent := spans.Tracer("test").Start(context.Background(), "parent")
		play(t, ctx, srv.URL, joined, lost)
		<-closed
		srv.Close()
		check(t, exporter.GetSpans(), parent, lost)
		sums := sumsOf(t, reader)
		if sums["websocket.connections"] != 0 || sums["websocket.messages"] != 3 {
			t.Errorf("metrics: %v", sums)
		}
	}
}

func play(t *testing.T, ctx context.Context, url string, trace *websocket.Trace, lost bool) {
	c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{Trace: trace})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Write(ctx, websocket.MessageText, nil); err != nil {
		t.Fatal(err)
	}
	if !lost {
		c.Close(websocket.StatusNormalClosure, "")
	}
}

func check(t *testing.T, spans tracetest.SpanStubs, parent trace.Span, lost bool) {
	if len(spans) != 1 {
		t.Fatalf("%d spans", len(spans))
	}
	s := spans[0]
	if s.Name != "websocket" || s.SpanKind != trace.SpanKindClient || s.Parent.SpanID() != parent.SpanContext().SpanID() {
		t.Errorf("%s, a %v below %v", s.Name, s.SpanKind, s.Parent.SpanID())
	}
	attributes := attribute.NewSet(s.Attributes...)
	by, _ := attributes.Value("websocket.closed_by")
	written, _ := attributes.Value("websocket.written.messages")
	if want := map[bool]string{false: "local", true: "loss"}[lost]; by.AsString() != want || written.AsInt64() != 2 {
		t.Errorf("closed by %v, %v messages", by.AsString(), written.AsInt64())
	}
	if (s.Status.Code == codes.Error) != lost {
		t.Errorf("lost %v: status %v", lost, s.Status)
	}
	if len(s.Events) == 0 || s.Events[len(s.Events)-1].Name != "closed" {
		t.Errorf("events %v", s.Events)
	}
}

// sumsOf returns the sums of all counters.
func sumsOf(t *testing.T, reader *metric.ManualReader) map[string]int64 {
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	sums := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok {
				for _, point := range sum.DataPoints {
					sums[m.Name] += point.Value
				}
			}
		}
	}
	return sums
}

// BenchmarkMessage is what a message costs besides: two functions of the Trace are called for an echo of it.
func BenchmarkMessage(b *testing.B) {
	trace, err := otelws.NewTrace(sdktrace.NewTracerProvider(), metric.NewMeterProvider(metric.WithReader(metric.NewManualReader())), false)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		trace.MessageRead(nil, websocket.MessageInfo{Type: websocket.MessageText, Size: 64})
	}
}
