package mask

import "testing"

// TestKeysAreSpreadEvenly would fail for a constant byte, a counter or a block used again: every value
// of every byte of a key comes about as often as the others.
func TestKeysAreSpreadEvenly(t *testing.T) {
	const keys = 256 * 400
	var supply Keys
	var count [4][256]int
	for range keys {
		for i, b := range supply.Next() {
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

// TestNoKeyTwice draws few enough keys, from several supplies, that chance explains hardly a
// repetition (8192 keys: 0.008 expected), while a block in two supplies would repeat keys by the dozen.
func TestNoKeyTwice(t *testing.T) {
	const supplies, each = 8, 1024
	seen := make(map[Key]bool)
	repeated := 0
	for range supplies {
		var supply Keys
		for range each {
			key := supply.Next()
			if seen[key] {
				repeated++
			}
			seen[key] = true
		}
	}
	if repeated > 3 {
		t.Errorf("%d of %d keys came a second time", repeated, supplies*each)
	}
}

// TestBlockCutsEachByteOnce holds a supply against the bytes it was filled with.
func TestBlockCutsEachByteOnce(t *testing.T) {
	var supply Keys
	first := supply.Next()
	filled := supply.block
	for i := range len(filled) / len(first) {
		key := first
		if i > 0 {
			key = supply.Next()
		}
		if want := Key(filled[i*len(key):]); key != want {
			t.Fatalf("key %d of the block: %x, want %x", i, key, want)
		}
	}
	if supply.Next(); supply.block == filled {
		t.Error("a used up block was not filled again")
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	var supply Keys
	if n := testing.AllocsPerRun(1000, func() { supply.Next() }); n != 0 {
		t.Errorf("%v allocations per key, want 0", n)
	}
}

func BenchmarkNext(b *testing.B) {
	b.ReportAllocs()
	var supply Keys
	for b.Loop() {
		supply.Next()
	}
}
