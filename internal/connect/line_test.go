package connect

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
)

// TestAllGiveUp: many requests that had the turn, each for too long, learn at once that there is no stream. Who comes late gives up too.
func TestAllGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := server{transport: new(http.Transport), scheme: "https", host: "example.com"}
		const requests = 100
		results := make(chan error, requests)
		for range requests {
			l := at.join()
			go func() { results <- l.gotNone(context.Background()) }()
		}
		none := 0
		for range requests {
			switch err := <-results; err {
			case errNoneFree:
				none++
			case nil:
			default:
				t.Error(err)
			}
		}
		if none == 0 {
			t.Error("nobody has given up")
		}
	})
}
