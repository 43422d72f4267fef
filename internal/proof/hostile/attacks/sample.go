package attacks

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"sync"
	"time"
)

// A sample is what the process under attack uses at one moment, in bytes.
type sample struct {
	Heap       int64 // objects, garbage included unless it has just been collected
	Stacks     int64
	RSS        int64 // 0 where there is no /proc
	Goroutines int
	CPU        time.Duration // used so far; 0 where there is no /proc
}

// take takes a sample.
func take() sample {
	s := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
	}
	metrics.Read(s)
	return sample{
		Heap:       int64(s[0].Value.Uint64()),
		Stacks:     int64(s[1].Value.Uint64()),
		Goroutines: runtime.NumGoroutine(),
	}
}

// collected takes a sample of what is live. Two collections empty the pools.
func collected() sample {
	runtime.GC()
	runtime.GC()
	s := take()
	s.RSS, s.CPU = statusField("VmRSS:"), cpuTime()
	return s
}

// steady takes samples, a pause apart, until what is live has stopped changing, and
// returns the largest and the last of them.
func steady(pause time.Duration) (largest, last sample) {
	last, same := collected(), 0
	largest = last
	for start := time.Now(); same < 3 && time.Since(start) < 5*time.Second; {
		time.Sleep(pause)
		s := collected()
		if near(s.Heap+s.Stacks, last.Heap+last.Stacks) && s.Goroutines == last.Goroutines {
			same++
		} else {
			same = 0
		}
		last = s
		if s.Heap+s.Stacks > largest.Heap+largest.Stacks {
			largest = s
		}
	}
	return largest, last
}

// quiet waits until there are no more goroutines than that, and do not come back.
func quiet(goroutines int, within time.Duration) sample {
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		late := time.Since(start) >= within
		if runtime.NumGoroutine() > goroutines && !late {
			continue
		}
		if s := collected(); s.Goroutines <= goroutines || late {
			return s
		}
	}
}

// near reports whether two amounts differ by less than one in two hundred.
func near(a, b int64) bool { return max(a-b, b-a) <= b/200 }

// peaks watches for the largest values.
type peaks struct {
	mu  sync.Mutex
	max sample
}

// watch never ends.
func (p *peaks) watch() {
	for range time.Tick(5 * time.Millisecond) {
		p.see(take())
	}
}

func (p *peaks) see(s sample) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.max.Heap = max(p.max.Heap, s.Heap)
	p.max.Stacks = max(p.max.Stacks, s.Stacks)
	p.max.Goroutines = max(p.max.Goroutines, s.Goroutines)
}

// begin forgets what was, and returns what the process needs anyway.
func (p *peaks) begin() sample {
	debug.FreeOSMemory()
	now := collected()
	p.mu.Lock()
	p.max = now
	p.mu.Unlock()
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // the peak of the RSS begins anew
	return now
}

// end returns the largest values since begin.
func (p *peaks) end() sample {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.max
	s.RSS = statusField("VmHWM:")
	return s
}

// statusField reads a number of kilobytes from the process's status.
func statusField(name string) int64 {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, ok := bytes.Cut(status, []byte(name))
	if !ok {
		return 0
	}
	n, _ := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
	return n << 10
}

// cpuTime reads how long the process has computed, which the kernel counts in
// hundredths of a second.
func cpuTime() time.Duration {
	stat, _ := os.ReadFile("/proc/self/stat")
	_, rest, ok := bytes.Cut(stat, []byte(") "))
	fields := bytes.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(string(fields[11]), 10, 64)
	system, _ := strconv.ParseInt(string(fields[12]), 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}
