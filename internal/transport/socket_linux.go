//go:build linux && (amd64 || arm64) && !race && !msan && !asan && !websocket_nounsafe

package transport

import (
	"runtime"
	"syscall"
	"unsafe"
)

// A system call that might wait lets the runtime know before and after, so that it can give the thread's place to
// another. One that can't wait needs none of that, and RawSyscall spares it, three times for each small message. But
// while it runs, the runtime can't stop the goroutine, and so not stop the world: it is used for at most quickSize,
// which takes the kernel some ten microseconds. MSG_DONTWAIT makes sure that none waits, even if somebody has made the
// socket a blocking one through its File.

// quickSize is how much is moved without telling the runtime, with a header.
const quickSize = 14 + 32<<10

const (
	canPoll     = true
	canSendBoth = true
)

const sendFlags = syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL

// recv reads from a socket what is there.
func recv(fd uintptr, p []byte) (int, errno) {
	at, n := uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p))
	if len(p) > quickSize {
		return moved(syscall.Syscall6(syscall.SYS_RECVFROM, fd, at, n, syscall.MSG_DONTWAIT, 0, 0))
	}
	return moved(syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, at, n, syscall.MSG_DONTWAIT, 0, 0))
}

// send writes to a socket as much of a as it takes, and then of b. The usual system call is written out: with one Go
// call more on the way down, goroutines that wait would keep 2 KiB more of stack each.
func send(fd uintptr, a, b []byte) (int, errno) {
	if b != nil {
		return sendBoth(fd, a, b)
	}
	at, n := uintptr(unsafe.Pointer(unsafe.SliceData(a))), uintptr(len(a))
	if len(a) > quickSize {
		return moved(syscall.Syscall6(syscall.SYS_SENDTO, fd, at, n, sendFlags, 0, 0))
	}
	return moved(syscall.RawSyscall6(syscall.SYS_SENDTO, fd, at, n, sendFlags, 0, 0))
}

// sendLast is send for what ends the connection: behind it our half is closed, so that the end of the stream leaves in
// the same segment. That saves both ends a packet.
func sendLast(fd uintptr, a []byte) (int, errno) {
	if len(a) > quickSize {
		return send(fd, a, nil)
	}
	n, err := moved(syscall.RawSyscall6(syscall.SYS_SENDTO, fd,
		uintptr(unsafe.Pointer(unsafe.SliceData(a))), uintptr(len(a)), syscall.MSG_MORE|sendFlags, 0, 0))
	if n == len(a) {
		syscall.RawSyscall(syscall.SYS_SHUTDOWN, fd, syscall.SHUT_WR, 0)
	}
	return n, err
}

func sendBoth(fd uintptr, a, b []byte) (int, errno) {
	var parts [2]syscall.Iovec
	parts[0].Base, parts[1].Base = unsafe.SliceData(a), unsafe.SliceData(b)
	parts[0].SetLen(len(a))
	parts[1].SetLen(len(b))
	m := syscall.Msghdr{Iov: &parts[0], Iovlen: uint64(len(parts))}
	var n uintptr
	var err errno
	if len(a)+len(b) > quickSize {
		n, _, err = syscall.Syscall6(syscall.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&m)), sendFlags, 0, 0, 0)
	} else {
		n, _, err = syscall.RawSyscall6(syscall.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&m)), sendFlags, 0, 0, 0)
	}
	runtime.KeepAlive(&parts)
	return moved(n, 0, err)
}

// moved is what a system call that moves bytes returned.
func moved(n, _ uintptr, err errno) (int, errno) {
	if err != 0 {
		return 0, err
	}
	return int(n), 0
}

// pollOut reports whether the socket says that it can be written to: then at most two thirds of its buffer are in use.
func pollOut(fd uintptr) bool { return poll(fd, pollout) == pollout }

// mayWrite reports whether a write would not wait: there is room, or an error.
func mayWrite(fd uintptr) bool { return poll(fd, pollout) != 0 }

// peerClosed reports whether the peer has closed its half, or reset the connection, and whether some of what it sent has yet to be
// read. (POLLERR says neither: a socket that is asked for time stamps has it, too.)
func peerClosed(fd uintptr) (closed, rest bool) {
	if got := poll(fd, pollrdhup); got < 0 || got&pollrdhup == 0 {
		return false, false
	}
	const inq = 0x541B // FIONREAD
	var n int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, inq, uintptr(unsafe.Pointer(&n))) // it waits while a send copies
	return true, errno == 0 && n > 0
}

const (
	pollout   = 0x4
	pollrdhup = 0x2000
)

// poll returns at once which of the events there are, and POLLERR and POLLHUP. It is negative if the socket can't be asked.
func poll(fd uintptr, events int16) int16 {
	p := struct {
		fd              int32
		events, revents int16
	}{fd: int32(fd), events: events}
	var now syscall.Timespec
	for {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
		switch errno {
		case 0:
			return p.revents
		case syscall.EINTR: // a signal of the runtime's
		default:
			return -1
		}
	}
}

// unsent returns how many bytes that were written to the socket the peer's system has not taken yet.
func unsent(fd uintptr) int64 {
	const outq = 0x5411 // SIOCOUTQ
	var n int32
	if _, _, errno := syscall.RawSyscall(syscall.SYS_IOCTL, fd, outq, uintptr(unsafe.Pointer(&n))); errno != 0 {
		return 0
	}
	return int64(n)
}
