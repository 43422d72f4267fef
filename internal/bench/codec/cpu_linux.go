package main

import (
	"syscall"
	"time"
	"unsafe"
)

// cpuTime is the CPU time of the calling thread, which must be locked. Other
// programs on the machine do not count into it.
func cpuTime() time.Duration {
	const clockThreadCPU = 3
	var ts syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPU, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		panic(errno)
	}
	return time.Duration(ts.Nano())
}
