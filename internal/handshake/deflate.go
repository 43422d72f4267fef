package handshake

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

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
	// ClientBitsOffered: the parameter client_max_window_bits is present. In an offer
	// it may have no value, then ClientBits is 0. If it is absent from an offer,
	// ClientBits is the window that the client uses without being asked.
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
	if p.ClientBitsOffered {
		s += "; client_max_window_bits"
		if p.ClientBits != 0 {
			s += "=" + strconv.Itoa(p.ClientBits)
		}
	}
	return s
}

// parseDeflate reads the parameters of an offer, or of an answer, and says what
// is wrong with them (RFC 7692, section 7.1).
func parseDeflate(params []extensionParam, answer bool) (p Params, err error) {
	var seen [4]bool
	for _, param := range params {
		i := slices.Index(paramNames[:], param.name)
		if i < 0 {
			return p, fmt.Errorf("the parameter %.40q is unknown", param.name)
		}
		if seen[i] {
			return p, fmt.Errorf("the parameter %q is repeated", param.name)
		}
		seen[i] = true
		if i < 2 && param.hasValue {
			return p, fmt.Errorf("the parameter %q has a value", param.name)
		}
		switch i {
		case 0:
			p.ServerNoTakeover = true
		case 1:
			p.ClientNoTakeover = true
		case 2:
			if p.ServerBits, err = windowBits(param); err != nil {
				return p, err
			}
		case 3:
			p.ClientBitsOffered = true
			if !param.hasValue && !answer {
				continue // "This parameter may have no value" in an offer
			}
			if p.ClientBits, err = windowBits(param); err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

// paramNames are the parameters of permessage-deflate; the first two have no value.
var paramNames = [4]string{"server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits", "client_max_window_bits"}

// windowBits reads "a decimal integer value without leading zeroes between 8 to
// 15 inclusive" (section 7.1.2).
func windowBits(p extensionParam) (int, error) {
	for bits := MinWindowBits; bits <= MaxWindowBits; bits++ {
		if p.value == strconv.Itoa(bits) {
			return bits, nil
		}
	}
	return 0, fmt.Errorf("the parameter %q has the value %.40q, not 8 to 15", p.name, p.value)
}

// maxOffers is how many offers of permessage-deflate are looked at. A client that has a
// choice to offer sends two or three (RFC 7692, section 5.1).
const maxOffers = 16

// AnswerOffers chooses the first acceptable offer in a client's
// Sec-WebSocket-Extensions, for a server that wishes for wish (both window sizes must
// be set). It returns the answer to send, and what is agreed on, with both window
// sizes set. ok is false if there is no acceptable offer. A field that is malformed or
// longer than [MaxField] offers nothing.
func AnswerOffers(lines []string, wish Params) (answer, agreed Params, ok bool) {
	if tooLong(lines) {
		return answer, agreed, false
	}
	offers := 0
	for e, err := range eachExtension(lines) {
		if err != nil {
			return Params{}, Params{}, false
		}
		if ok || e.name != deflateName || offers == maxOffers {
			continue // to the end: the field may be malformed there
		}
		offers++
		offer, err := parseDeflate(e.params, false)
		if err != nil {
			continue // "A server MUST decline an extension negotiation offer" that is not valid
		}
		answer, agreed = answerOffer(offer, wish)
		ok = true
	}
	return answer, agreed, ok
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
			answer.ClientBits, answer.ClientBitsOffered = wish.ClientBits, true
		} else {
			// "If a received extension negotiation offer doesn't have the
			// "client_max_window_bits" extension parameter, the corresponding
			// extension negotiation response ... MUST NOT include" it.
			answer.ClientNoTakeover = true
		}
	} else if offer.ClientBits != 0 {
		answer.ClientBits, answer.ClientBitsOffered = offer.ClientBits, true
	}
	agreed.ServerNoTakeover, agreed.ClientNoTakeover = answer.ServerNoTakeover, answer.ClientNoTakeover
	return answer, agreed
}

// Offer returns what a client with this wish offers. Both of the wish's window sizes
// must be set; a size of MaxWindowBits is left out of the offer. With
// wish.ClientBitsOffered the server may choose the client's window.
func Offer(wish Params) Params {
	offer := wish
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
	if tooLong(lines) {
		return agreed, false, errors.New("Sec-WebSocket-Extensions of more than 64 KiB")
	}
	var answer Params
	for e, err := range eachExtension(lines) {
		if err != nil {
			return agreed, false, err
		}
		// "the client MUST _Fail the WebSocket Connection_" for an extension "that was
		// not present in the client's handshake" (RFC 6455, section 4.1).
		switch {
		case e.name != deflateName:
			return agreed, false, fmt.Errorf("the extension %.64q, which is not known here: only %s is", e.name, deflateName)
		case !offered:
			return agreed, false, fmt.Errorf("%s, which was not offered", deflateName)
		case ok:
			return agreed, false, fmt.Errorf("%s twice", deflateName)
		}
		if answer, err = parseDeflate(e.params, true); err != nil {
			return agreed, false, fmt.Errorf("%s, where %w", deflateName, err)
		}
		ok = true
	}
	if !ok {
		return agreed, false, nil
	}
	if err := checkParams(answer, offer); err != nil {
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

// ReadAnswer is CheckAnswer for those who have nothing but the two header fields: the server's answer, and what the client
// has offered. If offered is empty, the answer is compared with nothing.
func ReadAnswer(answer, offered string) (agreed Params, ok bool, err error) {
	if offered == "" || answer == "" {
		return CheckAnswer([]string{answer}, true, Params{ClientBitsOffered: true})
	}
	err = fmt.Errorf("%s, which was not offered", deflateName)
	if tooLong([]string{offered}) {
		return agreed, false, errors.New("an offer of more than 64 KiB")
	}
	for e, bad := range eachExtension([]string{offered}) {
		if bad != nil {
			return agreed, false, fmt.Errorf("an offer that is malformed: %w", bad)
		}
		if e.name != deflateName {
			continue
		}
		offer, bad := parseDeflate(e.params, false)
		if bad != nil {
			err = fmt.Errorf("an offer of %s where %w", deflateName, bad)
			continue
		}
		// The answer is to one of the offers.
		if agreed, ok, err = CheckAnswer([]string{answer}, true, offer); ok {
			return agreed, true, nil
		}
	}
	return Params{}, false, err
}

// checkParams says what is wrong with an answer to our offer: sections 7.1.1.1 to
// 7.1.2.2.
func checkParams(answer, offer Params) error {
	switch {
	case offer.ServerNoTakeover && !answer.ServerNoTakeover:
		return errors.New("no server_no_context_takeover, which was offered")
	case offer.ServerBits != 0 && (answer.ServerBits == 0 || answer.ServerBits > offer.ServerBits):
		return fmt.Errorf("server_max_window_bits=%d, though %d was offered", answer.ServerBits, offer.ServerBits)
	case answer.ClientBitsOffered && !offer.ClientBitsOffered:
		return fmt.Errorf("client_max_window_bits=%d, which was not offered", answer.ClientBits)
	case offer.ClientBits != 0 && answer.ClientBits > offer.ClientBits:
		return fmt.Errorf("client_max_window_bits=%d, though %d was offered", answer.ClientBits, offer.ClientBits)
	}
	return nil
}
