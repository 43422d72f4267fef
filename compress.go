package websocket

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/closeonce/websocket/internal/deflate"
)

// This file negotiates permessage-deflate (RFC 7692). It is pure: header fields
// in, parameters and header fields out. compressed.go uses what was agreed on.

const deflateName = "permessage-deflate"

// The bounds of a window's size, as the exponent of 2 (section 7.1.2).
const (
	minWindowBits = 8
	maxWindowBits = 15
)

// deflateParams are the parameters of an offer or of an answer.
type deflateParams struct {
	serverNoTakeover, clientNoTakeover bool
	// serverBits and clientBits are window sizes; 0: the parameter is absent.
	serverBits, clientBits int
	// clientBitsOffered: the offer has client_max_window_bits, with or without a
	// value.
	clientBitsOffered bool
	// effort is our own compressor's; the peer is told nothing of it.
	effort deflate.Effort
}

// String writes the parameters as an element of Sec-WebSocket-Extensions.
func (p deflateParams) String() string {
	s := deflateName
	if p.serverNoTakeover {
		s += "; server_no_context_takeover"
	}
	if p.clientNoTakeover {
		s += "; client_no_context_takeover"
	}
	if p.serverBits != 0 {
		s += "; server_max_window_bits=" + strconv.Itoa(p.serverBits)
	}
	if p.clientBits != 0 {
		s += "; client_max_window_bits=" + strconv.Itoa(p.clientBits)
	} else if p.clientBitsOffered {
		s += "; client_max_window_bits"
	}
	return s
}

// An extension is one element of Sec-WebSocket-Extensions.
type extension struct {
	name   string
	params []extensionParam
}

type extensionParam struct {
	name, value string
	hasValue    bool
}

// parseExtensions reads a Sec-WebSocket-Extensions field (RFC 6455, section
// 9.1), which may stand in several lines.
func parseExtensions(lines []string) ([]extension, error) {
	var all []extension
	for _, line := range lines {
		s := extensionScanner{rest: line}
		for {
			s.space()
			if s.rest == "" {
				break
			}
			if s.take(',') {
				continue // empty elements count for nothing
			}
			var e extension
			if e.name = s.token(); e.name == "" {
				return nil, s.bad("an extension's name")
			}
			for s.space(); s.take(';'); s.space() {
				s.space()
				var p extensionParam
				if p.name = s.token(); p.name == "" {
					return nil, s.bad("a parameter's name")
				}
				s.space()
				if s.take('=') {
					s.space()
					if p.value, p.hasValue = s.value(); !p.hasValue {
						return nil, s.bad("a parameter's value")
					}
				}
				e.params = append(e.params, p)
			}
			if s.rest != "" && !s.take(',') {
				return nil, s.bad("a comma")
			}
			all = append(all, e)
		}
	}
	return all, nil
}

// extensionScanner takes apart one line of the field.
type extensionScanner struct{ rest string }

func (s *extensionScanner) bad(want string) error {
	return fmt.Errorf("Sec-WebSocket-Extensions has %.40q where %s is expected", s.rest, want)
}

func (s *extensionScanner) space() { s.rest = strings.TrimLeft(s.rest, " \t") }

func (s *extensionScanner) take(c byte) bool {
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *extensionScanner) token() string {
	n := 0
	for n < len(s.rest) && isTokenByte(s.rest[n]) {
		n++
	}
	t := s.rest[:n]
	s.rest = s.rest[n:]
	return t
}

// value takes a token or a quoted string, "the value after quoted-string
// unescaping MUST conform to the 'token' ABNF" (RFC 6455, section 9.1).
func (s *extensionScanner) value() (string, bool) {
	if !s.take('"') {
		t := s.token()
		return t, t != ""
	}
	var b []byte
	for s.rest != "" {
		c := s.rest[0]
		s.rest = s.rest[1:]
		if c == '"' {
			return string(b), isToken(string(b))
		}
		if c == '\\' {
			if s.rest == "" {
				break
			}
			c = s.rest[0]
			s.rest = s.rest[1:]
		}
		b = append(b, c)
	}
	return "", false
}

// parseDeflate reads the parameters of an offer, or of an answer, and says what
// is wrong with them (RFC 7692, section 7.1).
func parseDeflate(params []extensionParam, answer bool) (p deflateParams, err error) {
	seen := map[string]bool{}
	for _, param := range params {
		if seen[param.name] {
			return p, fmt.Errorf("the parameter %q is repeated", param.name)
		}
		seen[param.name] = true
		switch param.name {
		case "server_no_context_takeover", "client_no_context_takeover":
			if param.hasValue {
				return p, fmt.Errorf("the parameter %q has a value", param.name)
			}
			if param.name[0] == 's' {
				p.serverNoTakeover = true
			} else {
				p.clientNoTakeover = true
			}
		case "server_max_window_bits":
			if p.serverBits, err = windowBits(param); err != nil {
				return p, err
			}
		case "client_max_window_bits":
			p.clientBitsOffered = true
			if !param.hasValue && !answer {
				continue // "This parameter may have no value" in an offer
			}
			if p.clientBits, err = windowBits(param); err != nil {
				return p, err
			}
		default:
			return p, fmt.Errorf("the parameter %q is unknown", param.name)
		}
	}
	return p, nil
}

// windowBits reads "a decimal integer value without leading zeroes between 8 to
// 15 inclusive" (section 7.1.2).
func windowBits(p extensionParam) (int, error) {
	for bits := minWindowBits; bits <= maxWindowBits; bits++ {
		if p.value == strconv.Itoa(bits) {
			return bits, nil
		}
	}
	return 0, fmt.Errorf("the parameter %q has the value %q, not 8 to 15", p.name, p.value)
}

// CompressionTuning refines a CompressionMode that is not CompressionDisabled.
// The zero value is the default.
type CompressionTuning struct {
	// ServerWindowBits and ClientWindowBits are the largest windows that the
	// server and the client compress with, 8 to 15: a window has 2 to the power
	// of it bytes. With context takeover each end keeps both windows for as long
	// as the connection lives, as far as they have been filled: up to 64 KiB with
	// the default of 15, 8 KiB with 12. A peer that can't be told about a smaller
	// window is asked to do without takeover in that direction.
	ServerWindowBits, ClientWindowBits int

	// ServerNoContextTakeover and ClientNoContextTakeover switch context takeover
	// off for what the server and the client sends, if CompressionMode is
	// CompressionContextTakeover.
	ServerNoContextTakeover, ClientNoContextTakeover bool

	// Effort is how hard this end tries to make what it sends short: 0 is the
	// default, -1 (or less) the least effort and 3 the most. The least spends little
	// on small messages and is no different from 4 KiB on. From 1 KiB on 1 comes to
	// within 1 % of the size that zlib's default level gives, 2 and 3 below it. With
	// context takeover a positive effort costs some 40 µs more for each message,
	// however small, since the window is indexed anew. A connection owns as much
	// memory with any effort; while a message is being compressed a positive one
	// borrows 192 KiB.
	//
	// Measured on messages of JSON, CPU and size as multiples of the default's:
	//
	//	                       256 B         4 KiB        64 KiB
	//	                     CPU  size     CPU  size     CPU  size
	//	-1  no takeover     0.18  1.32    1.00  1.00    1.00  1.00
	//	    takeover        0.71  1.05    1.00  1.00    1.00  1.00
	//	 1  no takeover     1.5   0.99    2.3   0.93    3.8   0.84
	//	    takeover       36     0.83    4.2   0.83    4.0   0.82
	//	 2  no takeover     1.5   0.99    2.7   0.92    6.7   0.82
	//	    takeover       39     0.82    6.2   0.81    7.5   0.79
	//	 3  no takeover     1.5   0.99    2.8   0.92   12     0.80
	//	    takeover       42     0.80    9.5   0.79   14     0.77
	Effort int
}

// wish is what one end wants of permessage-deflate: its options, checked.
func (t CompressionTuning) wish(mode CompressionMode) (p deflateParams, err error) {
	p = deflateParams{
		serverNoTakeover: t.ServerNoContextTakeover || mode == CompressionNoContextTakeover,
		clientNoTakeover: t.ClientNoContextTakeover || mode == CompressionNoContextTakeover,
		serverBits:       orDefault(t.ServerWindowBits, maxWindowBits, -1),
		clientBits:       orDefault(t.ClientWindowBits, maxWindowBits, -1),
	}
	if t.Effort > int(deflate.MostEffort) {
		return p, fmt.Errorf("websocket: a compression effort of %d; the most is %d", t.Effort, deflate.MostEffort)
	}
	p.effort = deflate.Effort(orDefault(t.Effort, 0, int(deflate.LeastEffort)))
	if mode != CompressionContextTakeover && mode != CompressionNoContextTakeover {
		return p, fmt.Errorf("websocket: CompressionMode %d does not exist", int(mode))
	}
	for _, bits := range []int{p.serverBits, p.clientBits} {
		if bits < minWindowBits || bits > maxWindowBits {
			return p, fmt.Errorf("websocket: a compression window of %d bits; 8 to 15 are possible", bits)
		}
	}
	return p, nil
}

// answerOffers chooses the first acceptable offer in a client's
// Sec-WebSocket-Extensions. It returns the answer and what is agreed on, with
// both window sizes set. A field that can't be read offers nothing.
func answerOffers(lines []string, wish deflateParams) (answer, agreed deflateParams, ok bool) {
	offers, err := parseExtensions(lines)
	if err != nil {
		return answer, agreed, false
	}
	for _, e := range offers {
		if e.name != deflateName {
			continue
		}
		offer, err := parseDeflate(e.params, false)
		if err != nil {
			continue // "A server MUST decline an extension negotiation offer" that is not valid
		}
		answer, agreed = answerOffer(offer, wish)
		return answer, agreed, true
	}
	return answer, agreed, false
}

// answerOffer answers one valid offer; see the sections 7.1.1.1 to 7.1.2.2.
func answerOffer(offer, wish deflateParams) (answer, agreed deflateParams) {
	answer.serverNoTakeover = offer.serverNoTakeover || wish.serverNoTakeover
	answer.clientNoTakeover = offer.clientNoTakeover || wish.clientNoTakeover

	agreed.effort = wish.effort
	agreed.serverBits = wish.serverBits
	if offer.serverBits != 0 {
		agreed.serverBits = min(agreed.serverBits, offer.serverBits)
	}
	if offer.serverBits != 0 || agreed.serverBits < maxWindowBits {
		answer.serverBits = agreed.serverBits
	}

	agreed.clientBits = maxWindowBits
	if offer.clientBits != 0 {
		agreed.clientBits = offer.clientBits
	}
	if wish.clientBits < agreed.clientBits {
		if offer.clientBitsOffered {
			agreed.clientBits = wish.clientBits
			answer.clientBits = wish.clientBits
		} else {
			// "If a received extension negotiation offer doesn't have the
			// "client_max_window_bits" extension parameter, the corresponding
			// extension negotiation response ... MUST NOT include" it.
			answer.clientNoTakeover = true
		}
	} else if offer.clientBits != 0 {
		answer.clientBits = offer.clientBits
	}
	agreed.serverNoTakeover, agreed.clientNoTakeover = answer.serverNoTakeover, answer.clientNoTakeover
	return answer, agreed
}

// offerOf is what a client with this wish offers.
func offerOf(wish deflateParams) deflateParams {
	offer := wish
	offer.clientBitsOffered = true
	if offer.serverBits == maxWindowBits {
		offer.serverBits = 0
	}
	if offer.clientBits == maxWindowBits {
		offer.clientBits = 0
	}
	return offer
}

// checkAnswer holds a server's Sec-WebSocket-Extensions against our offer. It
// returns what is agreed on, with both window sizes set; ok is false if the
// server declined.
func checkAnswer(lines []string, offered bool, offer deflateParams) (agreed deflateParams, ok bool, err error) {
	answers, err := parseExtensions(lines)
	if err != nil || len(answers) == 0 {
		return agreed, false, err
	}
	// "the client MUST _Fail the WebSocket Connection_" for an extension "that was
	// not present in the client's handshake" (RFC 6455, section 4.1).
	if len(answers) > 1 || answers[0].name != deflateName || !offered {
		return agreed, false, fmt.Errorf("the extensions %.64q, of which not all were offered", strings.Join(lines, ", "))
	}
	answer, err := parseDeflate(answers[0].params, true)
	if err != nil {
		return agreed, false, fmt.Errorf("%s, where %w", deflateName, err)
	}
	switch {
	case offer.serverNoTakeover && !answer.serverNoTakeover:
		err = fmt.Errorf("no server_no_context_takeover, which was offered")
	case offer.serverBits != 0 && (answer.serverBits == 0 || answer.serverBits > offer.serverBits):
		err = fmt.Errorf("server_max_window_bits=%d, though %d was offered", answer.serverBits, offer.serverBits)
	case offer.clientBits != 0 && answer.clientBits > offer.clientBits:
		err = fmt.Errorf("client_max_window_bits=%d, though %d was offered", answer.clientBits, offer.clientBits)
	}
	if err != nil {
		return agreed, false, fmt.Errorf("%s with %w", deflateName, err)
	}
	agreed = answer
	agreed.effort = offer.effort
	if agreed.serverBits == 0 {
		agreed.serverBits = maxWindowBits
	}
	if agreed.clientBits == 0 {
		agreed.clientBits = maxWindowBits
		if offer.clientBits != 0 { // a hint of ours that we keep to ourselves
			agreed.clientBits = offer.clientBits
		}
	}
	agreed.clientNoTakeover = agreed.clientNoTakeover || offer.clientNoTakeover
	return agreed, true, nil
}

// compression is what a connection with permessage-deflate has more.
type compression struct {
	out       deflate.Compressor   // belongs to the holder of the write turn
	in        deflate.Decompressor // belongs to the holder of the read turn
	message   inflating            // too
	threshold int
}

// newCompression sets up what was agreed on, for one end.
func newCompression(agreed deflateParams, client bool, threshold int) *compression {
	outBits, outTakeover := agreed.serverBits, !agreed.serverNoTakeover
	inBits, inTakeover := agreed.clientBits, !agreed.clientNoTakeover
	if client {
		outBits, inBits = inBits, outBits
		outTakeover, inTakeover = inTakeover, outTakeover
	}
	z := &compression{}
	z.out.Init(outBits, outTakeover, agreed.effort)
	z.in.Init(inBits, inTakeover)
	if outTakeover {
		z.threshold = orDefault(threshold, 128, 0)
	} else {
		z.threshold = orDefault(threshold, 512, 0)
	}
	return z
}
