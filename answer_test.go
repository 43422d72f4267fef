package websocket

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/closeonce/websocket/internal/testkit/memconn"
	"github.com/closeonce/websocket/internal/transport"
)

// TestAnswerNotRead: a peer that makes no room for the handshake's answer is waited for
// so long and no longer.
func TestAnswerNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := memconn.Pipe(10)
		defer theirs.Close()
		began := time.Now()
		err := sendAnswer(ours, &transport.Buffer{B: make([]byte, 1000), N: 990}) // n is of an earlier attempt
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != answerTimeout {
			t.Fatalf("%v after %v", err, time.Since(began))
		}
	})
}
