package promws

import (
	"github.com/closeonce/websocket"
	"github.com/prometheus/client_golang/prometheus"
)

// RegisterGroup registers the figures of a group with reg, under a name that tells groups apart. They are looked up when the
// metrics are collected, and cost nothing besides.
func RegisterGroup(reg prometheus.Registerer, name string, g *websocket.Group) error {
	desc := func(metric, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("websocket_group_"+metric, help, labels, prometheus.Labels{"group": name})
	}
	return reg.Register(&group{
		of:       g,
		members:  desc("members", "Members of the group."),
		messages: desc("messages_total", "Messages that were broadcast."),
		sent:     desc("sent_total", "Messages that began to leave, by members."),
		dropped:  desc("dropped_total", "Messages that the policy dropped.", "policy"),
		unsent:   desc("unsent_total", "Messages that did not leave before a member left."),
		closed:   desc("closed_slow_total", "Members that were closed by the policy.", "policy"),
	})
}

// A group is a Collector of one group's figures.
type group struct {
	of                                               *websocket.Group
	members, messages, sent, dropped, unsent, closed *prometheus.Desc
}

// Describe sends what the figures are.
func (g *group) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.members, g.messages, g.sent, g.dropped, g.unsent, g.closed} {
		to <- d
	}
}

// Collect sends the figures of one moment.
func (g *group) Collect(to chan<- prometheus.Metric) {
	s := g.of.Stats()
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	to <- prometheus.MustNewConstMetric(g.members, prometheus.GaugeValue, float64(s.Members))
	counter(g.messages, s.Messages)
	counter(g.sent, s.Sent)
	counter(g.dropped, s.Dropped, s.Policy.String())
	counter(g.unsent, s.Unsent)
	counter(g.closed, s.Closed, s.Policy.String())
}
