package main

// traffic says what a ping-pong consists of.
type traffic struct {
	conns   int
	window  int // links awaiting answers at once; 0: all
	size    int // of the message
	burst   int // messages in one request; 0: one
	perGB   bool
	mallocs bool // count allocations instead of time
	heap    bool // count allocations and their bytes beside time
	memory  bool // look at resident memory too
}

// compressedMessages is how many different messages a compressed case sends in turn. With one message
// only, context takeover would find it whole in the window.
const compressedMessages = 64

// requestsFor builds what links send at a time.
func requestsFor(lib *library, o order, t traffic) ([][]byte, error) {
	masked := o.Conns == 0 // the process under test is the server
	var messages [][]byte
	first := byte(bitFin | opBinary)
	if o.Deflate {
		first = bitFin | bitRsv1 | opText
		for seed := range compressedMessages {
			message, err := deflated(jsonPayload(t.size, uint64(seed)))
			if err != nil {
				return nil, err
			}
			messages = append(messages, message)
		}
	} else {
		messages = append(messages, payload(t.size))
	}
	var requests [][]byte
	for _, message := range messages {
		var frame []byte
		if lib.framing == framingLength {
			frame = appendLengthPrefixed(nil, message)
		} else {
			frame = appendFrame(nil, first, masked, message)
		}
		requests = append(requests, repeat(frame, max(t.burst, 1)))
	}
	return requests, nil
}
