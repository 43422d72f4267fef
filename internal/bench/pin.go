package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// pinnedEnv marks a process that already runs on its CPU.
const pinnedEnv = "WEBSOCKET_BENCH_PINNED"

type cpuSet [16]uint64

// allowedCPUs lists the CPUs this thread may run on.
func allowedCPUs() ([]int, error) {
	var set cpuSet
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(set), uintptr(unsafe.Pointer(&set)))
	if errno != 0 {
		return nil, errno
	}
	var cpus []int
	for cpu := range len(set) * 64 {
		if set[cpu/64]&(1<<(cpu%64)) != 0 {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// pin binds this process to the given CPUs and starts it anew: the call binds one thread, and only a
// fresh process has no other. It returns at once in the process that was started anew.
func pin(cpus []int) error {
	if os.Getenv(pinnedEnv) == fmt.Sprint(cpus) {
		return nil
	}
	runtime.LockOSThread()
	var set cpuSet
	for _, cpu := range cpus {
		set[cpu/64] |= 1 << (cpu % 64)
	}
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(set), uintptr(unsafe.Pointer(&set)))
	if errno != 0 {
		return fmt.Errorf("binding to CPUs %v: %w", cpus, errno)
	}
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.Setenv(pinnedEnv, fmt.Sprint(cpus)); err != nil {
		return err
	}
	return syscall.Exec(executable, os.Args, os.Environ())
}

// raiseFileLimit raises the number of open files as far as it goes and returns it.
func raiseFileLimit() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	// A privileged process may lift the hard limit too; elsewhere that is refused, and the soft
	// limit goes up to the hard one.
	const wanted = 200_000
	if limit.Max < wanted {
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: wanted, Max: wanted}) == nil {
			return wanted, nil
		}
	}
	limit.Cur = limit.Max
	err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	return int(limit.Cur), err
}

// cpuTime reads the CPU time, user and system, of another process in nanoseconds, without that process
// doing anything for it. While the process runs the figure may be a clock tick old; read it when the
// process sleeps.
func cpuTime(pid int) (time.Duration, error) {
	const perProcess = 2 // the kernel's CPUCLOCK_SCHED
	clock := int32(^pid)<<3 | perProcess
	var ts syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&ts)), 0)
	if errno != 0 {
		return 0, errno
	}
	return time.Duration(ts.Nano()), nil
}

// spin waits without sleeping: a load generator that sleeps would have the server pay for waking it.
func spin(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}

// cpusEnv carries the CPUs that were allowed before the first pin.
const cpusEnv = "WEBSOCKET_BENCH_CPUS"

// twoCPUs returns the CPU of the load generator and the CPU of the process under test.
func twoCPUs() ([]int, error) {
	if kept := os.Getenv(cpusEnv); kept != "" {
		var a, b int
		_, err := fmt.Sscan(kept, &a, &b)
		return []int{a, b}, err
	}
	cpus, err := allowedCPUs()
	if err != nil {
		return nil, err
	}
	if len(cpus) < 2 {
		return nil, errors.New("two CPUs are needed, one for the load and one for the process under test")
	}
	two := []int{cpus[0], cpus[len(cpus)-1]}
	return two, os.Setenv(cpusEnv, fmt.Sprint(two[0], two[1]))
}
