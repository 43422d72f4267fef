package suite

import "testing"

func TestNegotiated(t *testing.T) {
	for _, c := range []struct {
		offer, answer string
		want          *parameters
		fails         bool
	}{
		{"permessage-deflate", "", nil, false},
		{"permessage-deflate", "permessage-deflate", &parameters{}, false},
		{"permessage-deflate", "permessage-deflate; server_no_context_takeover", &parameters{serverNoTakeover: true}, false},
		{"permessage-deflate", "permessage-deflate; client_max_window_bits=10", nil, true},
		{"permessage-deflate", "permessage-deflate; server_max_window_bits=10", &parameters{serverBits: 10}, false},
		{"permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=10", &parameters{clientBits: 10}, false},
		{"permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits", nil, true},
		{"permessage-deflate; client_max_window_bits=9", "permessage-deflate; client_max_window_bits=10", nil, true},
		{"permessage-deflate; server_max_window_bits=9", "permessage-deflate", nil, true},
		{"permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=10", nil, true},
		{"permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=8", &parameters{serverBits: 8}, false},
		{"permessage-deflate; server_no_context_takeover", "permessage-deflate", nil, true},
		{"permessage-deflate; unknown, permessage-deflate", "permessage-deflate", &parameters{}, false},
		{"permessage-deflate; unknown", "permessage-deflate", nil, true},
		{"permessage-deflate", "permessage-deflate, permessage-deflate", nil, true},
		{"permessage-deflate", "permessage-deflate; server_max_window_bits=16", nil, true},
		{"permessage-deflate", "permessage-deflate; server_max_window_bits=09", nil, true},
		{`permessage-deflate; server_max_window_bits="10"`, "permessage-deflate; server_max_window_bits=10", &parameters{serverBits: 10}, false},
	} {
		got, err := negotiated(c.offer, c.answer)
		if (err != nil) != c.fails || (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("offer %q, answer %q: %+v, %v", c.offer, c.answer, got, err)
		}
	}
}

func TestAnswerFor(t *testing.T) {
	for _, c := range []struct{ offer, answer, want string }{
		{"permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=9", "permessage-deflate; client_max_window_bits=9"},
		{"permessage-deflate", "permessage-deflate; client_max_window_bits=9", ""},
		{"permessage-deflate; server_no_context_takeover", "permessage-deflate", "permessage-deflate; server_no_context_takeover"},
		{"permessage-deflate; server_max_window_bits=9", "permessage-deflate", "permessage-deflate; server_max_window_bits=9"},
		{"permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=10", ""},
		{"x-other", "permessage-deflate", ""},
	} {
		if got, _ := answerFor(c.offer, c.answer); got != c.want {
			t.Errorf("offer %q, answer %q: %q, want %q", c.offer, c.answer, got, c.want)
		}
	}
}
