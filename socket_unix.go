//go:build unix && !(linux && (amd64 || arm64) && !race && !msan && !asan)

package websocket

import "syscall"

// recv reads from a socket what is there. Beside an error the count means nothing.
func recv(fd uintptr, p []byte) (int, error) { return syscall.Read(int(fd), p) }

// send writes to a socket as much of a as it takes, and then of b; nothing if there is
// a b, because package syscall can't write both at once, as the net.Conn can.
func send(fd uintptr, a, b []byte) (int, error) {
	if b != nil {
		return 0, syscall.EAGAIN
	}
	return syscall.Write(int(fd), a)
}

// sendLast is send for what ends the connection.
func sendLast(fd uintptr, a []byte) (int, error) { return send(fd, a, nil) }
