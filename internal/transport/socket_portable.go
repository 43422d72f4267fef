//go:build unix && (!linux || (!amd64 && !arm64) || race || msan || asan || websocket_nounsafe)

package transport

import "syscall"

// What package syscall offers on every Unix system. The detectors of races and of bad memory look into it, and the build
// tag websocket_nounsafe asks for it.

const (
	canPoll     = false // whether a TLS connection's socket has room can't be asked
	canSendBoth = false // the net.Conn writes a header and its payload at once
)

// recv reads from a socket what is there.
func recv(fd uintptr, p []byte) (int, errno) { return moved(syscall.Read(int(fd), p)) }

// send writes to a socket as much of a as it takes; nothing if there is a b, because package syscall can't write both
// at once, as the net.Conn can.
func send(fd uintptr, a, b []byte) (int, errno) {
	if b != nil {
		return 0, syscall.EAGAIN
	}
	return moved(syscall.Write(int(fd), a))
}

// sendLast is send for what ends the connection.
func sendLast(fd uintptr, a []byte) (int, errno) { return send(fd, a, nil) }

// moved is what a system call that moves bytes returned.
func moved(n int, err error) (int, errno) {
	if err != nil {
		return 0, err.(errno)
	}
	return n, 0
}

func pollOut(uintptr) bool  { return false }
func mayWrite(uintptr) bool { return true }

// peerClosed reports nothing: it is unknown.
func peerClosed(uintptr) (closed, rest bool) { return false, false }

// unsent returns how many bytes the peer's system has not taken yet: unknown.
func unsent(uintptr) int64 { return 0 }
