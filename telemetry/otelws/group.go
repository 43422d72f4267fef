package otelws

import (
	"context"
	"errors"

	"github.com/closeonce/websocket"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// ObserveGroup shows the figures of a group as metrics, under a name that tells groups apart: websocket.group.members,
// .messages, .sent, .dropped, .unsent and .closed_slow, with the attributes websocket.group and websocket.group.policy. They are
// looked up when the metrics are collected, and cost nothing besides. Unregister ends it.
func ObserveGroup(metrics metric.MeterProvider, name string, g *websocket.Group) (metric.Registration, error) {
	m := metrics.Meter(scope)
	var errs [6]error
	counter := func(i int, name, help string) metric.Int64ObservableCounter {
		c, err := m.Int64ObservableCounter("websocket.group."+name, metric.WithDescription(help))
		errs[i] = err
		return c
	}
	members, err := m.Int64ObservableUpDownCounter("websocket.group.members", metric.WithDescription("Members of the group"))
	errs[0] = err
	messages := counter(1, "messages", "Messages that were broadcast")
	sent := counter(2, "sent", "Messages that began to leave, by members")
	dropped := counter(3, "dropped", "Messages that the policy dropped")
	unsent := counter(4, "unsent", "Messages that did not leave before a member left")
	closed := counter(5, "closed_slow", "Members that were closed by the policy")
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := g.Stats()
		of := metric.WithAttributes(attribute.String("websocket.group", name), attribute.String("websocket.group.policy", s.Policy.String()))
		o.ObserveInt64(members, int64(s.Members), of)
		o.ObserveInt64(messages, int64(s.Messages), of)
		o.ObserveInt64(sent, int64(s.Sent), of)
		o.ObserveInt64(dropped, int64(s.Dropped), of)
		o.ObserveInt64(unsent, int64(s.Unsent), of)
		o.ObserveInt64(closed, int64(s.Closed), of)
		return nil
	}, members, messages, sent, dropped, unsent, closed)
}
