package otelws_test

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/telemetry/otelws"
	"go.opentelemetry.io/otel/sdk/metric"
)

// TestGroup: a broadcast to one member.
func TestGroup(t *testing.T) {
	reader, g := metric.NewManualReader(), new(websocket.Group)
	registration, err := otelws.ObserveGroup(metric.NewMeterProvider(metric.WithReader(reader)), "room", g)
	if err != nil {
		t.Fatal(err)
	}
	joined := make(chan error, 1)
	srv := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		joined <- g.Add(c)
		c.Read(ctx)
	}))
	defer srv.Close()
	c, _, err := websocket.Dial(context.Background(), srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := <-joined; err != nil {
		t.Fatal(err)
	}
	if err := g.Broadcast(websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(context.Background()); err != nil {
		t.Fatal(err)
	}
	sums := sumsOf(t, reader)
	for name, want := range map[string]int64{"members": 1, "messages": 1, "sent": 1, "dropped": 0, "unsent": 0, "closed_slow": 0} {
		if got, ok := sums["websocket.group."+name]; got != want || !ok {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	if err := registration.Unregister(); err != nil {
		t.Error(err)
	}
	if sums := sumsOf(t, reader); len(sums) != 0 {
		t.Errorf("afterwards there are %v", sums)
	}
}
