package handshake

import "testing"

// FuzzExtensions: a field that is read is read the same when it is written
// again, and what is agreed on is what both ends were offered.
func FuzzExtensions(f *testing.F) {
	for _, row := range extensionRows {
		f.Add(row.field)
	}
	f.Fuzz(func(t *testing.T, field string) {
		for _, takeover := range []bool{true, false} {
			for _, wish := range []Params{{ServerBits: 15, ClientBits: 15}, {ServerBits: 9, ClientBits: 10}} {
				wish.ServerNoTakeover, wish.ClientNoTakeover = !takeover, !takeover
				answer, agreed, ok := AnswerOffers([]string{field}, wish)
				if ok {
					// A client that made this offer must understand the answer.
					n := 0
					for e, err := range eachExtension([]string{answer.String()}) {
						if n++; err != nil || n > 1 {
							t.Fatalf("the answer %q: %v", answer, err)
						}
						p, err := parseDeflate(e.params, true)
						if err != nil || p != answer {
							t.Fatalf("the answer %q is read as %q, %v", answer, p, err)
						}
					}
					if agreed.ServerBits > wish.ServerBits || agreed.ClientBits > wish.ClientBits && !agreed.ClientNoTakeover {
						t.Fatalf("agreed on %+v, wished for %+v", agreed, wish)
					}
				}
				offer := Offer(wish)
				if agreed, ok, err := CheckAnswer([]string{field}, true, offer); err == nil && ok {
					if agreed.ServerBits > wish.ServerBits || agreed.ClientBits > wish.ClientBits ||
						wish.ServerNoTakeover && !agreed.ServerNoTakeover || wish.ClientNoTakeover && !agreed.ClientNoTakeover {
						t.Fatalf("agreed on %+v, wished for %+v", agreed, wish)
					}
				}
			}
		}
	})
}
