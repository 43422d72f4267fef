// Codec measures our DEFLATE codec against compress/flate and klauspost's, on
// messages as WebSockets carry them, with and without context takeover:
//
//	go run ./codec [-rounds 15] [-only chat] [-conns 1] [-part deflate] [-effort 0]
//
// It prints CPU per message and sizes. The codecs take turns within each round,
// so that whatever else the machine does strikes all alike, and ratios are
// medians of the rounds' ratios.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

var (
	rounds  = flag.Int("rounds", 15, "rounds in which the codecs take turns")
	only    = flag.String("only", "", "only corpora whose name contains this")
	conns   = flag.Int("conns", 1, "connections that send the messages in turn, each with a codec of its own")
	part    = flag.String("part", "", "deflate, inflate or memory; all if empty")
	profile = flag.String("profile", "", "write a CPU profile to this file")
	alone   = flag.Bool("alone", false, "run only our codec, for a profile")
	effort  = flag.Int("effort", 0, "effort of our codec, -1 to 3")
	seed    = flag.Uint64("seed", 1, "seed of the messages")
)

func main() {
	flag.Parse()
	runtime.LockOSThread()
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		defer pprof.StopCPUProfile()
	}
	var chosen []corpus
	for _, c := range corpora(*seed) {
		if strings.Contains(c.name, *only) {
			chosen = append(chosen, c)
		}
	}
	for _, takeover := range []bool{false, true} {
		if *part == "" || *part == "deflate" {
			deflateTable(chosen, takeover)
		}
		if *part == "" || *part == "inflate" {
			inflateTable(chosen, takeover)
		}
	}
	if *part == "" || *part == "memory" {
		memoryTable()
	}
}

// subject is one codec in a table.
type subject struct {
	name string
	run  func() // all messages once
	took []time.Duration
}

// measure runs the subjects in turn, the first in a round changing.
func measure(subjects []*subject) {
	for _, s := range subjects {
		s.run()
	}
	runtime.GC()
	for round := range *rounds {
		for i := range subjects {
			s := subjects[(round+i)%len(subjects)]
			start := cpuTime()
			s.run()
			s.took = append(s.took, cpuTime()-start)
		}
	}
}

func median[T int | float64 | time.Duration](v []T) T {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}

// ratio is the median of a's times over b's, round by round.
func ratio(a, b *subject) float64 {
	var v []float64
	for i := range a.took {
		v = append(v, float64(a.took[i])/float64(b.took[i]))
	}
	return median(v)
}

func contextName(takeover bool) string {
	if takeover {
		return "with takeover"
	}
	return "no takeover"
}

func deflateTable(chosen []corpus, takeover bool) {
	names := []string{"ours", "std 1", "std 6", "kp 1", "kp stateless"}
	makers := []func(bool) compressor{newOurs, newStd(1), newStd(6), newKlauspost(1), newStateless}
	if *alone {
		names, makers = names[:1], makers[:1]
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\ndeflate, %s\tB\tns/msg\t\tCPU of ours over\t\t\t\tbytes\t\t\t\t\tours over\t\n", contextName(takeover))
	fmt.Fprint(t, "\t")
	for _, h := range []string{"", names[0]} {
		fmt.Fprintf(t, "%s\t", h)
	}
	for _, h := range []string{"std 1", "std 6", "kp 1", "kp sl"} {
		fmt.Fprintf(t, "%s\t", h)
	}
	for _, h := range []string{"ours", "std 1", "std 6", "kp 1", "kp sl", "kp 1"} {
		fmt.Fprintf(t, "%s\t", h)
	}
	fmt.Fprintln(t, "")
	for _, c := range chosen {
		var subjects []*subject
		sizes := make([]int, len(names))
		for i, name := range names {
			codecs := make([]compressor, *conns)
			for k := range codecs {
				codecs[k] = makers[i](takeover)
			}
			dst := make([]byte, 0, 1<<17)
			run := 0
			subjects = append(subjects, &subject{name: name, run: func() {
				// Each run deals the messages out anew: no connection is to find in
				// its window what it sent in the run before.
				run++
				sizes[i] = 0
				for k, m := range c.messages {
					sizes[i] += len(codecs[(k+run)%len(codecs)].compress(dst, m))
				}
			}})
		}
		measure(subjects)
		n := len(c.messages)
		fmt.Fprintf(t, "%s\t%d\t%d\t", c.name, c.bytes()/n, int(median(subjects[0].took))/n)
		for _, s := range subjects[1:] {
			fmt.Fprintf(t, "%.2f\t", ratio(subjects[0], s))
		}
		for _, size := range sizes {
			fmt.Fprintf(t, "%d\t", size/n)
		}
		fmt.Fprintf(t, "%.3f\t\n", float64(sizes[0])/float64(sizes[len(sizes)-min(2, len(sizes))]))
	}
	t.Flush()
}

func inflateTable(chosen []corpus, takeover bool) {
	names := []string{"ours", "std", "kp"}
	makers := []func(bool) inflater{newOursInflater, newStdInflater, newKlauspostInflater}
	if *alone {
		names, makers = names[:1], makers[:1]
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\ninflate, %s\tB\tns/msg\tMB/s\ttimes as fast as\t\t\n\t\t\t\tstd\tkp\t\n", contextName(takeover))
	for _, c := range chosen {
		// What a peer with zlib at its default level would send.
		peers := make([]compressor, *conns)
		for k := range peers {
			peers[k] = newStd(6)(takeover)
		}
		var wires [][]byte
		for k, m := range c.messages {
			w := peers[k%len(peers)].compress(nil, m)
			wires = append(wires, append(append(w, syncTail...), finalBlock...))
		}
		var subjects []*subject
		for i, name := range names {
			dst := make([]byte, 0, 1<<17)
			subjects = append(subjects, &subject{name: name, run: func() {
				// The stream starts anew with each run, and so do its readers.
				codecs := make([]inflater, *conns)
				for k := range codecs {
					codecs[k] = makers[i](takeover)
				}
				for k, w := range wires {
					got := codecs[k%len(codecs)].inflate(dst, w, len(c.messages[k]))
					if !bytes.Equal(got, c.messages[k]) {
						panic(name + " got it wrong")
					}
				}
			}})
		}
		measure(subjects)
		n := len(c.messages)
		took := median(subjects[0].took)
		fmt.Fprintf(t, "%s\t%d\t%d\t%.0f\t", c.name, c.bytes()/n, int(took)/n, float64(c.bytes())/took.Seconds()/1e6)
		for _, s := range subjects[1:] {
			fmt.Fprintf(t, "%.2f\t", 1/ratio(subjects[0], s))
		}
		fmt.Fprintln(t)
	}
	t.Flush()
}
