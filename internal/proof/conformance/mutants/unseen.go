package main

// unseen says of a mutant why no suite that plays against an echoing endpoint can
// see it.
var unseen = map[string]string{
	// What an echo never does.
	"text-write-unchecked":  "legal on the wire: a fragment may end inside a character; only the Writer's caller sees that bad text fails late",
	"close-twice":           "an echo's own Close is that of a failure, behind which it reads nothing more",
	"data-after-close":      "an echo writes what it has read, and reads nothing behind a Close, theirs or ours",
	"pong-after-close":      "an echo's own Close is that of a failure, behind which it reads no Ping",
	"close-before-queue":    "legal on the wire: who was sent a Close need not answer what came before it",
	"close-waits-forever":   "an echo begins no closing handshake of its own",
	"closenow-polite":       "an echo calls no CloseNow",
	"second-close-hangs":    "an echo closes once",
	"close-ignores-context": "an echo calls no CloseContext",
	"queue-interleaves":     "an echo sends from one goroutine: beside its Writer nothing is queued",
	"queue-unbounded":       "an echo sends from one goroutine: what it leaves in the queue is small, and waits for company",
	"writer-not-exclusive":  "an echo sends from one goroutine: there is no Write beside its Writer",
	"close-behind-write":    "an echo calls Close when its last Write has returned",
	"ping-returns-at-once":  "an echo sends no Pings of its own",

	"pong-blocks":       "an echo whose Pong can't leave can't send its echo either: it waits in any case",
	"nobody-reads":      "an echo reads again as soon as it has written, and answers Pings then, in time",
	"patrol-looks-on":   "an echo reads again as soon as it has written, and answers Pings then, in time",
	"looks-once":        "an echo reads again as soon as it has written, and answers Pings then, in time",
	"half-close-counts": "an echo's own Close is that of a failure, behind which it reads no Close that crosses it",

	// What buffers hide.
	"write-cancelled-twice": "what a suite can get stuck is a frame of megabytes, whose first buffer has left by then: the mutant spares the rest",
	"read-ahead-loses":      "the endpoint must come to a stop twice within 64 KiB, and buffers of megabytes let it go on for more",

	// What takes longer than a case may.
	"keepalive-never": "keepalive begins after 30 seconds without a byte",
	"keepalive-deaf":  "keepalive begins after 30 seconds without a byte",

	// What an echo has no use for.
	"read-cancelled-loses":  "an echo's Read has no context that ends before the connection",
	"read-deaf-to-context":  "an echo's Read has no context that ends before the connection",
	"reader-keeps-message":  "an echo reads each message to its end",
	"old-reader-reads-on":   "an echo reads each message to its end",
	"write-deaf-to-context": "an echo's Write has no context that ends before the connection",
	"writer-piece-twice":    "an echo's Writer has no context that ends before the connection",

	// What only the caller sees.
	"cause-overwritten": "the error that calls return is not on the wire",
	"lost-is-eof":       "the error that calls return is not on the wire",
}
