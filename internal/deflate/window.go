package deflate

// window is a ring of the last bytes received, at most 1<<bits of them. Its
// memory grows with what it has seen.
type window struct {
	ring   []byte
	head   int // where the next byte goes; len(ring) counts as 0
	length int // bytes that are history, counted back from head
}

// write makes p the newest history in a window of size bytes.
func (w *window) write(p []byte, size int) {
	if len(p) >= size {
		w.grow(size, size)
		copy(w.ring, p[len(p)-size:])
		w.head, w.length = 0, size
		return
	}
	if len(w.ring) < size {
		w.grow(w.length+len(p), size)
	}
	if w.head == len(w.ring) {
		w.head = 0
	}
	n := copy(w.ring[w.head:], p)
	w.head += n
	if n < len(p) {
		w.head = copy(w.ring, p[n:])
	}
	w.length = min(w.length+len(p), len(w.ring))
}

// grow makes room for at least need bytes without going beyond size. While the
// ring is smaller than size it has not wrapped, so its order is its history.
func (w *window) grow(need, size int) {
	if need <= len(w.ring) {
		return
	}
	n := max(256, len(w.ring))
	for n < need {
		n *= 2
	}
	ring := make([]byte, min(n, size))
	copy(ring, w.ring[:w.length])
	w.ring, w.head = ring, w.length
}

// copyTo fills dst from the byte that lies back bytes before head, up to head,
// and returns how many there were.
func (w *window) copyTo(dst []byte, back int) int {
	n := min(len(dst), back)
	at := w.head - back
	if at < 0 {
		at += len(w.ring)
	}
	c := copy(dst[:n], w.ring[at:])
	if c < n {
		copy(dst[c:n], w.ring)
	}
	return n
}
