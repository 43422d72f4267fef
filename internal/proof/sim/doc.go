// Package sim is a seeded simulation of WebSocket connections over a network that
// splits, delays, stalls, cuts and resets, with application programs drawn at
// random; all from one seed, in the fake time of testing/synctest. A seed plays
// one of these:
//
//   - a pair: two Conns with a few callers each (pair.go);
//   - a hostile peer against one Conn (hostile.go, script.go);
//   - a crowd: two Conns under load (crowd.go). Up to twenty callers share a
//     connection with a small queue; links stop until all stand in line, and go on;
//     contexts that many calls share end, and Close begins, at that very instant;
//   - a proxy: four Conns, the two in the middle each used under the other's
//     Context (proxy.go);
//   - a choir: up to five pairs, of which one end each is a member of groups with
//     drawn policies (choir.go), that are closed in the middle of it or in the end
//     (farewell.go). What comes to each member is held against what was broadcast:
//     order, and that nothing is dropped without being counted (sung.go).
//
// An [observer] on the wire sees every byte in each direction. It shares no code
// with the library, and holds what it sees against RFC 6455 and against what the
// applications handed over and got: see check.go, calls.go, closing.go and
// promises.go for what must hold in the end. While a crowd, a proxy or a choir is at
// work, watch.go looks after it once a second of fake time: no bytes may wait that nobody
// reads, no frames that nobody writes, no calls whose turn has come.
//
//	go test ./internal/proof/sim                                   300 seeds
//	go test ./internal/proof/sim -run Seeds -seed 4711 -v           one seed, with its trace
//	go test ./internal/proof/sim -run Seeds -from 1 -seeds 200000
//	go test ./internal/proof/sim -run Seeds -play crowd -seeds 20000  every seed plays a crowd; also proxy, choir
//	go test ./internal/proof/sim -run Seeds -seed 4711 -times 50    how often does it fail?
//	go test ./internal/proof/sim -run Seeds -procs 4                more can happen, nothing replays
//
// A goroutine that waits for a sync.Mutex in vain, or spins, hangs its bubble. A
// watchdog outside of it ends the process when nothing has happened for ten seconds
// of real time (-hang), with the seed and the stacks of all goroutines in the bubble.
//
// # Replay
//
// A seed replays the same way as long as the Go scheduler has no choice. The tests
// run on one P. Pairs and hostile peers draw all times in nanoseconds, so that hardly
// ever two things happen at the same moment. In a crowd they shall: there a [clock]
// does what is due at one instant in a drawn order, and goroutines let others run by
// [yield], which keeps to the order of the run queue, and not by runtime.Gosched,
// which does not.
//
// What is left to chance: which case of a select is taken when several are ready; the
// order of timers of one instant, where they are not the clock's (contexts with a
// deadline, the library's own); where the scheduler preempts a goroutine that computes
// for long; and the masking keys and the handshake's nonce, on which nothing depends.
// TestReplay runs 50 seeds twice. Of the usual mixture about five traces in a hundred differ,
// of crowds alone some 15, mostly in the order of two lines of one moment. So
// a crowd's failure may need more than one try: -times says how many of the runs fail,
// and prints the trace of one that did. Of the faults that crowds have found, most come
// back in every run, some in two of ten.
//
// What one P can't do is interrupt a goroutine between two instructions. Faults that
// need that are for -procs and for tests on real sockets. A panic in one of the library's
// own goroutines ends the process before the seed is known: -list prints seeds as they begin.
//
// The directory mutants has a command that lets the simulation loose on faults of
// the library made on purpose (internal/proof/mutants).
package sim
