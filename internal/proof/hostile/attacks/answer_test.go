package attacks

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/testkit/memconn"
)

// hijackable gives its connection away.
type hijackable struct {
	*httptest.ResponseRecorder
	nc net.Conn
}

func (h hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.nc, bufio.NewReadWriter(bufio.NewReader(h.nc), bufio.NewWriter(h.nc)), nil
}

// TestAnswerIsNeverRead: a peer that does not read the handshake's answer, having
// filled the socket's buffer before, does not hold the server up.
func TestAnswerIsNeverRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nc, peer := memconn.Pipe(64)
		defer peer.Close()
		r := httptest.NewRequest(http.MethodGet, "http://localhost/ws", nil)
		r.Header = http.Header{
			"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
			"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {nonce},
		}
		var err error
		accepted := make(chan struct{})
		go func() {
			defer close(accepted)
			_, err = websocket.Accept(hijackable{httptest.NewRecorder(), nc}, r, nil)
		}()
		select {
		case <-accepted:
			if err == nil {
				t.Error("Accept says that it has sent its answer")
			}
		case <-time.After(time.Minute):
			t.Error("Accept waits for a peer that does not read")
		}
	})
}
