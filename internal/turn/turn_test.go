package turn

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var u Turn
		if u.Held() || !u.Try() || !u.Held() || u.Try() {
			t.Fatal("one holder at a time")
		}
		if u.Awaited() {
			t.Fatal("nobody waits yet")
		}
		var order []int
		for i := range 3 {
			go func() {
				if !u.Await(nil, nil) {
					t.Error("it was not given")
				}
				order = append(order, i)
				u.Release()
			}()
			synctest.Wait()
			if !u.Awaited() {
				t.Fatal("somebody waits")
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		stop := make(chan struct{})
		time.AfterFunc(500*time.Millisecond, func() { close(stop) })
		if u.Await(ctx.Done(), stop) || ctx.Err() != nil {
			t.Fatal("stop ends the wait")
		}
		if u.Await(ctx.Done(), nil) || ctx.Err() == nil {
			t.Fatal("the context ends the wait")
		}
		u.Release()
		synctest.Wait()
		if len(order) != 3 || order[0] != 0 || order[1] != 1 || order[2] != 2 {
			t.Fatalf("served in the order %v", order)
		}
		if u.Held() || u.first != nil || !u.Await(nil, nil) {
			t.Fatal("it is free")
		}
	})
}

// TestFreeTurnIsTaken: whoever need not wait gets the turn, even if it would give up.
func TestFreeTurnIsTaken(t *testing.T) {
	var u Turn
	done := make(chan struct{})
	close(done)
	if !u.Await(done, done) || !u.Held() {
		t.Error("a free turn was refused")
	}
	if u.Await(done, nil) || u.Await(nil, done) {
		t.Error("a held turn was given")
	}
	u.Release()
	if u.Held() {
		t.Error("it is free")
	}
}

// TestMiddleOfTheLine: a waiter in the middle leaves, and the others keep their places.
func TestMiddleOfTheLine(t *testing.T) {
	for leaver := range 3 {
		synctest.Test(t, func(t *testing.T) {
			var u Turn
			u.Try()
			leave := make(chan struct{})
			var order []int
			for i := range 3 {
				var done chan struct{}
				if i == leaver {
					done = leave
				}
				go func() {
					if !u.Await(done, nil) {
						return
					}
					order = append(order, i)
					u.Release()
				}()
				synctest.Wait()
			}
			close(leave)
			synctest.Wait()
			u.Release()
			synctest.Wait()
			want := map[int][2]int{0: {1, 2}, 1: {0, 2}, 2: {0, 1}}[leaver]
			if len(order) != 2 || order[0] != want[0] || order[1] != want[1] || u.Held() {
				t.Fatalf("%d left, and served were %v", leaver, order)
			}
		})
	}
}

// TestHandedWhileGivingUp: a waiter that was handed the turn before it gave up has it, whichever of the two it saw first.
// So there is never a turn that nobody has.
func TestHandedWhileGivingUp(t *testing.T) {
	given := 0
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			var u Turn
			u.Try()
			done := make(chan struct{})
			got := make(chan bool, 1)
			go func() { got <- u.Await(done, nil) }()
			synctest.Wait()
			// The waiter sees both at once, and select chooses one.
			u.mu.Lock()
			w := u.first
			u.removeLocked(w)
			close(done)
			close(w.mine)
			u.mu.Unlock()
			if !<-got {
				t.Fatal("the turn was handed to a waiter that says it does not have it")
			}
			given++
			u.Release()
			if u.Held() {
				t.Fatal("nobody holds it, but it is held")
			}
		})
	}
	if given != 200 {
		t.Errorf("given %d times", given)
	}
}

// TestGivenUp: the last waiter gives up, in every order with the release.
func TestGivenUp(t *testing.T) {
	var had, left int
	for range 5000 {
		var u Turn
		u.Try()
		done := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { close(done) })
		wg.Go(func() {
			if u.Await(done, nil) {
				had++
				u.Release()
			} else {
				left++
			}
		})
		wg.Go(u.Release)
		wg.Wait()
		if u.Held() || u.first != nil {
			t.Fatal("nobody holds it, but it is held")
		}
		if !u.Try() {
			t.Fatal("it is free, and can't be taken")
		}
	}
	t.Logf("%d had it, %d left", had, left)
}

// TestExcludes: under contention and cancellation, one at a time. Each holder writes what only the holder may.
func TestExcludes(t *testing.T) {
	var u Turn
	inside, total := 0, 0 // guarded by the turn
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for j := range 1000 {
				done := make(chan struct{})
				if (i+j)%3 == 0 {
					go close(done)
				}
				if u.Try() || u.Await(done, nil) {
					inside++
					total++
					if inside != 1 {
						t.Error("two holders")
					}
					if random.IntN(4) == 0 {
						runtime.Gosched()
					}
					inside--
					u.Release()
				}
			}
		})
	}
	wg.Wait()
	if total < 4000 || u.Held() || u.first != nil {
		t.Fatalf("%d turns, held: %v", total, u.Held())
	}
}

// TestNothingIsLeftBehind is what a turn is for: whoever makes something pending tries to take the turn, and whoever lets
// go of it looks for what is pending. With waiters that give up at any time, nothing stays.
func TestNothingIsLeftBehind(t *testing.T) {
	var handed atomic.Int64
	for round := range 3000 {
		var u Turn
		var pending, dealt atomic.Int64
		leave := func() {
			for {
				dealt.Add(pending.Swap(0))
				u.Release()
				if pending.Load() == 0 || !u.Try() {
					return
				}
			}
		}
		const callers = 4
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				done := make(chan struct{})
				if i%2 == 0 {
					go close(done)
				}
				pending.Add(1)
				if u.Try() {
					if round%2 == 0 {
						runtime.Gosched()
					}
					leave()
				} else if u.Await(done, nil) {
					select {
					case <-done:
						handed.Add(1)
					default:
					}
					leave()
				}
			})
		}
		wg.Wait()
		if dealt.Load() != callers || pending.Load() != 0 || u.Held() {
			t.Fatalf("round %d: of %d things, %d were dealt with, %d are pending, held: %v", round, callers, dealt.Load(), pending.Load(), u.Held())
		}
	}
	t.Logf("%d had the turn though they gave up", handed.Load())
}

func BenchmarkTurn(b *testing.B) {
	var u Turn
	b.ReportAllocs()
	for b.Loop() {
		u.Try()
		u.Release()
	}
}
