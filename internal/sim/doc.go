// Package sim is a seeded simulation of WebSocket connections: two Conns, or a
// Conn and a hostile peer, over a network that splits, delays, stalls, cuts and
// resets, with application programs drawn at random; all from one seed, in the
// fake time of testing/synctest.
//
// An [observer] on the wire sees every byte in each direction. It shares no code
// with the library, and holds what it sees against RFC 6455 and against what the
// applications handed over and got; see check.go for what must hold.
//
//	go test ./internal/sim                          2,000 seeds
//	go test ./internal/sim -run Seeds -seed 4711 -v  one seed, with its trace
//	go test ./internal/sim -run Seeds -from 1 -seeds 200000
//
// A seed replays the same way as long as the Go scheduler has no choice: the
// tests run on one P and draw all times in nanoseconds, so that hardly ever two
// things happen at the same moment. What is left to chance: which case of a
// select is taken when several are ready, where the scheduler preempts a
// goroutine that computes for long, and the masking keys and the handshake's
// nonce, on which nothing depends. TestReplay runs 100 seeds twice; the traces of
// two to five of them differ, mostly in the order of two lines of one moment.
//
// The directory mutants has a command that lets the simulation loose on faults of
// the library made on purpose (internal/mutants).
package sim
