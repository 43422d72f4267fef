package websocket

import (
	"fmt"
	"strings"
	"testing"

	"github.com/closeonce/websocket/internal/handshake"
)

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
			offer := handshake.Offer(wish)
			answer, agreed, ok := handshake.AnswerOffers([]string{offer.String()}, wish)
			if client {
				agreed, ok, err = handshake.CheckAnswer([]string{answer.String()}, true, offer)
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
