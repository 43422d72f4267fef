package websocket

import (
	"fmt"
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

	{"permessage-deflate;", "-", false},
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

func TestExtensionRows(t *testing.T) {
	wish, err := CompressionTuning{}.wish(CompressionContextTakeover)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range extensionRows {
		answer, agreed, ok := answerOffers([]string{row.field}, wish)
		got := "-"
		if ok {
			got = answer.String()
			if agreed.serverBits < minWindowBits || agreed.clientBits < minWindowBits {
				t.Errorf("%s: agreed on %+v", row.field, agreed)
			}
		}
		if got != row.answer {
			t.Errorf("%s: answered %q, want %q", row.field, got, row.answer)
		}
		_, ok, err := checkAnswer([]string{row.field}, true, offerOf(wish))
		if (ok && err == nil) != row.asAnswer {
			t.Errorf("%s: as an answer: %v, %v", row.field, ok, err)
		}
		if ok, err := onlyError(checkAnswer([]string{row.field}, false, deflateParams{})); ok || err == nil {
			t.Errorf("%s: accepted though nothing was offered", row.field)
		}
	}
	if _, ok, err := checkAnswer(nil, true, offerOf(wish)); ok || err != nil {
		t.Errorf("a server that declines: %v, %v", ok, err)
	}
	if _, _, ok := answerOffers(nil, wish); ok {
		t.Error("answered though nothing was offered")
	}
	// The field may stand in several lines.
	answer, _, ok := answerOffers([]string{"a, b; c", "permessage-deflate; server_max_window_bits=12"}, wish)
	if !ok || answer.serverBits != 12 {
		t.Errorf("two lines: %v, %v", answer, ok)
	}
}

func onlyError(_ deflateParams, ok bool, err error) (bool, error) { return ok, err }

// TestDeflateOptions: what the server's options ask for, by what the client
// offers.
func TestDeflateOptions(t *testing.T) {
	for _, test := range []struct {
		name   string
		mode   CompressionMode
		tuning CompressionTuning
		offer  string
		answer string
		agreed deflateParams
	}{
		{"no takeover", CompressionNoContextTakeover, CompressionTuning{}, "permessage-deflate",
			"permessage-deflate; server_no_context_takeover; client_no_context_takeover", deflateParams{serverNoTakeover: true, clientNoTakeover: true, serverBits: 15, clientBits: 15}},
		{"by direction", CompressionContextTakeover, CompressionTuning{ServerNoContextTakeover: true}, "permessage-deflate",
			"permessage-deflate; server_no_context_takeover", deflateParams{serverNoTakeover: true, serverBits: 15, clientBits: 15}},
		{"the other direction", CompressionContextTakeover, CompressionTuning{ClientNoContextTakeover: true}, "permessage-deflate",
			"permessage-deflate; client_no_context_takeover", deflateParams{clientNoTakeover: true, serverBits: 15, clientBits: 15}},
		{"our own windows", CompressionContextTakeover, CompressionTuning{ServerWindowBits: 10, ClientWindowBits: 11}, "permessage-deflate; client_max_window_bits",
			"permessage-deflate; server_max_window_bits=10; client_max_window_bits=11", deflateParams{serverBits: 10, clientBits: 11}},
		{"the client's are smaller", CompressionContextTakeover, CompressionTuning{ServerWindowBits: 12, ClientWindowBits: 12}, "permessage-deflate; client_max_window_bits=9; server_max_window_bits=8",
			"permessage-deflate; server_max_window_bits=8; client_max_window_bits=9", deflateParams{serverBits: 8, clientBits: 9}},
		{"a client that can't be told", CompressionContextTakeover, CompressionTuning{ClientWindowBits: 12}, "permessage-deflate",
			"permessage-deflate; client_no_context_takeover", deflateParams{clientNoTakeover: true, serverBits: 15, clientBits: 15}},
	} {
		wish, err := test.tuning.wish(test.mode)
		if err != nil {
			t.Fatal(err)
		}
		answer, agreed, ok := answerOffers([]string{test.offer}, wish)
		if !ok || answer.String() != test.answer || agreed != test.agreed {
			t.Errorf("%s: %v, %+v, want %s, %+v", test.name, answer, agreed, test.answer, test.agreed)
		}
	}
}

// TestDeflateAnswers: what a client makes of an answer to its options.
func TestDeflateAnswers(t *testing.T) {
	for _, test := range []struct {
		name   string
		mode   CompressionMode
		tuning CompressionTuning
		offer  string
		answer string
		want   string // of the error, or ""
		agreed deflateParams
	}{
		{"default", CompressionContextTakeover, CompressionTuning{}, "permessage-deflate; client_max_window_bits", "permessage-deflate", "", deflateParams{serverBits: 15, clientBits: 15}},
		{"smaller windows", CompressionContextTakeover, CompressionTuning{}, "permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=9; server_max_window_bits=8", "", deflateParams{serverBits: 8, clientBits: 9, clientBitsOffered: true}},
		{"no takeover", CompressionNoContextTakeover, CompressionTuning{}, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits", "permessage-deflate; server_no_context_takeover", "", deflateParams{serverNoTakeover: true, clientNoTakeover: true, serverBits: 15, clientBits: 15}},
		{"takeover all the same", CompressionNoContextTakeover, CompressionTuning{}, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits", "permessage-deflate", "server_no_context_takeover", deflateParams{}},
		{"own windows", CompressionContextTakeover, CompressionTuning{ServerWindowBits: 10, ClientWindowBits: 11}, "permessage-deflate; server_max_window_bits=10; client_max_window_bits=11", "permessage-deflate; server_max_window_bits=9", "", deflateParams{serverBits: 9, clientBits: 11}},
		{"a larger window", CompressionContextTakeover, CompressionTuning{ServerWindowBits: 10}, "permessage-deflate; server_max_window_bits=10; client_max_window_bits", "permessage-deflate; server_max_window_bits=11", "server_max_window_bits=11", deflateParams{}},
		{"no window", CompressionContextTakeover, CompressionTuning{ServerWindowBits: 10}, "permessage-deflate; server_max_window_bits=10; client_max_window_bits", "permessage-deflate", "server_max_window_bits", deflateParams{}},
		{"a larger window of ours", CompressionContextTakeover, CompressionTuning{ClientWindowBits: 9}, "permessage-deflate; client_max_window_bits=9", "permessage-deflate; client_max_window_bits=10", "client_max_window_bits=10", deflateParams{}},
	} {
		wish, err := test.tuning.wish(test.mode)
		if err != nil {
			t.Fatal(err)
		}
		offer := offerOf(wish)
		if offer.String() != test.offer {
			t.Errorf("%s: offered %v, want %s", test.name, offer, test.offer)
		}
		agreed, _, err := checkAnswer([]string{test.answer}, true, offer)
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

func TestTuningMisuse(t *testing.T) {
	for _, tuning := range []CompressionTuning{{ServerWindowBits: 7}, {ClientWindowBits: 16}, {ServerWindowBits: -1}, {Effort: 4}} {
		if _, err := tuning.wish(CompressionContextTakeover); err == nil {
			t.Errorf("%+v is accepted", tuning)
		}
	}
	if _, err := (CompressionTuning{}).wish(7); err == nil {
		t.Error("mode 7 is accepted")
	}
	if _, _, err := Dial(bg, "ws://127.0.0.1:1/", &DialOptions{CompressionMode: 7}); err == nil || !strings.Contains(err.Error(), "CompressionMode") {
		t.Errorf("Dial gave %v", err)
	}
}

// TestEffort: the option of each end reaches its compressor, and only that: the
// handshake says nothing of it. More effort makes shorter messages.
func TestEffort(t *testing.T) {
	var msg []byte
	for i := range 300 {
		msg = fmt.Appendf(msg, `{"id":%d,"user":"u%d","at":%d},`, 1000+i*i, i*7%31, i*7919)
	}
	for _, client := range []bool{false, true} {
		var sizes []int
		for _, effort := range []int{-1, 0, 1, 2, 3} {
			wish, err := CompressionTuning{Effort: effort}.wish(CompressionContextTakeover)
			if err != nil {
				t.Fatal(err)
			}
			offer := offerOf(wish)
			answer, agreed, ok := answerOffers([]string{offer.String()}, wish)
			if client {
				agreed, ok, err = checkAnswer([]string{answer.String()}, true, offer)
			}
			if !ok || err != nil || offer.String() != "permessage-deflate; client_max_window_bits" || answer.String() != "permessage-deflate" {
				t.Fatalf("effort %d: %v, %v, %v, %v", effort, offer, answer, ok, err)
			}
			z := newCompression(agreed, client, 0)
			size := 0
			for _, part := range [][]byte{msg[:300], msg[300:]} {
				wire, ok := z.out.AppendMessage(nil, part)
				if !ok {
					t.Fatalf("effort %d does not compress", effort)
				}
				size += len(wire)
			}
			if len(sizes) > 0 && size >= sizes[len(sizes)-1] {
				t.Errorf("client %t: with effort %d %d bytes, with less %v", client, effort, size, sizes)
			}
			sizes = append(sizes, size)
		}
	}
	less, _ := CompressionTuning{Effort: -5}.wish(CompressionContextTakeover)
	least, _ := CompressionTuning{Effort: -1}.wish(CompressionContextTakeover)
	if less != least {
		t.Errorf("an effort of -5 is %+v, of -1 %+v", less, least)
	}
}
