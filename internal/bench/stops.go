package main

import (
	"fmt"
	"math"
	"net"
	"runtime"
	"runtime/metrics"
	"slices"
	"time"
)

// stops measures how long the garbage collector waits until all goroutines have stopped, while large messages flow. A
// system call that the runtime is not told of makes it wait until the call returns.
type stops struct {
	process *process
	lib     *library
}

// stopsConns is how many connections echo meanwhile, each within the process under test.
const stopsConns = 2

func openStops(lib *library, o order, size int) (subject, error) {
	o.Stops, o.Size = true, size
	p, err := start(lib, o)
	return stops{p, lib}, err
}

func (s stops) close() {
	if s.process != nil {
		s.process.stop()
	}
}

func (s stops) turn(d time.Duration) (found sample, err error) {
	const longer = 10 // a turn has a collection every few milliseconds, and is to have a 99th percentile
	answer, err := s.process.tell("stops " + (longer * d).String())
	if err != nil {
		return found, err
	}
	_, err = fmt.Sscan(answer, &found.value, &found.p99, &found.max)
	found.p50 = found.value
	return found, err
}

// startStops lets a library be the server and the client of some connections, in this process.
func startStops(lib *library, o order) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	service := lib.server(o)
	go func() { fatal(service.serve(ln)) }()
	o.Port, o.Conns = ln.Addr().(*net.TCPAddr).Port, stopsConns
	startClients(lib, o)
	return nil
}

// measureStops collects garbage every other millisecond and answers with the median, the 99th percentile and the
// longest of the times to stop, in microseconds. The metric is a histogram, so they are what the time is below.
func measureStops(argument string) (string, error) {
	d, err := time.ParseDuration(argument)
	if err != nil {
		return "", err
	}
	before := stoppingTimes()
	for start := time.Now(); time.Since(start) < d; {
		runtime.GC()
		time.Sleep(2 * time.Millisecond)
	}
	after := stoppingTimes()
	counts := slices.Clone(after.Counts)
	for i, n := range before.Counts {
		counts[i] -= n
	}
	us := func(p float64) float64 { return histogramBound(counts, after.Buckets, p) * 1e6 }
	return fmt.Sprint(us(0.5), " ", us(0.99), " ", us(1)), nil
}

// stoppingTimes returns how long it has taken since the program began to stop all goroutines for a collection.
func stoppingTimes() metrics.Float64Histogram {
	list := []metrics.Sample{{Name: "/sched/pauses/stopping/gc:seconds"}}
	metrics.Read(list)
	h := *list[0].Value.Float64Histogram()
	h.Counts = slices.Clone(h.Counts)
	return h
}

// histogramBound returns the upper bound of the bucket up to which the share p of all values lie.
func histogramBound(counts []uint64, bounds []float64, p float64) float64 {
	var total, sum uint64
	for _, n := range counts {
		total += n
	}
	for i, n := range counts {
		sum += n
		if n > 0 && float64(sum) >= p*float64(total) {
			return bounds[i+1]
		}
	}
	return math.NaN()
}
