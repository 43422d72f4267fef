//go:build (amd64 || arm64) && !race && !msan && !asan

package websocket

import (
	"runtime"
	"syscall"
	"unsafe"
)

// A system call that might wait lets the runtime know before and after, so that it can
// give the thread's place to another. One that can't wait needs none of that, and
// RawSyscall spares it, three times for each message: 9 % of an echo of 64 bytes. Of
// a call that moves 100 KiB or more the runtime would think that it waits, and go to
// the trouble: 23 % of an echo of 256 KiB. MSG_DONTWAIT makes sure that none waits, even
// if somebody has made the socket a blocking one through its File.
//
// The detectors of races and of bad memory look into package syscall, and are left
// with what socket_unix.go calls.

// quickSize is up to how much is moved so, with a header: it takes the kernel less than
// 100 microseconds. So long the garbage collector may have to wait for the goroutine.
const quickSize = maxHeader + 256<<10

// recv reads from a socket what is there, no more than quickSize.
func recv(fd uintptr, p []byte) (int, error) {
	p = p[:min(len(p), quickSize)]
	return moved(syscall.RawSyscall6(syscall.SYS_RECVFROM, fd,
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), syscall.MSG_DONTWAIT, 0, 0))
}

// send writes to a socket as much of a as it takes, and then of b. It has the usual
// system call written out: with one Go call more on the way down, goroutines that wait
// would keep 2 KiB more of stack each.
func send(fd uintptr, a, b []byte) (int, error) {
	switch {
	case len(a)+len(b) > quickSize && b == nil:
		return syscall.Write(int(fd), a)
	case len(a)+len(b) > quickSize:
		return 0, syscall.EAGAIN
	case b != nil:
		return sendBoth(fd, a, b)
	}
	return moved(syscall.RawSyscall6(syscall.SYS_SENDTO, fd,
		uintptr(unsafe.Pointer(unsafe.SliceData(a))), uintptr(len(a)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0))
}

// sendLast is send for what ends the connection: behind it our half is closed, so that
// the end of the stream leaves in the same segment. That saves both ends a packet, and
// us 2 % of what a short connection costs.
func sendLast(fd uintptr, a []byte) (int, error) {
	if len(a) > quickSize {
		return send(fd, a, nil)
	}
	n, err := moved(syscall.RawSyscall6(syscall.SYS_SENDTO, fd,
		uintptr(unsafe.Pointer(unsafe.SliceData(a))), uintptr(len(a)), syscall.MSG_MORE|syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0))
	if n == len(a) {
		syscall.RawSyscall(syscall.SYS_SHUTDOWN, fd, syscall.SHUT_WR, 0)
	}
	return n, err
}

func sendBoth(fd uintptr, a, b []byte) (int, error) {
	var parts [2]syscall.Iovec
	parts[0].Base, parts[1].Base = unsafe.SliceData(a), unsafe.SliceData(b)
	parts[0].SetLen(len(a))
	parts[1].SetLen(len(b))
	m := syscall.Msghdr{Iov: &parts[0], Iovlen: uint64(len(parts))}
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDMSG, fd,
		uintptr(unsafe.Pointer(&m)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0, 0)
	runtime.KeepAlive(&parts)
	return moved(n, 0, errno)
}

// moved is what a system call that moves bytes returned.
func moved(n, _ uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
