package promws_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/telemetry/promws"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

const wantGroup = `
# HELP websocket_group_closed_slow_total Members that were closed by the policy.
# TYPE websocket_group_closed_slow_total counter
websocket_group_closed_slow_total{group="room",policy="DropOldest"} 0
# HELP websocket_group_dropped_total Messages that the policy dropped.
# TYPE websocket_group_dropped_total counter
websocket_group_dropped_total{group="room",policy="DropOldest"} 0
# HELP websocket_group_members Members of the group.
# TYPE websocket_group_members gauge
websocket_group_members{group="room"} 1
# HELP websocket_group_messages_total Messages that were broadcast.
# TYPE websocket_group_messages_total counter
websocket_group_messages_total{group="room"} 2
# HELP websocket_group_sent_total Messages that began to leave, by members.
# TYPE websocket_group_sent_total counter
websocket_group_sent_total{group="room"} 2
# HELP websocket_group_unsent_total Messages that did not leave before a member left.
# TYPE websocket_group_unsent_total counter
websocket_group_unsent_total{group="room"} 0
`

// TestGroup: two broadcasts to one member.
func TestGroup(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	g := &websocket.Group{Policy: websocket.DropOldest}
	if err := promws.RegisterGroup(reg, "room", g); err != nil {
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
	for _, text := range []string{"one", "two"} {
		if err := g.Broadcast(websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, p, err := c.Read(context.Background()); err != nil || string(p) != text {
			t.Fatalf("Read gave %q, %v", p, err)
		}
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(wantGroup)); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(reg); len(problems) > 0 || err != nil {
		t.Error(problems, err)
	}
	if err := promws.RegisterGroup(reg, "room", g); err == nil {
		t.Error("one name for two groups")
	}
	if err := promws.RegisterGroup(reg, "another room", g); err != nil {
		t.Error(err)
	}
}
