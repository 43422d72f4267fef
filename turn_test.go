package websocket

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var u turn
		if u.held() || !u.try() || !u.held() || u.try() {
			t.Fatal("one holder at a time")
		}
		var order []int
		for i := range 3 {
			go func() {
				if !u.await(bg, nil) {
					t.Error("it was not given")
				}
				order = append(order, i)
				u.release()
			}()
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		stop := make(chan struct{})
		time.AfterFunc(500*time.Millisecond, func() { close(stop) })
		if u.await(ctx, stop) || ctx.Err() != nil {
			t.Fatal("stop ends the wait")
		}
		if u.await(ctx, nil) || ctx.Err() == nil {
			t.Fatal("the context ends the wait")
		}
		u.release()
		synctest.Wait()
		if len(order) != 3 || order[0] != 0 || order[1] != 1 || order[2] != 2 {
			t.Fatalf("served in the order %v", order)
		}
		if u.held() || u.first != nil || !u.await(bg, nil) {
			t.Fatal("it is free")
		}
	})
}

// TestTurnGivenUp: the last waiter gives up, in every order with the release.
func TestTurnGivenUp(t *testing.T) {
	for range 2000 {
		var u turn
		u.try()
		ctx, cancel := context.WithCancel(bg)
		var wg sync.WaitGroup
		wg.Add(3)
		go func() { defer wg.Done(); cancel() }()
		go func() {
			defer wg.Done()
			if u.await(ctx, nil) {
				u.release()
			}
		}()
		go func() { defer wg.Done(); u.release() }()
		wg.Wait()
		if u.held() {
			t.Fatal("nobody holds it, but it is held")
		}
	}
}

// TestTurnExcludes: under contention and cancellation, one at a time.
func TestTurnExcludes(t *testing.T) {
	var u turn
	inside, total := 0, 0
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range 500 {
				ctx, cancel := context.WithCancel(bg)
				if (i+j)%3 == 0 {
					go cancel()
				}
				if u.try() || u.await(ctx, nil) {
					inside++
					total++
					if inside != 1 {
						t.Error("two holders")
					}
					inside--
					u.release()
				}
				cancel()
			}
		}()
	}
	wg.Wait()
	if total < 2000 || u.held() {
		t.Fatalf("%d turns, held: %v", total, u.held())
	}
}
