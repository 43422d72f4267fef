package http3

import (
	"sync/atomic"
	"testing"
	"time"
)

// TestStreamIsGivenBack: Close while a small Write waits for the peer gives the stream back: another one may be opened.
func TestStreamIsGivenBack(t *testing.T) {
	p := newPairs(t, 1)
	for n := range 5 {
		server, client, err := p.streams()
		if err != nil {
			t.Fatalf("stream %d: %v", n, err)
		}
		var wrote atomic.Int64
		ended := make(chan error, 1)
		go func() {
			var err error
			for ; err == nil; wrote.Add(1) {
				_, err = server.Write(make([]byte, 100))
			}
			ended <- err
		}()
		for before := int64(-1); before != wrote.Load(); { // until it waits
			before = wrote.Load()
			<-time.After(100 * time.Millisecond)
		}
		server.Close()
		<-ended
		client.Close()
	}
}
