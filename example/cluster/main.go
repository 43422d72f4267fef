// Cluster is a chat on several machines, in one program:
//
//	go run .
//
// It starts a broker and three nodes, and prints their addresses. With -nats the broker is another program, and the nodes of
// several such programs are one cluster.
//
// Read wire/wire.go, room.go, node.go, presence.go, client/client.go, in this order.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	var s settings
	addr := flag.String("addr", "127.0.0.1:8080", "`address` of the first node; the others get the next ports")
	count := flag.Int("nodes", 3, "`number` of nodes")
	flag.StringVar(&s.name, "name", "", "`name` of the first node, which has to be the only one with it (default: its port)")
	flag.StringVar(&s.url, "url", "", "`URL` under which a single node is reached (default: its address)")
	flag.StringVar(&s.broker, "nats", "", "`URL` of NATS with JetStream (default: one in this process)")
	flag.DurationVar(&s.patience, "patience", 4*time.Second, "how long a node without the broker keeps its clients")
	origins := flag.String("origins", "127.0.0.1:*,localhost:*", "`hosts` whose pages may connect: those of all nodes")
	dir := flag.String("dir", "", "`directory` of the broker in this process (default: one that is removed at the end)")
	flag.Parse()
	log.SetFlags(0)
	s.origins = strings.Split(*origins, ",")

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once
	started := func(n *node) { log.Printf("node %s is at %s", n.name, n.url) }
	if err := start(ctx, s, *addr, *count, *dir, started); err != nil {
		log.Fatal(err)
	}
}

// start starts nodes, and a broker if there is none, and stops them when ctx is done.
func start(ctx context.Context, s settings, addr string, count int, dir string, started func(*node)) error {
	if s.broker == "" {
		if dir == "" {
			temporary, err := os.MkdirTemp("", "cluster")
			if err != nil {
				return err
			}
			defer os.RemoveAll(temporary)
			dir = temporary
		}
		broker, err := startBroker(dir, -1)
		if err != nil {
			return err
		}
		defer broker.WaitForShutdown()
		defer broker.Shutdown()
		s.broker = broker.ClientURL()
	}
	var nodes sync.WaitGroup
	defer nodes.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // stops the nodes that did start, if one does not
	for range count {
		n, err := startNext(s, &addr)
		if err != nil {
			return err
		}
		started(n)
		nodes.Go(func() {
			<-ctx.Done()
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := n.stop(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				log.Printf("node %s: %v", n.name, err)
			}
		})
	}
	<-ctx.Done()
	return nil
}

// startNext starts a node at addr, which becomes the next address.
func startNext(s settings, addr *string) (*node, error) {
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return nil, err
	}
	host, port, _ := net.SplitHostPort(*addr)
	s.name = cmp.Or(s.name, fmt.Sprint(ln.Addr().(*net.TCPAddr).Port))
	if number, err := strconv.Atoi(port); err == nil && number > 0 {
		*addr = net.JoinHostPort(host, strconv.Itoa(number+1))
	}
	n, err := startNode(s, ln)
	if err != nil {
		ln.Close()
	}
	return n, err
}
