package browser

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/closeonce/websocket"
)

// What Chromium offers. The answers below have each parameter that is possible,
// with each value, alone, and some together.
const deflateOffer = "permessage-deflate; client_max_window_bits"

// agreement is what the server and Chromium agree on.
type agreement struct {
	mode      websocket.CompressionMode
	tuning    websocket.CompressionTuning
	threshold int
	answer    string

	// What the page and the server send: the window, and whether it is kept.
	page, server direction
}

type direction struct {
	bits     int
	takeover bool
}

func agreements() []agreement {
	const takeover, noTakeover = websocket.CompressionContextTakeover, websocket.CompressionNoContextTakeover
	type tuning = websocket.CompressionTuning
	kept, dropped := direction{15, true}, direction{15, false}
	all := []agreement{
		{takeover, tuning{}, 0, "", kept, kept},
		{noTakeover, tuning{}, 0, "; server_no_context_takeover; client_no_context_takeover", dropped, dropped},
		{takeover, tuning{ServerNoContextTakeover: true}, -1, "; server_no_context_takeover", kept, dropped},
		{takeover, tuning{ClientNoContextTakeover: true}, -1, "; client_no_context_takeover", dropped, kept},
		{takeover, tuning{ServerWindowBits: 15, ClientWindowBits: 15}, -1, "", kept, kept},
		{takeover, tuning{ServerWindowBits: 9, ClientWindowBits: 10}, -1,
			"; server_max_window_bits=9; client_max_window_bits=10", direction{10, true}, direction{9, true}},
		{noTakeover, tuning{ServerWindowBits: 8, ClientWindowBits: 8}, -1,
			"; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=8; client_max_window_bits=8",
			direction{8, false}, direction{8, false}},
	}
	for bits := 8; bits < 15; bits++ {
		all = append(all,
			agreement{takeover, tuning{ServerWindowBits: bits}, -1,
				fmt.Sprint("; server_max_window_bits=", bits), kept, direction{bits, true}},
			agreement{takeover, tuning{ClientWindowBits: bits}, -1,
				fmt.Sprint("; client_max_window_bits=", bits), direction{bits, true}, kept})
	}
	for i := range all {
		all[i].answer = "permessage-deflate" + all[i].answer
	}
	return all
}

// A message of the corpus, which both ends send.
type message struct {
	typ  websocket.MessageType
	data []byte

	// pattern: it has to get smaller.
	pattern bool
	// again: it is a key, and so was the message before, the same one.
	again bool
	// apart, if not 0: the key at its end stands 2^apart bytes before, too, in the
	// same message, or in an earlier one if across. Where that can't be referred
	// to, the message has at least so many bytes.
	apart, least int
	across       bool
}

// A key is so many random hexadecimal digits: half of them is what no compressor
// gets below. What was there before takes less than known bytes.
const (
	keySize = 150
	known   = 40
)

func corpus() []message {
	random := rand.NewChaCha8([32]byte{'c', 'o', 'r', 'p', 'u', 's'})
	words := []string{"Grüße", "żółw", "日本語", "👋", "and", "so", "on", " ", "\n", "Ελλάδα", "\x00"}
	var text []byte
	for len(text) < 1<<20 {
		n := random.Uint64()
		text = fmt.Append(text, words[n%11], n>>54)
	}
	noise := make([]byte, 70_000)
	random.Read(noise)
	period := bytes.Repeat([]byte("a\xffb\x00c"), len(noise)/5)
	key := func() []byte {
		var b [keySize / 2]byte
		random.Read(b[:])
		return hex.AppendEncode(nil, b[:])
	}

	var all []message
	add := func(m message) { all = append(all, m) }
	// Each begins as the one before of its kind.
	for _, size := range []int{0, 1, 2, 15, 16, 125, 126, 127, 128, 255, 256, 257, 1000, 4096, 32767, 32769, 65535, 65536, 1 << 20} {
		end := size
		for end > 0 && end < len(text) && !utf8.RuneStart(text[end]) {
			end--
		}
		add(message{typ: websocket.MessageText, data: text[:end], pattern: size >= 1000})
		if size < len(period) {
			add(message{typ: websocket.MessageBinary, data: period[:size], pattern: size >= 1000})
		}
		if size < len(noise) {
			add(message{typ: websocket.MessageBinary, data: noise[:size]})
		}
	}
	k := key()
	add(message{typ: websocket.MessageText, data: k})
	add(message{typ: websocket.MessageText, data: k, again: true})
	for bits := 8; bits <= 15; bits++ {
		k, zeros := key(), bytes.Repeat([]byte("0"), 1<<bits)
		add(message{typ: websocket.MessageText, data: k})
		add(message{typ: websocket.MessageText, data: zeros})
		add(message{typ: websocket.MessageText, data: k, apart: bits, least: keySize / 2, across: true})
		k = key()
		add(message{typ: websocket.MessageText, data: bytes.Join([][]byte{k, zeros, k}, nil), apart: bits, least: keySize})
	}
	add(message{typ: websocket.MessageBinary, data: []byte{}})
	return all
}

// check says what is wrong with the form in which m went in the direction d.
func (m message) check(d direction, got sent) string {
	beyond := d.bits <= m.apart || m.across && !d.takeover
	switch {
	case m.pattern && (!got.compressed || got.size >= len(m.data)):
		return "is not compressed"
	case m.again && d.takeover && got.size >= known:
		return "does not refer to the message before"
	case m.again && !d.takeover && got.size < keySize/2:
		return "refers to the message before"
	case m.apart != 0 && beyond && got.size < m.least:
		return "refers to something outside of the window"
	}
	return ""
}

// The corpus goes both ways at once, and each end
// compares what comes with what it has itself. The relay sees that the messages
// refer to those before them, and no farther than agreed.
func TestDeflateWithEachAnswer(t *testing.T) {
	messages := corpus()
	var blob []byte
	var plan [][3]int
	for _, m := range messages {
		plan = append(plan, [3]int{int(m.typ), len(blob), len(blob) + len(m.data)})
		blob = append(blob, m.data...)
	}
	table, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range agreements() {
		t.Run(fmt.Sprintf("%s threshold=%d", a.answer, a.threshold), func(t *testing.T) {
			testDeflate(t, a, messages, blob, table)
		})
	}
}

func testDeflate(t *testing.T, a agreement, messages []message, blob, table []byte) {
	ended := make(chan error, 1)
	ws := websocket.Handler(&websocket.AcceptOptions{
		CompressionMode:      a.mode,
		CompressionTuning:    a.tuning,
		CompressionThreshold: a.threshold,
	}, func(ctx context.Context, c *websocket.Conn) { ended <- exchange(ctx, c, messages) })
	r := startRelay(t, serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			ws.ServeHTTP(w, r)
		} else if _, err := w.Write(blob); err != nil {
			t.Errorf("the corpus: %v", err)
		}
	})))
	p := newPage(t, r.url)
	var got struct {
		Extensions string
		Count      int
		Wrong      []int
		Closing    closing
	}
	p.run(fmt.Sprintf(`(async () => {
		const blob = await (await fetch("/ws")).arrayBuffer();
		const messages = %s.map(([type, from, to]) => {
			const bytes = new Uint8Array(blob, from, to - from);
			return type === %d ? new TextDecoder().decode(bytes) : bytes;
		});
		const same = (data, want) => {
			if (typeof want === "string") return data === want;
			if (!(data instanceof ArrayBuffer) || data.byteLength !== want.length) return false;
			const bytes = new Uint8Array(data);
			return want.every((b, i) => b === bytes[i]);
		};
		const ws = new WebSocket("/ws");
		ws.binaryType = "arraybuffer";
		const closing = %s;
		const wrong = [];
		let count = 0;
		ws.onopen = () => messages.forEach((m) => ws.send(m));
		ws.onmessage = ({ data }) => {
			if (!same(data, messages[count])) wrong.push(count);
			if (++count === messages.length) ws.close(1000);
		};
		return { closing: await closing, wrong, count, extensions: ws.extensions };
	})()`, table, websocket.MessageText, closed), &got)

	if got.Extensions != a.answer {
		t.Errorf("ws.extensions is %q, want %q", got.Extensions, a.answer)
	}
	if got.Count != len(messages) || len(got.Wrong) > 0 {
		t.Errorf("the page got %d messages, want %d; not as they were sent: %v", got.Count, len(messages), got.Wrong)
	}
	p.wantClean(got.Closing, 1000)
	if err := wantSoon(t, ended); err != nil {
		t.Errorf("the server: %v", err)
	}
	p.wantQuiet()

	pair := r.webSocket(t)
	if offer := pair.page.field("Sec-WebSocket-Extensions"); offer != deflateOffer {
		t.Errorf("Chromium offers %q, want %q: there may be more to agree on now", offer, deflateOffer)
	}
	for _, way := range []struct {
		from string
		direction
		sent []sent
	}{{"page", a.page, pair.page.sent()}, {"server", a.server, pair.server.sent()}} {
		if len(way.sent) != len(messages) {
			t.Errorf("the %s sent %d messages, want %d", way.from, len(way.sent), len(messages))
			continue
		}
		all := 0
		for i, m := range messages {
			all += way.sent[i].size
			if wrong := m.check(way.direction, way.sent[i]); wrong != "" {
				t.Errorf("message %d of the %s, of %d bytes, compressed %t to %d, %s",
					i, way.from, len(m.data), way.sent[i].compressed, way.sent[i].size, wrong)
			}
		}
		t.Logf("of %d bytes the %s sent %d", len(blob), way.from, all)
	}
}

// exchange sends the messages, and expects the same from the peer and then its
// Close.
func exchange(ctx context.Context, c *websocket.Conn, messages []message) error {
	var writing sync.WaitGroup
	defer writing.Wait()
	writing.Go(func() {
		for _, m := range messages {
			if c.Write(ctx, m.typ, m.data) != nil {
				return // the reader sees why
			}
		}
	})
	for i, m := range messages {
		typ, p, err := c.Read(ctx)
		if err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		if typ != m.typ || !bytes.Equal(p, m.data) {
			return fmt.Errorf("message %d, of %d bytes, did not come as it was", i, len(m.data))
		}
	}
	if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		return fmt.Errorf("after the messages: %v", err)
	}
	return nil
}

func TestBothSidesCloseAtOnceWithDeflate(t *testing.T) {
	bothSidesClose(t, &websocket.AcceptOptions{
		CompressionMode:      websocket.CompressionContextTakeover,
		CompressionThreshold: -1,
	}, "permessage-deflate", 20)
}
