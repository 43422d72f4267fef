package mask

import (
	"sync"
	"testing"
)

// TestKeysAreSpreadEvenly would fail for a constant byte, a counter or a block used again: every value
// of every byte of a key comes about as often as the others.
func TestKeysAreSpreadEvenly(t *testing.T) {
	const keys = 256 * 400
	var count [4][256]int
	for range keys {
		for i, b := range NewKey() {
			count[i][b]++
		}
	}
	for i := range count {
		for b, n := range count[i] {
			// 400 expected with a standard deviation of 20: ten deviations never happen.
			if n < 200 || n > 600 {
				t.Errorf("byte %d of %d keys was %#02x %d times, want about 400", i, keys, b, n)
			}
		}
	}
}

// TestNoKeyTwice draws few enough keys, from several goroutines, that chance explains hardly a
// repetition (8192 keys: 0.008 expected), while a block handed to two goroutines would repeat keys by the dozen.
func TestNoKeyTwice(t *testing.T) {
	const goroutines, each = 8, 1024
	var drawn [goroutines][each]Key
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				drawn[g][i] = NewKey()
			}
		})
	}
	wg.Wait()

	seen := make(map[Key]bool)
	repeated := 0
	for g := range drawn {
		for _, key := range drawn[g] {
			if seen[key] {
				repeated++
			}
			seen[key] = true
		}
	}
	if repeated > 3 {
		t.Errorf("%d of %d keys came a second time", repeated, goroutines*each)
	}
}

// TestBlockCutsEachByteOnce holds a single block against the bytes it was filled with.
func TestBlockCutsEachByteOnce(t *testing.T) {
	b := &block{used: len(block{}.bytes)}
	first := b.next()
	filled := b.bytes
	for i := range len(filled) / len(first) {
		key := first
		if i > 0 {
			key = b.next()
		}
		if want := Key(filled[i*len(key):]); key != want {
			t.Fatalf("key %d of the block: %x, want %x", i, key, want)
		}
	}
	if b.next(); b.bytes == filled {
		t.Error("a used up block was not filled again")
	}
}

func TestNewKeyAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(1000, func() { NewKey() }); n != 0 {
		t.Errorf("%v allocations per key, want 0", n)
	}
}

func BenchmarkNewKey(b *testing.B) {
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			NewKey()
		}
	})
}
