//go:build unix

// Command costs compares what a WebSocket costs over HTTP/1.1 with TLS, over HTTP/2 and over HTTP/3, and prints it as a table:
// round trips per second, CPU time of the server and of the client for each message and its echo, and memory for each WebSocket.
//
//	go run ./internal/costs
//
// in the folder http3. Server and client are processes of their own, on one machine. The versions take turns within each round; a
// figure is the median of the rounds. Nothing else should run meanwhile.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"slices"
	"time"
)

var (
	rounds  = flag.Int("rounds", 7, "how often each case is measured")
	span    = flag.Duration("for", time.Second, "how long a case is measured in a round")
	waiting = flag.Int("waiting", 500, "how many WebSockets wait when memory is measured")

	// net/http's client has a buffer of this size, or of 512 KiB, for each stream.
	maxFrame = flag.Int("frame", 0, "the HTTP/2 server's MaxReadFrameSize; 0 is that of net/http, 1 MiB")
)

// A load is a case: so many WebSockets, each of which sends messages of this size one after another, and waits for the echo.
type load struct{ size, streams int }

var loads = []load{{64, 1}, {4096, 1}, {64, 100}, {4096, 100}}

func main() {
	log.SetFlags(0)
	if len(os.Args) == 4 && os.Args[1] == "serve" {
		serve(version(os.Args[2]), os.Args[3])
		return
	}
	flag.Parse()
	if flag.NArg() > 0 || *rounds < 1 || *waiting < 100 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	var t table
	for round := range *rounds {
		for _, l := range loads {
			for i := range versions {
				v := versions[(i+round)%len(versions)]
				f, err := measure(v, l)
				if err != nil {
					return fmt.Errorf("%s, %+v: %w", v, l, err)
				}
				name := fmt.Sprintf("%s, %s", size(l.size), count(l.streams, "WebSocket"))
				t.add(name, "round trips/s", v, f.rate)
				t.add(name, "server, us/message", v, f.server)
				t.add(name, "client, us/message", v, f.client)
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, *rounds)
	}
	for _, perConnection := range []int{1, 100} {
		for _, v := range versions {
			if v == h1 && perConnection > 1 {
				continue
			}
			server, client, err := memory(v, *waiting, perConnection)
			if err != nil {
				return fmt.Errorf("%s, memory: %w", v, err)
			}
			name := fmt.Sprintf("%d wait, %d on each connection", *waiting, perConnection)
			t.add(name, "server, KiB/WebSocket", v, server)
			t.add(name, "client, KiB/WebSocket", v, client)
		}
	}
	t.print()
	fmt.Printf("\nMeasured %s with %s on %d processors, in %s.\n", time.Now().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(),
		count(*rounds, "round"))
	return nil
}

func size(n int) string {
	if n >= 1024 {
		return fmt.Sprintf("%d KiB", n/1024)
	}
	return fmt.Sprintf("%d B", n)
}

func count(n int, what string) string {
	if n == 1 {
		return "one " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// A table has what was measured, by case and unit, in the order in which it came first.
type table struct {
	rows   []row
	values map[row]map[version][]float64
}

type row struct{ name, unit string }

func (t *table) add(name, unit string, v version, value float64) {
	r := row{name, unit}
	if t.values == nil {
		t.values = map[row]map[version][]float64{}
	}
	if t.values[r] == nil {
		t.values[r] = map[version][]float64{}
		t.rows = append(t.rows, r)
	}
	t.values[r][v] = append(t.values[r][v], value)
}

func (t *table) print() {
	fmt.Println("| case | unit | HTTP/1.1 over TLS | HTTP/2 over TLS | HTTP/3 |")
	fmt.Println("| --- | --- | ---: | ---: | ---: |")
	for _, r := range t.rows {
		fmt.Printf("| %s | %s |", r.name, r.unit)
		for _, v := range versions {
			fmt.Printf(" %s |", figure(t.values[r][v]))
		}
		fmt.Println()
	}
}

// figure is the median, with three digits.
func figure(values []float64) string {
	if len(values) == 0 {
		return ""
	}
	slices.Sort(values)
	m := values[len(values)/2]
	switch {
	case m >= 100:
		return fmt.Sprintf("%.0f", m)
	case m >= 10:
		return fmt.Sprintf("%.1f", m)
	}
	return fmt.Sprintf("%.2f", m)
}
