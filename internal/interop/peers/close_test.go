package peers

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/closeonce/websocket"
)

// closings are the codes and reasons that both sides close with. 1005 stands for
// a Close frame without either.
var closings = []websocket.CloseError{
	{Code: websocket.StatusNoStatusRcvd},
	{Code: websocket.StatusNormalClosure},
	{Code: websocket.StatusGoingAway, Reason: "going away"},
	{Code: websocket.StatusInternalError, Reason: "trouble"},
	{Code: 3000, Reason: "Grüße, 世界 🌍"},
	{Code: 4999, Reason: strings.Repeat("r", 123)},
}

// TestClose closes from both sides, and wants code and reason to arrive.
func TestClose(t *testing.T) {
	t.Parallel()
	eachLink(t, allRoutes, func(t *testing.T, program program, role role, extend route) {
		l := newLink(t, startPeer(t, program), role, websocket.DialOptions{}, nil, extend)
		for _, closing := range closings {
			l.testOurClose(closing)
			l.testTheirClose(closing)
		}
		l.testCloseAmidMessages()
	})
}

func (l *link) testOurClose(closing websocket.CloseError) {
	l.t.Helper()
	c, _ := l.open()
	if err := c.Close(closing.Code, closing.Reason); err != nil {
		l.t.Errorf("closing with %v: %v", closing, err)
	}
	l.peer.wantClosed(int(closing.Code), closing.Reason)
	if _, _, err := read(l.t, c); !errors.Is(err, net.ErrClosed) {
		l.t.Errorf("Read after Close returns %v", err)
	}
}

func (l *link) testTheirClose(closing websocket.CloseError) {
	l.t.Helper()
	c, _ := l.open()
	o := order{Do: "close", Code: int(closing.Code), Reason: closing.Reason}
	if closing.Code == websocket.StatusNoStatusRcvd {
		o.Code = 0
	}
	l.peer.tell(o)
	_, _, err := read(l.t, c)
	if got := (websocket.CloseError{}); !errors.As(err, &got) || got != closing {
		l.t.Errorf("the peer closed with %v; Read returns %v", closing, err)
	}
	// What the peer has is our echo.
	l.peer.wantClosed(int(closing.Code), closing.Reason)
}

// testCloseAmidMessages closes while echoes are on their way that nobody reads.
func (l *link) testCloseAmidMessages() {
	l.t.Helper()
	c, _ := l.open()
	for i := range 50 {
		if err := c.Write(within(l.t), websocket.MessageText, fmt.Append(nil, i, strings.Repeat(".", 20000))); err != nil {
			l.t.Fatal(err)
		}
	}
	if err := c.Close(4000, "enough"); err != nil {
		l.t.Errorf("Close amid messages: %v", err)
	}
	l.peer.wantClosed(4000, "enough")
}
