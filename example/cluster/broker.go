package main

import (
	"context"
	"errors"
	"log"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// startBroker starts a NATS server in this process that stores streams in dir. Port -1 is any.
func startBroker(dir string, port int) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{
		ServerName: "broker", Host: "127.0.0.1", Port: port, NoSigs: true,
		JetStream: true, StoreDir: dir,
	})
	if err != nil {
		return nil, err
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		s.Shutdown()
		return nil, errors.New("the broker does not start")
	}
	return s, nil
}

// connect connects a node to the broker, and keeps it connected.
func connect(n *node) (*nats.Conn, error) {
	options := []nats.Option{
		nats.Name(n.name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(n.patience / 8),
		nats.ReconnectJitter(n.patience/8, n.patience/8),
		// A broker that does not answer is lost after three of these.
		nats.PingInterval(n.patience / 4),
		nats.MaxPingsOutstanding(2),
		// What can't be published now fails now. Its author says it again, perhaps on another node; a buffer here would
		// publish it late, when the stream may have forgotten that it has it already.
		nats.ReconnectBufSize(-1),
		nats.FlusherTimeout(n.patience),
		nats.DisconnectErrHandler(func(*nats.Conn, error) { n.brokerLost() }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Printf("node %s: %v", n.name, err) }),
		nats.ReconnectHandler(func(*nats.Conn) { n.brokerFound() }),
	}
	if n.dialer != nil {
		options = append(options, nats.SetCustomDialer(n.dialer))
	}
	return nats.Connect(n.broker, options...)
}

const (
	historySize = 1000            // remarks that the stream keeps of each room
	historyAge  = 24 * time.Hour  // and for how long
	sameTag     = 2 * time.Minute // for how long the stream knows a tag again
)

// openStream returns the stream of all that is said, in all rooms. The first node makes it.
func openStream(ctx context.Context, js jetstream.JetStream) (jetstream.Stream, error) {
	return js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:              "CHAT",
		Subjects:          []string{subject("*")},
		MaxMsgsPerSubject: historySize,
		MaxAge:            historyAge,
		Duplicates:        sameTag,
		MaxConsumers:      10_000, // one for each room on each node; 1,000 if nothing is said
	})
}

// subject is what the remarks of a room are published under.
func subject(room string) string { return "chat." + room }
