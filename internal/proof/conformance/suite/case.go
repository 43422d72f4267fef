package suite

import (
	"fmt"
	"strings"
)

// Role is a role of the endpoint under test.
type Role int

// The two roles; a case may fit both.
const (
	Server Role = 1 << iota
	Client
	both = Server | Client
)

// String names the role.
func (r Role) String() string {
	switch r {
	case Server:
		return "server"
	case Client:
		return "client"
	}
	return "server and client"
}

// Verdict is what a case found.
type Verdict string

// Strict: all that the RFC asks for, SHOULD included. NonStrict: something it
// recommends is missing, nothing it demands. Failed: a demand is broken.
// NotNegotiated: the endpoint declined the extension the case is about.
const (
	Strict        Verdict = "strict"
	NonStrict     Verdict = "non-strict"
	Failed        Verdict = "failed"
	NotNegotiated Verdict = "not negotiated"
)

// Verdicts lists all verdicts, best first.
var Verdicts = []Verdict{Strict, NonStrict, Failed, NotNegotiated}

// The groups, in the order of their numbers.
var groups = []string{
	1:  "Framing",
	2:  "Pings and pongs",
	3:  "Reserved bits and opcodes",
	4:  "Fragmentation",
	5:  "UTF-8",
	6:  "Closing",
	7:  "Limits",
	8:  "Opening handshake as server",
	9:  "Opening handshake as client",
	10: "Masking by role",
	11: "Length encoding",
	12: "permessage-deflate",
	13: "Over TLS",
}

// Case is one case of the suite.
type Case struct {
	Number  string // group.section.case, never reused for another
	Group   string
	Name    string // what is sent, in a line
	Section string // "RFC 6455, 5.5.2"
	Rule    string // the sentence under test
	Roles   Role   // of the endpoint under test
	Offer   string // the Sec-WebSocket-Extensions a client should offer
	TLS     bool   // only over TLS

	heavy bool // megabytes: few of them run at a time
	open  opening
	steps []step
	want  want
	sends map[Role]func() string // each described once: runs in many modes ask for it
}

// opening says how the connection begins.
type opening struct {
	request  func(*request)  // the endpoint is a server: changes the valid request
	response func(*response) // the endpoint is a client: changes the valid response
	// The endpoint must not take the handshake for a valid one.
	refused      bool
	wantStatus   int    // of a refusal: strict as well as any 4xx
	wantHeader   string // of a strict refusal: "name: value"
	ordinary     bool   // without the upgrade it is an ordinary HTTP request
	checkRequest func(s *session, r head) string
	checkReply   func(r head) string
	pieces       int     // the handshake goes out in pieces of so many bytes
	with         []frame // frames in one write with a response
	deflate      *deflateOpening
}

// want is what the endpoint may do.
type want struct {
	messages  []message
	anyPrefix bool // the messages may be cut off by the connection's end
	pongs     []string
	newest    bool // of the pongs only the newest must be there, in order

	ending ending
	strict []int // Close codes a strict endpoint ends with; 0: a Close without one
	reason *string
	waits  bool // a strict client leaves closing TCP to the server
}

type ending int

const (
	// normal: the suite closes with 1000 once everything has come.
	normal ending = iota
	// fails: the endpoint must fail the connection.
	fails
	// closed: the steps hold the suite's Close.
	closed
	// vanishes: the suite ends TCP without a Close.
	vanishes
	// tooBig: the endpoint refuses for size, or has no limit.
	tooBig
)

// message is a data message. Its payload may be large and shared: read only.
type message struct {
	opcode byte
	data   []byte
}

// Accepts says in words what the case takes for strict and for non-strict.
func (c *Case) Accepts() string {
	if c.open.refused {
		if c.Roles == Server {
			s := "strict: the handshake is refused with a 4xx status"
			if c.open.wantStatus != 0 {
				s += fmt.Sprintf(" or %d", c.open.wantStatus)
			}
			if c.open.ordinary {
				s = "strict: any answer but 101"
			}
			if c.open.wantHeader != "" {
				s += " and " + c.open.wantHeader
			}
			return s + "; non-strict: refused otherwise; failed: 101"
		}
		return "strict: TCP is ended and nothing sent; non-strict: a Close frame first; failed: the handshake is taken for valid"
	}
	var parts []string
	if n := len(c.want.messages); n > 0 {
		parts = append(parts, fmt.Sprintf("%d message(s) echoed, contents equal", n))
	}
	if n := len(c.want.pongs); n > 0 {
		if c.want.newest {
			parts = append(parts, fmt.Sprintf("of %d pings the newest answered, in order", n))
		} else {
			parts = append(parts, fmt.Sprintf("%d Pong(s) with the Pings' payloads, in order", n))
		}
	}
	var codes []string
	for _, code := range c.want.strict {
		if code == 0 {
			codes = append(codes, "without a code")
		} else {
			codes = append(codes, fmt.Sprint(code))
		}
	}
	list := strings.Join(codes, " or ")
	switch c.want.ending {
	case normal:
		parts = append(parts, "the Close answered with 1000, then TCP's end")
	case fails:
		parts = append(parts, "one Close "+list+", then TCP's end; non-strict: another code, no Close, or late; failed: anything else")
	case closed:
		parts = append(parts, "one Close "+list+", then TCP's end; non-strict: another code or reason")
	case vanishes:
		parts = append(parts, "TCP's end")
	case tooBig:
		parts = append(parts, "one Close "+list+", then TCP's end; non-strict: no limit is met")
	}
	return "strict: " + strings.Join(parts, "; ")
}

// Sends describes the bytes sent by a suite that plays against role, one
// step a line.
func (c *Case) Sends(role Role) string {
	if known := c.sends[role]; known != nil {
		return known()
	}
	return c.describe(role)
}

func (c *Case) describe(role Role) string {
	var b strings.Builder
	if c.open.request != nil || c.open.response != nil || c.open.with != nil || c.open.deflate != nil {
		if role == Server {
			r := newRequest("ws://server.example/", exampleKey)
			c.prepareRequest(r)
			fmt.Fprintf(&b, "handshake %q\n", r.bytes())
		} else {
			r := newResponse(exampleAccept)
			c.prepareResponse(r)
			fmt.Fprintf(&b, "handshake %q\n", r.bytes())
			for _, f := range c.open.with {
				fmt.Fprintf(&b, "with it %v: %s\n", f, show(appendFrame(nil, f, false, [4]byte{})))
			}
		}
	}
	for i, st := range c.steps {
		b.WriteString(st.show(role == Server, i) + "\n")
	}
	if c.want.ending == normal && !c.open.refused {
		f := closing(1000, "")
		fmt.Fprintf(&b, "%v: %s\n", f, show(appendFrame(nil, f, role == Server, keyOf(len(c.steps), 0))))
	}
	return b.String()
}
