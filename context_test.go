package websocket

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestContextIsAContext holds Context against what package context does with the
// contexts that it is given, before and after the connection's end.
func TestContextIsAContext(t *testing.T) {
	type key struct{}
	runConnTest(t, config{parent: context.WithValue(bg, key{}, "value")}, func(t *connTest) {
		ctx := t.c.Context()
		if _, ok := ctx.Deadline(); ok || ctx.Err() != nil || context.Cause(ctx) != nil {
			t.Fatalf("at first: deadline %v, Err %v, cause %v", ok, ctx.Err(), context.Cause(ctx))
		}
		if got := ctx.Value(key{}); got != "value" {
			t.Fatalf("the parent's value is %v", got)
		}
		if got := fmt.Sprint(context.WithValue(ctx, key{}, 1)); got == "" {
			t.Fatal("it does not print")
		}
		withValue := context.WithValue(ctx, key{}, "another")
		child, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		timed, stopTimed := context.WithTimeout(withValue, time.Hour)
		defer stopTimed()
		var rang, stopped atomic.Int32
		context.AfterFunc(ctx, func() { rang.Add(1) })
		unwanted := context.AfterFunc(ctx, func() { stopped.Add(1) })
		if !unwanted() || unwanted() {
			t.Fatal("a function is taken back once")
		}
		if !owned(t.c, ctx) || !owned(t.c, withValue) || owned(t.c, child) || owned(t.c, timed) || !owned(t.c, bg) {
			t.Fatal("ctx and what has only values on top of it end with the connection, the background never does, and others may end before")
		}

		t.c.CloseNow()
		for name, ctx := range map[string]context.Context{"it": ctx, "with a value": withValue, "a child": child, "with a timeout": timed} {
			<-ctx.Done()
			if ctx.Err() != context.Canceled || context.Cause(ctx) != t.c.err() {
				t.Errorf("%s: Err %v, cause %v, want the connection's %v", name, ctx.Err(), context.Cause(ctx), t.c.err())
			}
		}
		late := make(chan struct{})
		after := context.AfterFunc(ctx, func() { close(late) })
		<-late
		if after() {
			t.Error("a function that ran was taken back")
		}
		born, cancelBorn := context.WithCancel(ctx)
		defer cancelBorn()
		if born.Err() == nil || context.Cause(born) != t.c.err() {
			t.Errorf("a child of the ended: Err %v, cause %v", born.Err(), context.Cause(born))
		}
		if got := ctx.Value(key{}); got != "value" {
			t.Errorf("the parent's value is %v after the end", got)
		}
		if !t.real {
			synctest.Wait()
			if rang.Load() != 1 || stopped.Load() != 0 {
				t.Errorf("the function ran %d times, the one taken back %d times", rang.Load(), stopped.Load())
			}
		}
	})
}

// TestContextWithValueInCalls: a context that only adds values to the connection's
// own is as good as that, from the first call on; so is one that wraps it otherwise.
func TestContextWithValueInCalls(t *testing.T) {
	t.Parallel()
	type key struct{}
	type wrapped struct{ context.Context }
	var cancels []context.CancelFunc // called when all is over
	defer func() {
		for _, cancel := range cancels {
			cancel()
		}
	}()
	for _, derive := range []func(context.Context) context.Context{
		func(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, 1) },
		func(ctx context.Context) context.Context { return wrapped{ctx} },
		func(ctx context.Context) context.Context {
			child, cancel := context.WithCancel(ctx)
			cancels = append(cancels, cancel)
			return wrapped{child}
		},
	} {
		runConnTest(t, config{}, func(t *connTest) {
			ctx := derive(t.c.Context())
			read := start(func() error { _, _, err := t.c.Read(ctx); return err })
			t.blocked("nothing comes", read)
			if err := t.c.Write(ctx, MessageText, []byte("hello")); err != nil {
				t.Fatal(err)
			}
			t.p.WantText("it leaves", "hello")
			t.p.SendText("answer")
			if err := t.want("Read", read); err != nil {
				t.Fatal(err)
			}
			read = start(func() error { _, _, err := t.c.Read(ctx); return err })
			t.c.CloseNow()
			if err := t.want("Read", read); err != t.c.err() {
				t.Fatalf("Read gave %v, want %v", err, t.c.err())
			}
		})
	}
}

// TestContextOutlivesItsParent: the parent's values, not its cancellation.
func TestContextOutlivesItsParent(t *testing.T) {
	parent, cancel := context.WithCancelCause(bg)
	runConnTest(t, config{parent: parent}, func(t *connTest) {
		cancel(errors.New("the handler has returned"))
		if ctx := t.c.Context(); ctx.Err() != nil || context.Cause(ctx) != nil {
			t.Fatalf("Err %v, cause %v", ctx.Err(), context.Cause(ctx))
		}
	})
}
