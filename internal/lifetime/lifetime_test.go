package lifetime

import (
	"context"
	"testing"
	"testing/synctest"
)

// TestUntilEndLetsGo: of a context that has ended already, nothing is kept.
func TestUntilEndLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		contexts := make([]Context, 20_000) // the goroutine that lets go is seldom so early
		for i := range contexts {
			contexts[i].Init(context.Background())
			contexts[i].UntilEnd(ctx, func() {})
		}
		synctest.Wait()
		for i := range contexts {
			if contexts[i].Bounded(ctx) != nil {
				t.Fatalf("the context is kept, in the connection with number %d", i)
			}
		}
	})
}
