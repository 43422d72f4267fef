package handshake

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/closeonce/websocket/internal/deflate"
)

// This file negotiates permessage-deflate (RFC 7692).

const deflateName = "permessage-deflate"

// The bounds of a window's size, as the exponent of 2 (section 7.1.2).
const (
	MinWindowBits = 8
	MaxWindowBits = 15
)

// Params are the parameters of an offer or of an answer.
type Params struct {
	ServerNoTakeover, ClientNoTakeover bool
	// ServerBits and ClientBits are window sizes; 0: the parameter is absent.
	ServerBits, ClientBits int
	// ClientBitsOffered: the offer has client_max_window_bits, with or without a
	// value.
	ClientBitsOffered bool
	// Effort is our own compressor's; the peer is told nothing of it.
	Effort deflate.Effort
}

// String writes the parameters as an element of Sec-WebSocket-Extensions.
func (p Params) String() string {
	s := deflateName
	if p.ServerNoTakeover {
		s += "; server_no_context_takeover"
	}
	if p.ClientNoTakeover {
		s += "; client_no_context_takeover"
	}
	if p.ServerBits != 0 {
		s += "; server_max_window_bits=" + strconv.Itoa(p.ServerBits)
	}
	if p.ClientBits != 0 {
		s += "; client_max_window_bits=" + strconv.Itoa(p.ClientBits)
	} else if p.ClientBitsOffered {
		s += "; client_max_window_bits"
	}
	return s
}

// parseDeflate reads the parameters of an offer, or of an answer, and says what
// is wrong with them (RFC 7692, section 7.1).
func parseDeflate(params []extensionParam, answer bool) (p Params, err error) {
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
				p.ServerNoTakeover = true
			} else {
				p.ClientNoTakeover = true
			}
		case "server_max_window_bits":
			if p.ServerBits, err = windowBits(param); err != nil {
				return p, err
			}
		case "client_max_window_bits":
			p.ClientBitsOffered = true
			if !param.hasValue && !answer {
				continue // "This parameter may have no value" in an offer
			}
			if p.ClientBits, err = windowBits(param); err != nil {
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
	for bits := MinWindowBits; bits <= MaxWindowBits; bits++ {
		if p.value == strconv.Itoa(bits) {
			return bits, nil
		}
	}
	return 0, fmt.Errorf("the parameter %q has the value %q, not 8 to 15", p.name, p.value)
}

// AnswerOffers chooses the first acceptable offer in a client's
// Sec-WebSocket-Extensions, for a server that wishes for wish (both window sizes must
// be set). It returns the answer to send, and what is agreed on, with both window
// sizes set. ok is false if there is no acceptable offer. A field that can't be read
// offers nothing.
func AnswerOffers(lines []string, wish Params) (answer, agreed Params, ok bool) {
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
func answerOffer(offer, wish Params) (answer, agreed Params) {
	answer.ServerNoTakeover = offer.ServerNoTakeover || wish.ServerNoTakeover
	answer.ClientNoTakeover = offer.ClientNoTakeover || wish.ClientNoTakeover

	agreed.Effort = wish.Effort
	agreed.ServerBits = wish.ServerBits
	if offer.ServerBits != 0 {
		agreed.ServerBits = min(agreed.ServerBits, offer.ServerBits)
	}
	if offer.ServerBits != 0 || agreed.ServerBits < MaxWindowBits {
		answer.ServerBits = agreed.ServerBits
	}

	agreed.ClientBits = MaxWindowBits
	if offer.ClientBits != 0 {
		agreed.ClientBits = offer.ClientBits
	}
	if wish.ClientBits < agreed.ClientBits {
		if offer.ClientBitsOffered {
			agreed.ClientBits = wish.ClientBits
			answer.ClientBits = wish.ClientBits
		} else {
			// "If a received extension negotiation offer doesn't have the
			// "client_max_window_bits" extension parameter, the corresponding
			// extension negotiation response ... MUST NOT include" it.
			answer.ClientNoTakeover = true
		}
	} else if offer.ClientBits != 0 {
		answer.ClientBits = offer.ClientBits
	}
	agreed.ServerNoTakeover, agreed.ClientNoTakeover = answer.ServerNoTakeover, answer.ClientNoTakeover
	return answer, agreed
}

// Offer returns what a client with this wish offers. Both of its window sizes must be
// set; a size of MaxWindowBits is left out of the offer.
func Offer(wish Params) Params {
	offer := wish
	offer.ClientBitsOffered = true
	if offer.ServerBits == MaxWindowBits {
		offer.ServerBits = 0
	}
	if offer.ClientBits == MaxWindowBits {
		offer.ClientBits = 0
	}
	return offer
}

// CheckAnswer compares a server's Sec-WebSocket-Extensions with our offer; offered is
// false if there was none. It returns what is agreed on, with both window sizes set. ok
// is false if the server declined. If there is an error the client must fail the
// connection (RFC 6455, section 4.1, and RFC 7692, section 5.1).
func CheckAnswer(lines []string, offered bool, offer Params) (agreed Params, ok bool, err error) {
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
	case offer.ServerNoTakeover && !answer.ServerNoTakeover:
		err = fmt.Errorf("no server_no_context_takeover, which was offered")
	case offer.ServerBits != 0 && (answer.ServerBits == 0 || answer.ServerBits > offer.ServerBits):
		err = fmt.Errorf("server_max_window_bits=%d, though %d was offered", answer.ServerBits, offer.ServerBits)
	case offer.ClientBits != 0 && answer.ClientBits > offer.ClientBits:
		err = fmt.Errorf("client_max_window_bits=%d, though %d was offered", answer.ClientBits, offer.ClientBits)
	}
	if err != nil {
		return agreed, false, fmt.Errorf("%s with %w", deflateName, err)
	}
	agreed = answer
	agreed.Effort = offer.Effort
	if agreed.ServerBits == 0 {
		agreed.ServerBits = MaxWindowBits
	}
	if agreed.ClientBits == 0 {
		agreed.ClientBits = MaxWindowBits
		if offer.ClientBits != 0 { // a hint of ours that we keep to ourselves
			agreed.ClientBits = offer.ClientBits
		}
	}
	agreed.ClientNoTakeover = agreed.ClientNoTakeover || offer.ClientNoTakeover
	return agreed, true, nil
}
