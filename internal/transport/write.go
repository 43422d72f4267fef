package transport

import (
	"context"
	"net"
	"sync"
)

// TryWrite writes as much of b, and of tail behind it, as is taken without waiting, and reports whether that was all.
// b.N is how much, b.Err why no more can be written, ever. Most writes are this one call, and one system call.
func (t *Conn) TryWrite(b *Buffer, tail []byte) bool {
	b.N, b.Err = 0, nil
	switch {
	case t.raw == nil:
		return false
	case t.kind == socket:
		if b.once == nil {
			b.once = b.attempt
		}
		b.tail = tail
		if err := t.raw.Control(b.once); err != nil {
			b.Err = err
		}
		b.tail = nil
	default:
		t.trySecured(b, tail)
	}
	if b.N > 0 {
		t.taken.Add(int64(b.N))
	}
	return b.N == len(b.B)+len(tail)
}

// Gathers reports whether a header and a payload that lies elsewhere leave in one system call.
func (t *Conn) Gathers() bool { return t.raw != nil && t.kind == socket }

// Tries reports whether TryWrite may take something: only for sockets, and TLS over them, can one know.
func (t *Conn) Tries() bool { return t.raw != nil && (t.kind == socket || canPoll) }

// WriteNow is one attempt to write b to a net.Conn that no Conn owns. It reports whether all was taken; b.N is how much.
func WriteNow(nc net.Conn, b *Buffer) bool {
	b.N, b.Err = 0, nil
	raw := RawConn(nc)
	if raw == nil {
		return false
	}
	if b.once == nil {
		b.once = b.attempt
	}
	if err := raw.Control(b.once); err != nil {
		b.Err = err
	}
	return b.N == len(b.B)
}

// attempt is one attempt to write what is left to a socket.
func (b *Buffer) attempt(fd uintptr) {
	for {
		head, tail := b.left(b.tail)
		var n int
		var err errno
		if b.Last && b.N == 0 {
			n, err = sendLast(fd, head)
		} else {
			n, err = send(fd, head, tail)
		}
		switch err {
		case 0:
			b.N += n
			if b.taken != nil {
				b.taken.Add(int64(n))
			}
		case interrupted:
			continue
		case wouldBlock:
		default:
			b.Err = err
		}
		return
	}
}

// attemptAll is attempt for a call that waits: it reports whether there is nothing more to wait for.
func (b *Buffer) attemptAll(fd uintptr) bool {
	before := b.N
	b.attempt(fd)
	for b.N > before && b.N < len(b.B)+len(b.tail) && b.Err == nil {
		before = b.N
		b.attempt(fd)
	}
	return b.Err != nil || b.N == len(b.B)+len(b.tail)
}

// left returns what is left to be written.
func (b *Buffer) left(tail []byte) (head, rest []byte) {
	if b.N >= len(b.B) {
		return tail[b.N-len(b.B):], nil
	}
	return b.B[b.N:], tail
}

// recordSize is what crypto/tls puts into one record, and so into one system call.
const recordSize = 16 << 10

// fewRecords fits into the buffer of any socket of which nobody has made it small.
const fewRecords = 2*recordSize + 64

// trySecured writes records for as long as the socket below says that it has room for one. Then it has: of a Linux
// socket's buffer a third is free.
func (t *Conn) trySecured(b *Buffer, tail []byte) {
	s := t.standIn()
	if !canPoll || !s.settled() {
		return
	}
	for b.N < len(b.B)+len(tail) {
		piece, _ := b.left(tail)
		// A message in one write wakes the peer once. There is room for some records if nothing is on its way.
		whole := len(piece) > recordSize && len(piece) <= fewRecords && t.nothingUnsent()
		if !whole {
			piece = piece[:min(len(piece), recordSize)]
			if !s.mayPass(len(piece), t.writable) {
				return
			}
		}
		n, err := t.nc.Write(piece)
		b.N += n
		if err != nil {
			b.Err = err
			return
		}
	}
}

// writable asks the socket whether it has room.
func (t *Conn) writable() (ok bool) {
	if t.raw != nil && canPoll {
		t.raw.Control(func(fd uintptr) { ok = pollOut(fd) })
	}
	return ok
}

// nothingUnsent reports whether the peer's system has taken all that was written.
func (t *Conn) nothingUnsent() (nothing bool) {
	t.raw.Control(func(fd uintptr) { nothing = unsent(fd) == 0 })
	return nothing
}

// pieceSize is how much of a long message is written at once where one can't see how much of it was taken: each piece
// that is shows that the peer is alive. Where a goroutine writes, it writes no more at once, nor does TLS.
const pieceSize, handedSize = 64 << 10, recordSize

// socketPieceSize is the same for sockets. Most messages fit, and so leave in one write; a longer one must show signs of
// life while a slow peer takes it.
const socketPieceSize = headerSpace + LargeSize

// Write writes what TryWrite has left of b and tail. b.N goes on counting. If ctx is not nil, its end interrupts the
// call. The error is ErrInterrupted, or the net.Conn's, which is final.
func (t *Conn) Write(ctx context.Context, b *Buffer, tail []byte) error {
	if b.Err != nil {
		return b.Err
	}
	if ctx != nil {
		i := made(&t.writes)
		if done := ctx.Done(); done != nil && !i.covers(done) {
			i.watch(ctx, t.InterruptWrite)
		}
		if ctx.Err() != nil {
			return ErrInterrupted // it ended before: the interruption may have hit another
		}
	}
	err := t.writeLeft(b, tail)
	if err != nil && isTimeout(err) && made(&t.writes).clear(t.setWriteDeadline) {
		err = ErrInterrupted
	}
	return err
}

func (t *Conn) writeLeft(b *Buffer, tail []byte) error {
	if t.kind == socket && t.raw != nil && canSendBoth {
		if b.all == nil {
			b.all = b.attemptAll
		}
		b.tail, b.taken = tail, &t.taken
		err := t.raw.Write(b.all)
		b.tail, b.taken = nil, nil
		if err == nil {
			err = b.Err
		}
		return err
	}
	for b.N < len(b.B)+len(tail) {
		n, err := t.writePiece(b.left(tail))
		b.N += n
		t.taken.Add(int64(n))
		if err != nil {
			return err
		}
	}
	return t.settle()
}

// settle waits until what was handed over to a goroutine, before an interruption, is written.
func (t *Conn) settle() (err error) {
	if s := t.standIn(); s != nil {
		_, err = s.Write(nil)
		return err
	}
	if _, ok := t.nc.(interface{ Settled() bool }); ok { // a streamconn.Conn, or what is made of one
		_, err = t.nc.Write(nil)
	}
	return err
}

// writePiece writes some of head, and of tail if there is a way to write both at once.
func (t *Conn) writePiece(head, tail []byte) (int, error) {
	switch {
	case t.standIn() != nil:
		return t.standIn().Write(head[:min(len(head), handedSize)])
	case tail != nil && t.kind == socket:
		head = head[:min(len(head), socketPieceSize)]
		return writeBoth(t.nc, head, tail[:min(len(tail), socketPieceSize-len(head))])
	case t.kind == socket:
		return t.nc.Write(head[:min(len(head), socketPieceSize)])
	}
	size := pieceSize
	if _, handed := t.nc.(overStream); handed {
		size = handedSize
	}
	return t.nc.Write(head[:min(len(head), size)])
}

// writeBoth writes two slices in one system call.
func writeBoth(nc net.Conn, a, b []byte) (int, error) {
	v := vectors.Get().(*vector)
	v.bufs = append(v.array[:0], a, b)
	n, err := v.bufs.WriteTo(nc)
	v.array = [2][]byte{}
	vectors.Put(v)
	return int(n), err
}

// A vector is what one write of two slices needs.
type vector struct {
	array [2][]byte
	bufs  net.Buffers
}

var vectors = sync.Pool{New: func() any { return new(vector) }}
