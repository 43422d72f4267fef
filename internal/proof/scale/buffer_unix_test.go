//go:build unix

package scale

import "syscall"

// smallBuffer makes a socket that is not connected yet hold little that was not read.
func smallBuffer(rc syscall.RawConn) (err error) {
	if e := rc.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10) }); e != nil {
		return e
	}
	return err
}
