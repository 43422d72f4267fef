package turn

import (
	"runtime"
	"testing"
)

// TestLineHasGone: the last waiter leaves the line while the turn is being released. The turn is free.
func TestLineHasGone(t *testing.T) {
	var u Turn
	u.state.Store(contended)
	u.mu.Lock()
	released := make(chan struct{})
	go func() {
		u.Release()
		close(released)
	}()
	for range 1000 { // it sees that somebody waits
		runtime.Gosched()
	}
	u.state.Store(held)
	u.mu.Unlock()
	<-released
	if u.Held() {
		t.Error("nobody holds it, but it is held")
	}
}
