// Package faulty is a small WebSocket endpoint, server or client, that echoes
// messages and has one fault at a time. It is there to be caught: a test that
// passes it does not test much.
//
// It shares no code with the library. Without a fault it obeys RFC 6455 and
// RFC 7692 to the letter.
package faulty

// Fault names one deviation from the RFCs; the empty Fault is none.
type Fault string

// Role says which role of an endpoint a fault shows in.
type Role int

// The roles.
const (
	Server Role = 1 << iota
	Client
	Both = Server | Client
)

// All lists the faults and the roles they show in.
var All = []struct {
	Fault Fault
	Roles Role
}{
	// Frames received.
	{"accepts masking against the role", Both},
	{"accepts RSV1", Both},
	{"accepts RSV2", Both},
	{"accepts RSV3", Both},
	{"accepts reserved bits on control frames", Both},
	{"accepts reserved data opcodes", Both},
	{"accepts reserved control opcodes", Both},
	{"accepts control frames over 125 bytes", Both},
	{"accepts fragmented control frames", Both},
	{"accepts a 16-bit length that is not shortest", Both},
	{"accepts a 64-bit length that is not shortest", Both},
	{"ignores the top bit of a 64-bit length", Both},
	{"accepts a continuation without a start", Both},
	{"accepts a start inside a message", Both},
	{"reads a header in one piece only", Both},
	{"unmasks each piece from the key's start", Server},
	{"truncates messages at 64 KiB", Both},
	{"loses empty messages", Both},
	{"loses an empty last fragment's FIN", Both},
	{"forgets a message's start at a control frame", Both},

	// Frames sent.
	{"echoes text as binary", Both},
	{"masks against its role", Both},
	{"masks with one key", Client},
	{"sends lengths not in the shortest form", Both},
	{"sends RSV1 unasked", Both},
	{"flips a bit beyond 1000 bytes", Both},

	// UTF-8.
	{"does not check UTF-8", Both},
	{"checks UTF-8 at the message's end", Both},
	{"checks UTF-8 at the frame's end", Both},
	{"checks UTF-8 frame by frame", Both},
	{"checks UTF-8 of binary messages", Both},
	{"accepts surrogates", Both},
	{"accepts overlong forms", Both},
	{"accepts code points beyond U+10FFFF", Both},
	{"accepts a character cut off at the end", Both},

	// Pings.
	{"answers no Ping", Both},
	{"answers Pings without their payload", Both},
	{"cuts Pong payloads at 64 bytes", Both},
	{"answers Pongs", Both},
	{"answers Pings twice", Both},
	{"answers Pings only between messages", Both},
	{"answers the first Ping only", Both},

	// Closing.
	{"answers a Close twice", Both},
	{"answers every Close with 1000", Both},
	{"garbles the Close reason", Both},
	{"accepts every Close code", Both},
	{"accepts Close codes 1016 to 2999", Both},
	{"accepts a Close payload of one byte", Both},
	{"accepts a Close reason that is not UTF-8", Both},
	{"answers an empty Close with 1005", Both},
	{"echoes what follows a Close", Both},
	{"answers Pings that follow a Close", Both},
	{"sends a message after its Close", Both},
	{"never ends TCP", Both},
	{"does not answer a Close", Both},
	{"ignores a Close inside a message", Both},
	{"ends TCP before the server", Client},
	{"fails without a Close", Both},
	{"fails with 1000", Both},
	{"fails but leaves TCP open", Both},
	{"goes on after a failure", Both},
	{"sends a Ping unasked, fragmented", Both},

	// Limits.
	{"has no limit", Both},
	{"has a limit of 1 MiB", Both},
	{"refuses large messages with 1002", Both},
	{"overflows its limit", Both},
	{"counts its limit frame by frame", Both},
	{"has no limit on empty fragments", Both},
	{"reads on though nobody reads its answers", Both},

	// The opening handshake as server.
	{"sends a constant Accept", Server},
	{"answers without Upgrade", Server},
	{"answers without Connection", Server},
	{"answers 200", Server},
	{"accepts every version", Server},
	{"accepts every method", Server},
	{"accepts HTTP/1.0", Server},
	{"accepts every key", Server},
	{"accepts no Host", Server},
	{"accepts no Upgrade", Server},
	{"accepts no Connection", Server},
	{"does not name its version", Server},
	{"names a subprotocol nobody offered", Server},
	{"names an extension nobody offered", Server},
	{"compares Upgrade with regard to case", Server},

	// The opening handshake as client.
	{"does not check Accept", Client},
	{"checks Accept without regard to case", Client},
	{"does not check Upgrade", Client},
	{"does not check Connection", Client},
	{"does not check the status", Client},
	{"does not check the subprotocol", Client},
	{"does not check extensions", Client},
	{"loses what comes with the response", Client},
	{"sends one key for all connections", Client},
	{"sends a key of 15 bytes", Client},
	{"sends version 8", Client},
	{"compares Upgrade with regard to case", Client},

	// permessage-deflate.
	{"compresses within 32 KiB whatever was agreed", Both},
	{"refers to earlier messages whatever was agreed", Both},
	{"forgets the window between messages", Both},
	{"accepts RSV1 on continuation frames", Both},
	{"counts its limit before inflating", Both},
	{"does not check UTF-8 of compressed text", Both},
	{"delivers what does not inflate", Both},
	{"stops at a block with BFINAL", Both},
	{"sends the tail 00 00 FF FF", Both},
	{"accepts every extension parameter", Both},
	{"agrees to client_max_window_bits nobody offered", Server},
	{"agrees to a larger window than offered", Server},
	{"forgets server_no_context_takeover", Server},
	{"sets RSV1 on every fragment", Both},
}
