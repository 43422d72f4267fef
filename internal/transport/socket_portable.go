//go:build unix && (!linux || (!amd64 && !arm64) || race || msan || asan || websocket_nounsafe)

package transport

import "syscall"

// What package syscall offers on every Unix system. The detectors of races and of bad memory look into it, and the build
// tag websocket_nounsafe asks for it.

const (
	canPoll     = false // whether a TLS connection's socket has room can't be asked
	canSendBoth = false // the net.Conn writes a header and its payload at once
)

// recv reads from a socket what is there. Beside an error the count means nothing.
func recv(fd uintptr, p []byte) (int, error) { return syscall.Read(int(fd), p) }

// send writes to a socket as much of a as it takes; nothing if there is a b, because package syscall can't write both
// at once, as the net.Conn can.
func send(fd uintptr, a, b []byte) (int, error) {
	if b != nil {
		return 0, syscall.EAGAIN
	}
	return syscall.Write(int(fd), a)
}

// sendLast is send for what ends the connection.
func sendLast(fd uintptr, a []byte) (int, error) { return send(fd, a, nil) }

func pollOut(uintptr) bool  { return false }
func mayWrite(uintptr) bool { return true }

// unsent returns how many bytes the peer's system has not taken yet: unknown.
func unsent(uintptr) int64 { return 0 }
