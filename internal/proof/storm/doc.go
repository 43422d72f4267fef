// Package storm is a load test of WebSocket connections on real sockets: TCP,
// Unix sockets, TLS, the streams of a multiplexer and wrapped net.Conns, at several
// values of GOMAXPROCS. It uses the public API of the library only.
//
// A storm runs programs. A program is drawn from the seed and its number: a scene
// (crowd, pause, proxy, flood, ends, tunnel, group), a transport, options, and what each of
// the goroutines does. The scheduler and the kernel decide the rest, so a program that runs
// again plays the same plan, not the same interleaving.
//
//	go test ./internal/proof/storm                                       about ten seconds
//	go test ./internal/proof/storm -storm.for=30m -storm.transport=tcp -storm.procs=1,2,16
//	go test ./internal/proof/storm -storm.seed=7 -storm.program=12 -storm.for=1m   one program, again and again
//
// Between the two ends of a connection is a [relay]. It forwards bytes, stalls,
// splits and cuts them, and injects Pings. An [observer] in it parses every frame that
// an end wrote. A [ledger] knows which messages the application handed over and what the
// calls returned. Every call is watched. What does not hold is a [Violation] with a short
// kind; a violation ends its program and not the storm.
//
// The kinds:
//
//	illegal          a frame that RFC 6455 forbids
//	interleaved      a message began inside another message's fragments
//	after-close      a frame after the Close frame
//	corrupt          a message with other bytes than were handed over
//	order            messages of one goroutine in another order, or twice
//	sent-refused     a message was sent though the call said that it was not
//	cut-message      a message was sent in part though the call said that it was sent
//	lost-message     an accepted message did not leave before the Close frame
//	lost-in-answer   the same, where the Close frame answers the peer's
//	stuck-message    an accepted message did not leave though nothing held it up
//	unfinished       a fragmented message did not end though its Writer was closed
//	undelivered      a message arrived, and no Read returned it
//	misread          a Read returned something else than what arrived
//	close-lost       Close was called, and no Close frame left
//	close-overtaken  the same, with a CloseNow of the same end behind it
//	closenow-lost    an accepted message did not leave before CloseNow, though it could
//	close-failed     Close returned an error though the peer was alive and read
//	close-claimed    Close returned nil, and there were no two Close frames
//	close-code       a Close frame with a code that nobody asked for
//	slow-end         both Close frames were exchanged, and a connection did not end
//	code-lost        the peer did not learn the code of a Close frame that it was sent
//	deaf             a Ping was not answered
//	died             a connection ended though nobody ended it
//	stuck-call       a call did not return
//	stuck-scene      a program did not end
//	handshake        a connection could not be made
//	left-behind      goroutines or descriptors were left when the storm was over
package storm
