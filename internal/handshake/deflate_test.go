package handshake

import (
	"strings"
	"testing"
)

// extensionRows are Sec-WebSocket-Extensions fields as offers, with the answer
// of a server that wants the default, and whether they are legal as an answer to
// the client's default offer. "-" is declined.
var extensionRows = []struct {
	field    string
	answer   string
	asAnswer bool
}{
	{"permessage-deflate", "permessage-deflate", true},
	{" permessage-deflate ", "permessage-deflate", true},
	{"permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover", true},
	{"permessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover", true},
	{"permessage-deflate;client_no_context_takeover;server_no_context_takeover", "permessage-deflate; server_no_context_takeover; client_no_context_takeover", true},
	{"permessage-deflate; client_max_window_bits", "permessage-deflate", false}, // an answer needs the value
	{"permessage-deflate; client_max_window_bits=8", "permessage-deflate; client_max_window_bits=8", true},
	{"permessage-deflate; client_max_window_bits=15", "permessage-deflate; client_max_window_bits=15", true},
	{"permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=8", true},
	{"permessage-deflate; server_max_window_bits=15", "permessage-deflate; server_max_window_bits=15", true},
	{`permessage-deflate; server_max_window_bits="10"`, "permessage-deflate; server_max_window_bits=10", true},
	{`permessage-deflate; server_max_window_bits="1\0"`, "permessage-deflate; server_max_window_bits=10", true},
	{"permessage-deflate ; server_max_window_bits = 10 ; client_max_window_bits", "permessage-deflate; server_max_window_bits=10", false},
	{"permessage-deflate; client_max_window_bits=9; server_max_window_bits=10; client_no_context_takeover; server_no_context_takeover",
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=9", true},

	{"permessage-deflate; server_max_window_bits", "-", false},
	{"permessage-deflate; server_max_window_bits=7", "-", false},
	{"permessage-deflate; server_max_window_bits=16", "-", false},
	{"permessage-deflate; server_max_window_bits=08", "-", false},
	{"permessage-deflate; server_max_window_bits=+9", "-", false},
	{"permessage-deflate; server_max_window_bits=9x", "-", false},
	{`permessage-deflate; server_max_window_bits=""`, "-", false},
	{"permessage-deflate; client_max_window_bits=7", "-", false},
	{"permessage-deflate; client_max_window_bits=99999999999999999999", "-", false},
	{"permessage-deflate; server_no_context_takeover=1", "-", false},
	{"permessage-deflate; client_no_context_takeover=true", "-", false},
	{"permessage-deflate; unknown", "-", false},
	{"permessage-deflate; unknown=1", "-", false},
	{"permessage-deflate; server_no_context_takeover; server_no_context_takeover", "-", false},
	{"permessage-deflate; client_max_window_bits; client_max_window_bits=9", "-", false},
	{"permessage-deflate; Server_No_Context_Takeover", "-", false},
	{"x-webkit-deflate-frame", "-", false},

	// A trailing semicolon is nothing.
	{"permessage-deflate;", "permessage-deflate", true},
	{"permessage-deflate; server_max_window_bits=9 ; ", "permessage-deflate; server_max_window_bits=9", true},
	{"permessage-deflate; , x", "permessage-deflate", false},

	{"permessage-deflate;;", "-", false},
	{"permessage-deflate, =", "-", false},
	{"permessage-deflate; ;", "-", false},
	{"permessage-deflate; server_max_window_bits=", "-", false},
	{`permessage-deflate; server_max_window_bits="10`, "-", false},
	{`permessage-deflate; server_max_window_bits="1 0"`, "-", false},
	{"permessage-deflate extra", "-", false},
	{"=", "-", false},

	// Several offers: the first acceptable wins.
	{"permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=9, permessage-deflate", "permessage-deflate; server_max_window_bits=9", false},
	{"unknown; a=b, permessage-deflate", "permessage-deflate", false},
	{"unknown; a=\"x, y\", permessage-deflate", "-", false},
	{",, permessage-deflate ,", "permessage-deflate", true},
}

// defaultWish is what an end with the default options wants.
var defaultWish = Params{ServerBits: MaxWindowBits, ClientBits: MaxWindowBits, ClientBitsOffered: true}

// noTakeover is the same for CompressionNoContextTakeover.
var noTakeover = Params{ServerNoTakeover: true, ClientNoTakeover: true, ServerBits: MaxWindowBits, ClientBits: MaxWindowBits, ClientBitsOffered: true}

func TestExtensionRows(t *testing.T) {
	wish := defaultWish
	for _, row := range extensionRows {
		answer, agreed, ok := AnswerOffers([]string{row.field}, wish)
		got := "-"
		if ok {
			got = answer.String()
			if agreed.ServerBits < MinWindowBits || agreed.ClientBits < MinWindowBits {
				t.Errorf("%s: agreed on %+v", row.field, agreed)
			}
		}
		if got != row.answer {
			t.Errorf("%s: answered %q, want %q", row.field, got, row.answer)
		}
		_, ok, err := CheckAnswer([]string{row.field}, true, Offer(wish))
		if (ok && err == nil) != row.asAnswer {
			t.Errorf("%s: as an answer: %v, %v", row.field, ok, err)
		}
		if ok, err := onlyError(CheckAnswer([]string{row.field}, false, Params{})); ok || err == nil {
			t.Errorf("%s: accepted though nothing was offered", row.field)
		}
	}
	if _, ok, err := CheckAnswer(nil, true, Offer(wish)); ok || err != nil {
		t.Errorf("a server that declines: %v, %v", ok, err)
	}
	if _, _, ok := AnswerOffers(nil, wish); ok {
		t.Error("answered though nothing was offered")
	}
	// The field may stand in several lines.
	answer, _, ok := AnswerOffers([]string{"a, b; c", "permessage-deflate; server_max_window_bits=12"}, wish)
	if !ok || answer.ServerBits != 12 {
		t.Errorf("two lines: %v, %v", answer, ok)
	}
}

func onlyError(_ Params, ok bool, err error) (bool, error) { return ok, err }

// TestDeflateOptions: what the server's options ask for, by what the client
// offers.
func TestDeflateOptions(t *testing.T) {
	for _, test := range []struct {
		name   string
		wish   Params
		offer  string
		answer string
		agreed Params
	}{
		{"no takeover", noTakeover, "permessage-deflate",
			"permessage-deflate; server_no_context_takeover; client_no_context_takeover", Params{ServerNoTakeover: true, ClientNoTakeover: true, ServerBits: 15, ClientBits: 15}},
		{"by direction", Params{ServerNoTakeover: true, ServerBits: 15, ClientBits: 15}, "permessage-deflate",
			"permessage-deflate; server_no_context_takeover", Params{ServerNoTakeover: true, ServerBits: 15, ClientBits: 15}},
		{"the other direction", Params{ClientNoTakeover: true, ServerBits: 15, ClientBits: 15}, "permessage-deflate",
			"permessage-deflate; client_no_context_takeover", Params{ClientNoTakeover: true, ServerBits: 15, ClientBits: 15}},
		{"our own windows", Params{ServerBits: 10, ClientBits: 11}, "permessage-deflate; client_max_window_bits",
			"permessage-deflate; server_max_window_bits=10; client_max_window_bits=11", Params{ServerBits: 10, ClientBits: 11}},
		{"the client's are smaller", Params{ServerBits: 12, ClientBits: 12}, "permessage-deflate; client_max_window_bits=9; server_max_window_bits=8",
			"permessage-deflate; server_max_window_bits=8; client_max_window_bits=9", Params{ServerBits: 8, ClientBits: 9}},
		{"a client that can't be told", Params{ServerBits: 15, ClientBits: 12}, "permessage-deflate",
			"permessage-deflate; client_no_context_takeover", Params{ClientNoTakeover: true, ServerBits: 15, ClientBits: 15}},
	} {
		answer, agreed, ok := AnswerOffers([]string{test.offer}, test.wish)
		if !ok || answer.String() != test.answer || agreed != test.agreed {
			t.Errorf("%s: %v, %+v, want %s, %+v", test.name, answer, agreed, test.answer, test.agreed)
		}
	}
}

// TestDeflateAnswers: what a client makes of an answer to its options.
func TestDeflateAnswers(t *testing.T) {
	for _, test := range []struct {
		name   string
		wish   Params
		offer  string
		answer string
		want   string // of the error, or ""
		agreed Params
	}{
		{"default", defaultWish, "permessage-deflate; client_max_window_bits", "permessage-deflate", "", Params{ServerBits: 15, ClientBits: 15}},
		{"smaller windows", defaultWish, "permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=9; server_max_window_bits=8", "", Params{ServerBits: 8, ClientBits: 9, ClientBitsOffered: true}},
		{"no takeover", noTakeover, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits", "permessage-deflate; server_no_context_takeover", "", Params{ServerNoTakeover: true, ClientNoTakeover: true, ServerBits: 15, ClientBits: 15}},
		{"takeover all the same", noTakeover, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits", "permessage-deflate", "server_no_context_takeover", Params{}},
		{"own windows", Params{ServerBits: 10, ClientBits: 11, ClientBitsOffered: true}, "permessage-deflate; server_max_window_bits=10; client_max_window_bits=11", "permessage-deflate; server_max_window_bits=9", "", Params{ServerBits: 9, ClientBits: 11}},
		{"a larger window", Params{ServerBits: 10, ClientBits: 15, ClientBitsOffered: true}, "permessage-deflate; server_max_window_bits=10; client_max_window_bits", "permessage-deflate; server_max_window_bits=11", "server_max_window_bits=11", Params{}},
		{"no window", Params{ServerBits: 10, ClientBits: 15, ClientBitsOffered: true}, "permessage-deflate; server_max_window_bits=10; client_max_window_bits", "permessage-deflate", "server_max_window_bits", Params{}},
		{"a window of ours, kept from a server that refuses to hear of it", Params{ServerBits: 15, ClientBits: 10}, "permessage-deflate", "permessage-deflate", "", Params{ServerBits: 15, ClientBits: 10}},
		{"a server that talks of it all the same", Params{ServerBits: 15, ClientBits: 15}, "permessage-deflate", "permessage-deflate; client_max_window_bits=10", "client_max_window_bits=10, which was not offered", Params{}},
		{"a larger window of ours", Params{ServerBits: 15, ClientBits: 9, ClientBitsOffered: true}, "permessage-deflate; client_max_window_bits=9", "permessage-deflate; client_max_window_bits=10", "client_max_window_bits=10", Params{}},
	} {
		offer := Offer(test.wish)
		if offer.String() != test.offer {
			t.Errorf("%s: offered %v, want %s", test.name, offer, test.offer)
		}
		agreed, _, err := CheckAnswer([]string{test.answer}, true, offer)
		if test.want != "" {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want an error about %s", test.name, err, test.want)
			}
			continue
		}
		if err != nil || agreed != test.agreed {
			t.Errorf("%s: %+v, %v, want %+v", test.name, agreed, err, test.agreed)
		}
	}
}

// TestExtensionsAreBounded: a field of a megabyte costs no more than its length is looked at, one
// of 64 KiB little more than reading it.
func TestExtensionsAreBounded(t *testing.T) {
	for _, offer := range []string{
		"permessage-deflate,", "permessage-deflate; client_max_window_bits=7,", "a,", ",", "; ",
		"permessage-deflate; unknown,", "permessage-deflate; server_max_window_bits=\"\\9\",",
		"x" + strings.Repeat("; a=b", 30) + ",", "x; a=\"" + strings.Repeat("\\b", 1000) + "\",",
	} {
		huge := []string{strings.Repeat(offer, 1<<20/len(offer))}
		if _, _, ok := AnswerOffers(huge, defaultWish); ok {
			t.Errorf("a megabyte of %.40q is answered", offer)
		}
		if _, _, err := CheckAnswer(huge, true, defaultWish); err == nil {
			t.Errorf("a megabyte of %.40q is an answer", offer)
		}
		large := []string{strings.Repeat(offer, MaxField/len(offer)-1)}
		if tooLong(large) || !tooLong(huge) {
			t.Fatalf("%.40q: %d and %d bytes", offer, len(large[0]), len(huge[0]))
		}
		for name, allocs := range map[string]float64{
			"offers": testing.AllocsPerRun(3, func() { AnswerOffers(large, defaultWish) }),
			"answer": testing.AllocsPerRun(3, func() { CheckAnswer(large, true, Offer(defaultWish)) }),
			"huge":   testing.AllocsPerRun(3, func() { AnswerOffers(huge, defaultWish) }),
		} {
			if allocs > 300 {
				t.Errorf("%s of %.40q: %v allocations", name, offer, allocs)
			}
		}
	}
	// The first of them that is acceptable is found, as long as it is not far back.
	bad := strings.Repeat("permessage-deflate; unknown, ", maxOffers-1)
	if _, _, ok := AnswerOffers([]string{strings.Repeat("other, ", 1000) + bad + "permessage-deflate"}, defaultWish); !ok {
		t.Error("the last offer is not found")
	}
	if _, _, ok := AnswerOffers([]string{bad + "permessage-deflate; unknown, permessage-deflate"}, defaultWish); ok {
		t.Error("offers are looked at without end")
	}
}
