package gorilla

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	theirs "github.com/gorilla/websocket"
)

// TestJoinMessages: the messages come one after the other, each with the term behind it, however they are read, and the end is
// the error of the connection.
func TestJoinMessages(t *testing.T) {
	messages := []string{"one", "", "three", strings.Repeat("long ", 2000), ""}
	for _, tt := range []struct {
		name   string
		term   string
		last   []byte // a Close frame's payload; nil: the connection is cut
		reader func(io.Reader) io.Reader
	}{
		{"lines", "\n", theirs.FormatCloseMessage(theirs.CloseNormalClosure, "done"), nil},
		{"no term", "", theirs.FormatCloseMessage(theirs.CloseGoingAway, ""), nil},
		{"no status", "--", []byte{}, nil},
		{"cut", "\n", nil, nil},
		{"byte by byte", "<end>", []byte{}, iotest.OneByteReader},
		{"half by half", "<end>", []byte{}, iotest.HalfReader},
	} {
		t.Run(tt.name, func(t *testing.T) {
			beside(t, "", func(t *testing.T, s side) string {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					c, err := s.upgrade(theirs.Upgrader{}, w, r, nil)
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					for _, m := range messages {
						c.WriteMessage(theirs.TextMessage, []byte(m))
					}
					if tt.last != nil {
						c.WriteMessage(theirs.CloseMessage, tt.last)
						c.ReadMessage()
					}
				}))
				defer server.Close()
				c, _, err := s.dial(theirs.Dialer{}, "ws"+strings.TrimPrefix(server.URL, "http"), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				r := io.Reader(s.join(c, tt.term))
				if tt.reader != nil {
					r = tt.reader(r)
				}
				all, err := io.ReadAll(r)
				_, again := r.Read(make([]byte, 1))
				if want := strings.Join(append(messages, ""), tt.term); string(all) != want {
					t.Errorf("%.60q came, want %.60q", all, want)
				}
				return fmt.Sprint(err, again, errors.Is(err, io.EOF))
			})
		})
	}
}
