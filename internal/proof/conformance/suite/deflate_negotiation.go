package suite

import "fmt"

// deflateNegotiation tests the offers and answers themselves.
func deflateNegotiation(b *builder) {
	hello := one(text("Hello"))
	b.inDeflate("7", "A server MUST decline an extension negotiation offer for this extension if any of the following conditions are met: … a parameter not defined for use in an offer, … an invalid value, … multiple parameters with the same name")
	b.roles = Server
	invalid := []string{
		"server_max_window_bits=7", "server_max_window_bits=16", "server_max_window_bits=0", "server_max_window_bits=-9",
		"server_max_window_bits=09", "server_max_window_bits=abc", "server_max_window_bits", "server_max_window_bits=10.5",
		"client_max_window_bits=7", "client_max_window_bits=16", "client_max_window_bits=08", "client_max_window_bits=x",
		"server_no_context_takeover=1", "client_no_context_takeover=true", "server_no_context_takeover=15",
		"server_no_context_takeover; server_no_context_takeover", "client_no_context_takeover; client_no_context_takeover",
		"server_max_window_bits=10; server_max_window_bits=10", "client_max_window_bits; client_max_window_bits=10",
		"unknown", "unknown=1", "unknown; client_max_window_bits",
	}
	offered := func(name, offer string) *deflateOpening {
		c := b.echo(name, hello, frames(text("Hello")))
		c.open.deflate = &deflateOpening{offer: offer}
		return c.open.deflate
	}
	for _, p := range invalid {
		offered("declined: "+p, "permessage-deflate; "+p).declined = true
	}
	b.inDeflate("5.1", "a list of offers is in the client's order of preference; the server takes one that it can")
	b.roles = Server
	for _, p := range invalid {
		offered("the first offer is none, the second is taken: "+p, "permessage-deflate; "+p+", permessage-deflate").accepted = true
	}
	offered("an unknown extension before", "x-conformance-unknown, permessage-deflate").accepted = true
	offered("an unknown extension behind", "permessage-deflate, x-conformance-unknown").accepted = true
	offered("a value in quotes", `permessage-deflate; server_max_window_bits="10"; client_max_window_bits="15"`)
	offered("white space around", "  permessage-deflate  ;  client_max_window_bits  ").accepted = true
	offered("no white space", "permessage-deflate;client_max_window_bits;server_no_context_takeover").accepted = true

	b.inDeflate("7", "A client MUST _Fail the WebSocket Connection_ if the peer server accepted an extension negotiation offer for this extension with an extension negotiation response meeting any of the following conditions: … a parameter not defined for use in a response, … an invalid value, … multiple parameters with the same name, … does not support the configuration")
	b.roles = Client
	refused := func(answer string) {
		c := b.add(Case{Name: fmt.Sprintf("answered with %q", answer), Offer: plainOffer})
		c.open.refused = true
		c.open.deflate = &deflateOpening{answer: answer}
	}
	for _, p := range invalid {
		refused("permessage-deflate; " + p)
	}
	refused("permessage-deflate; client_max_window_bits")
	refused("permessage-deflate, permessage-deflate")
	refused("permessage-deflate; server_max_window_bits=12, permessage-deflate")
	refused("permessage-deflate, x-conformance-unknown")
}
