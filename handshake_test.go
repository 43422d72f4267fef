package websocket

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// headerFields returns the values of a field, however its name is spelled.
func headerFields(h http.Header, name string) (all []string) {
	for n, values := range h {
		if strings.EqualFold(n, name) {
			all = append(all, values...)
		}
	}
	return all
}

// TestNegotiate: what Negotiate says is what Accept sends, for good requests and for bad ones.
func TestNegotiate(t *testing.T) {
	all := &AcceptOptions{
		Subprotocols: []string{"b", "a"}, OriginPatterns: []string{"*.example"},
		CompressionMode: CompressionContextTakeover, CompressionTuning: CompressionTuning{ServerWindowBits: 10},
	}
	for name, tt := range map[string]struct {
		opts   *AcceptOptions
		set    http.Header // nil values: the field is deleted
		method string
		status int
	}{
		"plain":            {nil, nil, "GET", 101},
		"all options":      {all, http.Header{"Sec-Websocket-Protocol": {"a, b"}, "Sec-Websocket-Extensions": {"permessage-deflate; client_max_window_bits"}, "Origin": {"https://a.example"}}, "GET", 101},
		"declined":         {all, http.Header{"Sec-Websocket-Extensions": {"permessage-deflate; unknown"}}, "GET", 101},
		"malformed offer":  {all, http.Header{"Sec-Websocket-Extensions": {"permessage-deflate; ="}}, "GET", 101},
		"no upgrade":       {nil, http.Header{"Upgrade": nil}, "GET", 426},
		"no version":       {nil, http.Header{"Sec-Websocket-Version": {"8"}}, "GET", 426},
		"no key":           {nil, http.Header{"Sec-Websocket-Key": nil}, "GET", 400},
		"two keys":         {nil, http.Header{"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="}}, "GET", 400},
		"POST":             {nil, nil, "POST", 405},
		"foreign origin":   {all, http.Header{"Origin": {"https://a.other"}}, "GET", 403},
		"bad pattern":      {&AcceptOptions{OriginPatterns: []string{"["}}, http.Header{"Origin": {"https://a.other"}}, "GET", 500},
		"bad options":      {&AcceptOptions{CompressionMode: 17}, nil, "GET", 500},
		"a broken subprot": {nil, http.Header{"Sec-Websocket-Protocol": {"a b"}}, "GET", 400},
	} {
		t.Run(name, func(t *testing.T) {
			var h *Handshake
			var negotiated, accepted error
			handled := make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(handled)
				h, negotiated = Negotiate(r, tt.opts)
				var c *Conn
				if c, accepted = Accept(w, r, tt.opts); accepted == nil {
					c.CloseNow()
				}
			}))
			defer server.Close()
			req, _ := http.NewRequest(tt.method, server.URL, nil)
			req.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
			for name, values := range tt.set {
				req.Header[name] = values
			}
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			<-handled
			if h.Status != tt.status || resp.StatusCode != tt.status {
				t.Errorf("Negotiate says %d and Accept %d, want %d", h.Status, resp.StatusCode, tt.status)
			}
			if resp.Close { // then net/http's client has deleted the field
				resp.Header["Connection"] = []string{"close"}
				if resp.StatusCode == http.StatusUpgradeRequired {
					resp.Header.Add("Connection", "Upgrade")
				}
			}
			for _, field := range []string{"Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Sec-WebSocket-Version", "Allow"} {
				if got, want := headerFields(h.Header, field), resp.Header.Values(field); !slices.Equal(got, want) {
					t.Errorf("Negotiate has %s: %q, Accept sends %q", field, got, want)
				}
			}
			if tt.status == 101 {
				if negotiated != nil || accepted != nil {
					t.Errorf("Negotiate: %v; Accept: %v", negotiated, accepted)
				}
				if ext := headerFields(h.Header, "Sec-WebSocket-Extensions"); h.Conn.Extensions != strings.Join(ext, "") {
					t.Errorf("Conn has %q, the answer %q", h.Conn.Extensions, ext)
				}
				return
			}
			body, _ := io.ReadAll(resp.Body)
			if negotiated == nil || accepted == nil || negotiated.Error() != accepted.Error() || negotiated.Error() != strings.TrimSpace(string(body)) {
				t.Errorf("Negotiate: %v\nAccept: %v\nthe client got %q", negotiated, accepted, body)
			}
		})
	}
}

// TestDeflateByHand: the two functions and the two options agree, for all tunings that matter, and a message comes through.
func TestDeflateByHand(t *testing.T) {
	text := bytes.Repeat([]byte("all work and no play "), 4000)
	for _, client := range []CompressionTuning{{}, {ClientWindowBits: 9}, {ServerWindowBits: 10}, {ClientNoContextTakeover: true}, {ClientWindowBits: 9, OmitClientWindowBits: true}} {
		for _, server := range []CompressionTuning{{}, {ClientWindowBits: 8}, {ServerWindowBits: 9}, {ServerNoContextTakeover: true}} {
			offer, err := OfferDeflate(CompressionContextTakeover, client)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := AnswerDeflate([]string{offer}, CompressionContextTakeover, server)
			if err != nil || answer == "" {
				t.Fatalf("%s: %q, %v", offer, answer, err)
			}
			a, b := tcpPair(t)
			c, err := NewConn(a, &ConnOptions{Client: true, Offered: offer, Extensions: answer, CompressionTuning: client})
			if err != nil {
				t.Fatalf("%s: %s: %v", offer, answer, err)
			}
			s, err := NewConn(b, &ConnOptions{Extensions: answer, CompressionTuning: server})
			if err != nil {
				t.Fatalf("%s: %s: %v", offer, answer, err)
			}
			for range 2 {
				for _, way := range [][2]*Conn{{c, s}, {s, c}} {
					if err := way[0].Write(bg, MessageText, text); err != nil {
						t.Fatal(err)
					}
					if _, p, err := way[1].Read(bg); err != nil || !bytes.Equal(p, text) {
						t.Fatalf("%s: %s: %d bytes, %v", offer, answer, len(p), err)
					}
				}
			}
			if out := c.Stats().Written.WireBytes; out >= int64(len(text)) {
				t.Errorf("%s: %s: %d bytes went out, so nothing was compressed", offer, answer, out)
			}
			c.CloseNow()
			s.CloseNow()
		}
	}
	if offer, err := OfferDeflate(CompressionDisabled, CompressionTuning{}); offer != "" || err != nil {
		t.Errorf("nothing is offered as %q, %v", offer, err)
	}
	if answer, err := AnswerDeflate([]string{"permessage-deflate"}, CompressionDisabled, CompressionTuning{}); answer != "" || err != nil {
		t.Errorf("nothing is answered as %q, %v", answer, err)
	}
	if _, err := OfferDeflate(17, CompressionTuning{}); err == nil {
		t.Error("mode 17 is offered")
	}
	if _, err := AnswerDeflate(nil, CompressionContextTakeover, CompressionTuning{ServerWindowBits: 16}); err == nil {
		t.Error("a window of 16 bits is answered")
	}
}
