package websocket

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/closeonce/websocket/internal/supervisor"
)

// TestCloseReadAfterAMessage: a message that was read ahead is one that CloseRead does not expect, though nothing comes
// behind it.
func TestCloseReadAfterAMessage(t *testing.T) {
	runConnTest(t, config{}, func(t *connTest) {
		if t.real {
			return // whether the message has been read ahead can't be seen
		}
		t.p.SendText("unread")
		time.Sleep(2 * supervisor.ReaderDelay)
		ctx := t.c.CloseRead(bg)
		t.p.WantClose("the message", 1008)
		t.p.SendClose(1008, "")
		t.p.Close()
		<-ctx.Done()
		if _, _, err := t.c.Read(bg); !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
	})
}
