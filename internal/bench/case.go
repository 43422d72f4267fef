package main

import "fmt"

// testCase is one line of the table.
type testCase struct {
	name  string // for -case; stable
	title string
	unit  string
	// takes says which libraries take part; nil: all.
	takes func(*library) bool
	open  func(*library) (subject, error)
	// alone: one library's process at a time, with everything it holds; the others need the files.
	alone bool
	// latency: p50 and p99 are compared too.
	latency bool

	target target
}

// target is what ours must reach.
type target struct {
	// ratio to the best peer of the same run; 0: no such target.
	ratio float64
	// tie is how far a ratio may be off 1.00 and still count as level.
	tie float64
	// absolute is the most the figure itself may be; used if atMost is set.
	absolute float64
	atMost   bool
	// allocs and bytes are the most that may be allocated per message; used if bytes is not 0.
	allocs, bytes float64
}

// level is the usual target: at most the best peer.
var level = target{ratio: 1, tie: 0.05}

// bulkLevel is the same where much data or many connections make the figures less steady.
var bulkLevel = target{ratio: 1, tie: 0.10}

// ownMemory is the target where each message is given out in memory of its own.
func ownMemory(size int) target {
	return target{ratio: 1.05, allocs: 2, bytes: 1.25 * float64(size)}
}

// scope says how large the cases with very many connections are.
type scope struct {
	idleConns  int
	scaleConns []int
}

func speaksWebSocket(l *library) bool { return l.kind != reference }
func canDeflate(l *library) bool      { return l.deflate }
func canTakeOver(l *library) bool     { return l.takeover }
func canDial(l *library) bool         { return l.client != nil }
func hasHandler(l *library) bool      { return !l.noHandler }

// givesFreshMemory says that the library has a call that returns each message in memory of its own.
func givesFreshMemory(l *library) bool { return l.kind != reference && l.kind != handMade }
func isNoBatch(l *library) bool        { return l.name != "rawtcp-batch" }

const (
	perMessage    = "us/message"
	perConnection = "KiB/connection"
	perGigabyte   = "ms/GB"
	perStop       = "us to stop"
	allocations   = "allocs/message"
)

// cases lists everything that can be measured, in the order of the table. cpus are those of the process under test,
// all are these and the load generator's.
func cases(sc scope, procs int, cpus, all []int) []testCase {
	base := order{Procs: procs, CPUs: cpus}
	with := func(change func(*order)) order {
		o := base
		change(&o)
		return o
	}
	echo := func(name, title string, o order, t traffic, goal target) testCase {
		unit := perMessage
		switch {
		case t.perGB:
			unit = perGigabyte
		case t.mallocs:
			unit = allocations
		}
		return testCase{name: name, title: title, unit: unit, target: goal, latency: !t.mallocs,
			open: func(l *library) (subject, error) {
				s, err := openServer(l, o, t)
				if err != nil {
					return nil, err
				}
				if err := s.check(); err != nil {
					s.close()
					return nil, err
				}
				return s, nil
			}}
	}
	client := func(name, title string, o order, t traffic, goal target) testCase {
		unit := perMessage
		if t.perGB {
			unit = perGigabyte
		}
		return testCase{name: name, title: title, unit: unit, target: goal, latency: true, takes: canDial,
			open: func(l *library) (subject, error) { return openClient(l, o, t) }}
	}
	group := func(name, title string, conns, burst int, o order, goal target) testCase {
		return testCase{name: name, title: title, unit: perMessage, target: goal, takes: isNoBatch, alone: conns > 1000,
			open: func(l *library) (subject, error) {
				o := o
				o.Broadcast, o.Group = true, true
				s, err := openServer(l, o, traffic{conns: conns, size: broadcastSize})
				return broadcast{s, burst}, err
			}}
	}
	secure := with(func(o *order) { o.TLS = true })
	deflate := with(func(o *order) { o.Deflate = true })
	takeover := with(func(o *order) { o.Deflate, o.Takeover = true, true })
	fresh := with(func(o *order) { o.Fresh = true })
	cancel := with(func(o *order) { o.Cancel = true })
	cancelDeflate := with(func(o *order) { o.Cancel, o.Deflate = true, true })

	list := []testCase{
		echo("echo64", "echo 64 B", base, traffic{conns: 64, size: 64}, level),
		echo("echo1k", "echo 1 KiB", base, traffic{conns: 64, size: 1 << 10}, level),
		echo("echo16k", "echo 16 KiB", base, traffic{conns: 64, size: 16 << 10}, level),
		echo("quiet64", "echo 64 B, one connection", base, traffic{conns: 1, size: 64}, target{}),
		echo("burst64", "echo 64 B in bursts of 32", base, traffic{conns: 64, size: 64, burst: 32}, target{ratio: 0.12}),
		echo("quietburst64", "64 B in bursts of 32, one connection", base, traffic{conns: 1, size: 64, burst: 32}, target{}),
		echo("burst1k", "echo 1 KiB in bursts of 32", base, traffic{conns: 64, size: 1 << 10, burst: 32}, target{ratio: 0.45}),
		{
			name: "broadcast256", title: "broadcast 256 B to 1,000", unit: perMessage, target: bulkLevel, takes: isNoBatch,
			open: func(l *library) (subject, error) {
				o := with(func(o *order) { o.Broadcast = true })
				s, err := openServer(l, o, traffic{conns: 1000, size: broadcastSize})
				return broadcast{s, 0}, err
			},
		},
		group("group256", "256 B to a group of 1,000", 1000, 0, base, target{ratio: 0.80}),
		group("group256x10k", "256 B to a group of 10,000", 10000, 0, base, target{ratio: 0.80}),
		group("groupburst256", "256 B to a group of 1,000, bursts of 16", 1000, 16, base, target{ratio: 0.25}),
		only(canDeflate, group("groupdeflate256", "256 B of JSON to a group of 1,000, compressed", 1000, 0, deflate, target{ratio: 0.5})),
		only(canTakeOver, group("grouptakeover256", "the same, with context takeover", 1000, 0, takeover, target{})),
		{
			name: "idle-handler", title: "idle, a goroutine of its own", unit: perConnection, alone: true, takes: isNoBatch,
			target: target{absolute: 5.4, atMost: true},
			open: func(l *library) (subject, error) {
				return idle{l, with(func(o *order) { o.Lean = true }), sc.idleConns, 64}, nil
			},
		},
		{
			name: "idle-inhandler", title: "idle, inside the HTTP handler", unit: perConnection, alone: true, takes: hasHandler,
			target: target{absolute: 17.2, atMost: true},
			open: func(l *library) (subject, error) {
				return idle{l, with(func(o *order) { o.Lean, o.InHandler = true, true }), sc.idleConns, 64}, nil
			},
		},
		{
			name: "connect", title: "connect, handshake, echo, close", unit: "us/connection", target: level, takes: isNoBatch,
			open: func(l *library) (subject, error) {
				s, err := openServer(l, base, traffic{size: 64})
				return &visits{pingPong: s, lib: l}, err
			},
		},
		echo("echo256k", "echo 256 KiB, one connection", base, traffic{conns: 1, size: 256 << 10, perGB: true}, bulkLevel),
		{
			name: "stream1m", title: "stream of 1 MiB messages", unit: perGigabyte, target: bulkLevel, takes: isNoBatch,
			open: func(l *library) (subject, error) {
				o := with(func(o *order) { o.Sink = true })
				s, err := openServer(l, o, traffic{conns: 1, size: 1 << 20, perGB: true})
				return stream{s}, err
			},
		},
		client("client64", "as client: 64 B", base, traffic{conns: 64, size: 64}, level),
		client("client1k", "as client: 1 KiB", base, traffic{conns: 64, size: 1 << 10}, level),
		client("client16k", "as client: 16 KiB", base, traffic{conns: 64, size: 16 << 10}, level),
		client("client256k", "as client: 256 KiB, one connection", base, traffic{conns: 1, size: 256 << 10, perGB: true}, bulkLevel),
		only(givesFreshMemory, echo("fresh16k", "echo 16 KiB, in memory of its own", fresh, traffic{conns: 64, size: 16 << 10, heap: true}, ownMemory(16<<10))),
		only(givesFreshMemory, echo("fresh256k", "echo 256 KiB, in memory of its own", fresh, traffic{conns: 1, size: 256 << 10, perGB: true, heap: true}, ownMemory(256<<10))),
		only(givesFreshMemory, echo("fresh1m", "echo 1 MiB, in memory of its own", fresh, traffic{conns: 1, size: 1 << 20, perGB: true, heap: true}, ownMemory(1<<20))),
		only(givesFreshMemory, client("clientfresh16k", "as client: 16 KiB, in memory of its own", fresh, traffic{conns: 64, size: 16 << 10, heap: true}, ownMemory(16<<10))),
		only(givesFreshMemory, client("clientfresh256k", "as client: 256 KiB, in memory of its own", fresh, traffic{conns: 1, size: 256 << 10, perGB: true, heap: true}, ownMemory(256<<10))),
		only(givesFreshMemory, client("clientfresh1m", "as client: 1 MiB, in memory of its own", fresh, traffic{conns: 1, size: 1 << 20, perGB: true, heap: true}, ownMemory(1<<20))),
		echo("tls64", "echo 64 B over TLS", secure, traffic{conns: 64, size: 64}, level),
		echo("tls16k", "echo 16 KiB over TLS", secure, traffic{conns: 64, size: 16 << 10}, level),
		only(canDeflate, echo("deflate1k", "echo 1 KiB of JSON, compressed", deflate, traffic{conns: 64, size: 1 << 10}, level)),
		only(canTakeOver, echo("takeover1k", "1 KiB of JSON, context takeover", takeover, traffic{conns: 64, size: 1 << 10}, level)),
		{
			name: "idle-takeover", title: "idle, with context takeover", unit: perConnection, alone: true, takes: canTakeOver,
			target: target{absolute: 66 + 5.4, atMost: true},
			open: func(l *library) (subject, error) {
				o := takeover
				o.Lean = true
				return idle{l, o, min(sc.idleConns, 500), 1 << 10}, nil
			},
		},
		only(speaksWebSocket, echo("allocs", "allocations, echo 64 B", cancel,
			traffic{conns: 16, size: 64, mallocs: true}, target{absolute: 0, atMost: true})),
		only(canDeflate, echo("allocs-deflate", "allocations, 1 KiB of JSON, compressed", cancelDeflate,
			traffic{conns: 16, size: 1 << 10, mallocs: true}, target{absolute: 0, atMost: true})),
	}
	list = append(list, testCase{
		name: "stops256k", title: "stopping the world, among echoes of 256 KiB", unit: perStop, takes: canDial, alone: true,
		open: func(l *library) (subject, error) {
			// The collector has to wait for others only if there is more than one thread.
			return openStops(l, with(func(o *order) { o.Procs, o.CPUs = max(2, o.Procs), all }), 256<<10)
		},
	})
	for _, n := range sc.scaleConns {
		c := echo(fmt.Sprintf("scale%d", n), fmt.Sprintf("echo 64 B, %d connections", n), base,
			traffic{conns: n, window: 64, size: 64, memory: true}, level)
		c.alone = true
		c.takes = isNoBatch
		list = append(list, c)
	}
	return list
}

func only(takes func(*library) bool, c testCase) testCase {
	c.takes = takes
	return c
}
