package promws_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/telemetry"
	"github.com/closeonce/websocket/telemetry/promws"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

const want = `
# HELP websocket_closed_total WebSockets that have ended.
# TYPE websocket_closed_total counter
websocket_closed_total{by="local",code="4xxx",role="client"} 1
websocket_closed_total{by="peer",code="4xxx",role="server"} 1
# HELP websocket_connections WebSockets that are open.
# TYPE websocket_connections gauge
websocket_connections{role="client"} 0
websocket_connections{role="server"} 0
# HELP websocket_message_bytes_total Size of the messages, not compressed.
# TYPE websocket_message_bytes_total counter
websocket_message_bytes_total{direction="read",role="client"} 5
websocket_message_bytes_total{direction="read",role="server"} 5
websocket_message_bytes_total{direction="written",role="client"} 5
websocket_message_bytes_total{direction="written",role="server"} 5
# HELP websocket_messages_total Messages.
# TYPE websocket_messages_total counter
websocket_messages_total{direction="read",role="client"} 1
websocket_messages_total{direction="read",role="server"} 1
websocket_messages_total{direction="written",role="client"} 1
websocket_messages_total{direction="written",role="server"} 1
# HELP websocket_queue_full_total Messages that did not fit into the queue.
# TYPE websocket_queue_full_total counter
websocket_queue_full_total{role="client"} 1
websocket_queue_full_total{role="server"} 0
# HELP websocket_wire_bytes_total Bytes of frames, counted when a WebSocket ends.
# TYPE websocket_wire_bytes_total counter
websocket_wire_bytes_total{direction="read",role="client"} 21
websocket_wire_bytes_total{direction="read",role="server"} 33
websocket_wire_bytes_total{direction="written",role="client"} 33
websocket_wire_bytes_total{direction="written",role="server"} 21
`

// TestMetrics: a message each way, a Ping, a message that does not fit, and a Close.
func TestMetrics(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	closed := make(chan bool, 2)
	tell := &websocket.Trace{Closed: func(*websocket.Conn, error, websocket.Stats) { closed <- true }}
	server, err := promws.NewTrace(reg, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := promws.NewTrace(reg, false); err != nil { // a second route of the same server
		t.Fatal(err)
	}
	client, err := promws.NewTrace(reg, true)
	if err != nil {
		t.Fatal(err)
	}
	opts := &websocket.AcceptOptions{Trace: telemetry.Join(server, tell)}
	srv := httptest.NewServer(websocket.Handler(opts, func(ctx context.Context, c *websocket.Conn) {
		for {
			typ, p, err := c.Read(ctx)
			if err != nil || c.Write(ctx, typ, p) != nil {
				return
			}
		}
	}))
	defer srv.Close()
	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, srv.URL, &websocket.DialOptions{QueueLimit: -1, Trace: telemetry.Join(client, tell)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.TryWrite(websocket.MessageText, nil); err != websocket.ErrQueueFull {
		t.Fatal(err)
	}
	if err := c.Close(4321, ""); err != nil {
		t.Fatal(err)
	}
	<-closed
	<-closed
	names := []string{"connections", "closed_total", "messages_total", "message_bytes_total", "queue_full_total", "wire_bytes_total"}
	for i := range names {
		names[i] = "websocket_" + names[i]
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]int{"websocket_round_trip_seconds": 2, "websocket_connection_seconds": 2, "websocket_frames_total": 24, "websocket_dropped_messages_total": 2} {
		if n, err := testutil.GatherAndCount(reg, name); n != want || err != nil {
			t.Errorf("%s: %d series, %v", name, n, err)
		}
	}
	if problems, err := testutil.GatherAndLint(reg); len(problems) > 0 || err != nil {
		t.Error(problems, err)
	}
}

// TestOtherCollector: a name that is taken is an error.
func TestOtherCollector(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "websocket_connections", ConstLabels: prometheus.Labels{"role": "server"}}))
	if _, err := promws.NewTrace(reg, false); err == nil {
		t.Error("two metrics of one name")
	}
}

// BenchmarkMessage is what a message of one frame costs besides.
func BenchmarkMessage(b *testing.B) {
	trace, err := promws.NewTrace(prometheus.NewRegistry(), false)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		trace.FrameRead(nil, websocket.FrameInfo{Opcode: websocket.OpText, Length: 64, Fin: true})
		trace.MessageRead(nil, websocket.MessageInfo{Type: websocket.MessageText, Size: 64})
	}
}
