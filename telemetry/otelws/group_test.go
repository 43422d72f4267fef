package otelws_test

import (
	"context"
	"testing"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/telemetry/internal/room"
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
	c := room.Join(t, g)
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
