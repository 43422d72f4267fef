package suite

import (
	"fmt"
	"strconv"
	"strings"
)

// extension is one element of Sec-WebSocket-Extensions, RFC 6455, section 9.1.
type extension struct {
	name   string
	params []field
}

func parseExtensions(value string) []extension {
	var list []extension
	for element := range strings.SplitSeq(value, ",") {
		parts := strings.Split(element, ";")
		e := extension{name: strings.TrimSpace(parts[0])}
		if e.name == "" {
			continue
		}
		for _, p := range parts[1:] {
			name, v, _ := strings.Cut(p, "=")
			e.params = append(e.params, field{strings.TrimSpace(name), strings.Trim(strings.TrimSpace(v), `"`)})
		}
		list = append(list, e)
	}
	return list
}

// parameters of permessage-deflate, RFC 7692, section 7.1. Bits are 0 where
// the parameter is absent, and -1 where it stands without a value.
type parameters struct {
	serverNoTakeover, clientNoTakeover bool
	serverBits, clientBits             int
}

// deflateParameters reads a permessage-deflate element. offer allows
// client_max_window_bits without a value.
func deflateParameters(e extension, offer bool) (parameters, error) {
	var p parameters
	seen := map[string]bool{}
	for _, f := range e.params {
		if seen[f.name] {
			return p, fmt.Errorf("%s is there twice", f.name)
		}
		seen[f.name] = true
		switch f.name {
		case "server_no_context_takeover", "client_no_context_takeover":
			if f.value != "" {
				return p, fmt.Errorf("%s has a value", f.name)
			}
			if f.name[0] == 's' {
				p.serverNoTakeover = true
			} else {
				p.clientNoTakeover = true
			}
		case "server_max_window_bits", "client_max_window_bits":
			n := -1
			if f.value != "" || !offer || f.name[0] == 's' {
				v, err := strconv.Atoi(f.value)
				if err != nil || v < 8 || v > 15 || len(f.value) != len(strconv.Itoa(v)) {
					return p, fmt.Errorf("%s=%q", f.name, f.value)
				}
				n = v
			}
			if f.name[0] == 's' {
				p.serverBits = n
			} else {
				p.clientBits = n
			}
		default:
			return p, fmt.Errorf("unknown parameter %q", f.name)
		}
	}
	return p, nil
}

// agrees says whether answer is one that a server may give to offer.
func agrees(offer, answer parameters) error {
	switch {
	case offer.serverNoTakeover && !answer.serverNoTakeover:
		return fmt.Errorf("server_no_context_takeover was offered and is not in the response (7.1.1.1)")
	case offer.serverBits > 0 && answer.serverBits == 0:
		return fmt.Errorf("server_max_window_bits=%d was offered and is not in the response (7.1.2.1)", offer.serverBits)
	case offer.serverBits > 0 && answer.serverBits > offer.serverBits:
		return fmt.Errorf("server_max_window_bits=%d is larger than the offered %d (7.1.2.1)", answer.serverBits, offer.serverBits)
	case offer.clientBits == 0 && answer.clientBits != 0:
		return fmt.Errorf("client_max_window_bits was not offered (7.1.2.2)")
	case offer.clientBits > 0 && answer.clientBits > offer.clientBits:
		return fmt.Errorf("client_max_window_bits=%d is larger than the offered %d (7.1.2.2)", answer.clientBits, offer.clientBits)
	}
	return nil
}

// deflateOpening negotiates permessage-deflate.
type deflateOpening struct {
	offer  string // sent to a server
	answer string // sent to a client
	// The offers are none that a server may accept.
	declined bool
	accepted bool // one of the offers is one that any server can take
	shares   bool // the case's messages refer to earlier ones
}

// compression is the extension in use on a connection.
type compression struct {
	in  inflater
	out *Deflater
}

// newCompression sets both directions up; the endpoint under test has role.
func newCompression(p parameters, role Role) *compression {
	bits := func(n int) int {
		if n <= 0 {
			return 15
		}
		return n
	}
	inBits, inKeep := bits(p.serverBits), !p.serverNoTakeover
	outBits, outKeep := bits(p.clientBits), !p.clientNoTakeover
	if role == Client {
		inBits, outBits, inKeep, outKeep = outBits, inBits, outKeep, inKeep
	}
	return &compression{
		in:  inflater{window: 1 << inBits, takeover: inKeep, limit: largestPayload},
		out: NewDeflater(outBits, outKeep),
	}
}

// negotiated reads a server's answer to offer. Without the extension it
// returns nil.
func negotiated(offer, answer string) (*parameters, error) {
	var got *parameters
	for _, e := range parseExtensions(answer) {
		if e.name != "permessage-deflate" {
			continue
		}
		if got != nil {
			return nil, fmt.Errorf("permessage-deflate is accepted twice")
		}
		p, err := deflateParameters(e, false)
		if err != nil {
			return nil, fmt.Errorf("response: %w", err)
		}
		got = &p
	}
	if got == nil {
		return nil, nil
	}
	err := fmt.Errorf("no valid offer was made")
	for _, e := range parseExtensions(offer) {
		if p, bad := deflateParameters(e, true); e.name == "permessage-deflate" && bad == nil {
			if err = agrees(p, *got); err == nil {
				return got, nil
			}
		}
	}
	return nil, err
}

// answerFor makes a case's answer fit the client's offer, if it can: what the
// offer demands of the server is added.
func answerFor(offer, answer string) (string, *parameters) {
	p, err := deflateParameters(parseExtensions(answer)[0], false)
	if err != nil {
		return "", nil
	}
	for _, e := range parseExtensions(offer) {
		o, err := deflateParameters(e, true)
		if e.name != "permessage-deflate" || err != nil {
			continue
		}
		full, text := p, answer
		if o.serverNoTakeover && !p.serverNoTakeover {
			full.serverNoTakeover = true
			text += "; server_no_context_takeover"
		}
		if o.serverBits > 0 && p.serverBits == 0 {
			full.serverBits = o.serverBits
			text += fmt.Sprintf("; server_max_window_bits=%d", o.serverBits)
		}
		if agrees(o, full) == nil {
			return text, &full
		}
	}
	return "", nil
}
