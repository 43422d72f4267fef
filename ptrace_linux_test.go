//go:build amd64 || arm64

package websocket_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// Counting another process's system calls, with ptrace(2).

// An episode is what a traced process did on one socket for a while: numbers of system calls.
type episode struct{ reads, writes int }

// markFD and what is above it is no file. Writing to it tells the tracer which socket to look at.
const markFD = 1 << 20

func beginEpisode(socket int) { _, _ = syscall.Write(markFD+socket, nil) }
func endEpisode()             { _, _ = syscall.Write(markFD, nil) }

var (
	readingCalls = []uint64{syscall.SYS_READ, syscall.SYS_READV, syscall.SYS_RECVFROM, syscall.SYS_RECVMSG}
	writingCalls = []uint64{syscall.SYS_WRITE, syscall.SYS_WRITEV, syscall.SYS_SENDTO, syscall.SYS_SENDMSG,
		syscall.SYS_SENDFILE, syscall.SYS_SPLICE}
)

// A tracer counts what a process does, and knows its threads.
type tracer struct {
	threads  map[int]bool
	socket   uint64 // looked at; 0: none
	episodes []episode
}

const traceTimeout = 2 * time.Minute

// traceSelf runs one test of this binary in a process whose environment has the given variable, and returns the
// episodes that it marked. Where tracing is not allowed the test is skipped.
func traceSelf(t *testing.T, run, env string) []episode {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	output, err := os.Create(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	// The thread that starts a process to trace is its tracer.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	process, err := os.StartProcess(executable, []string{executable, "-test.run=" + run, "-test.count=1"}, &os.ProcAttr{
		Env:   append(os.Environ(), env+"=1"),
		Files: []*os.File{nil, output, output},
		Sys:   &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		t.Skipf("a process can't be traced here: %v", err)
	}
	defer process.Release()
	pid := process.Pid
	watchdog := time.AfterFunc(traceTimeout, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	defer watchdog.Stop()
	tr := tracer{threads: map[int]bool{}}
	status, err := tr.follow(pid)
	if err != nil {
		t.Skipf("a process can't be traced here: %v", err)
	}
	if !status.Exited() || status.ExitStatus() != 0 {
		said, _ := os.ReadFile(output.Name())
		t.Fatalf("the traced process ended with status %#x and said:\n%s", status, said)
	}
	return tr.episodes
}

const (
	waitAll        = 0x40000000 // __WALL
	waitThisThread = 0x20000000 // __WNOTHREAD: for what this thread traces, and not for other tests' processes

	traceSystemCalls = 0x1      // PTRACE_O_TRACESYSGOOD
	traceClones      = 0x8      // PTRACE_O_TRACECLONE
	killOnExit       = 0x100000 // PTRACE_O_EXITKILL
	systemCallStop   = syscall.SIGTRAP | 0x80

	getSystemCall    = 0x420e // PTRACE_GET_SYSCALL_INFO
	systemCallBegins = 1      // PTRACE_SYSCALL_INFO_ENTRY
)

// follow goes with a process that was started to be traced, to its end.
func (tr *tracer) follow(pid int) (end syscall.WaitStatus, err error) {
	fail := func(err error) (syscall.WaitStatus, error) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		var status syscall.WaitStatus
		for {
			if _, err := syscall.Wait4(-1, &status, waitAll|waitThisThread, nil); err != nil && err != syscall.EINTR {
				break
			}
		}
		return 0, err
	}
	for first := true; ; {
		var status syscall.WaitStatus
		thread, err := syscall.Wait4(-1, &status, waitAll|waitThisThread, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.ECHILD:
			return end, nil
		case err != nil:
			return fail(err)
		case !status.Stopped():
			if thread == pid {
				end = status
			}
			continue
		}
		if first {
			first = false
			if err := syscall.PtraceSetOptions(pid, traceSystemCalls|traceClones|killOnExit); err != nil {
				return fail(os.NewSyscallError("PTRACE_SETOPTIONS", err))
			}
		}
		signal, err := tr.stopped(thread, status)
		if err != nil {
			return fail(err)
		}
		// ESRCH: it has been killed meanwhile, and the next Wait4 says so.
		if err := syscall.PtraceSyscall(thread, int(signal)); err != nil && err != syscall.ESRCH {
			return fail(os.NewSyscallError("PTRACE_SYSCALL", err))
		}
	}
}

// stopped looks why a thread has stopped, and returns the signal that it is to get.
func (tr *tracer) stopped(thread int, status syscall.WaitStatus) (syscall.Signal, error) {
	known := tr.threads[thread]
	tr.threads[thread] = true
	switch signal := status.StopSignal(); {
	case signal == systemCallStop:
		return 0, tr.systemCall(thread)
	case signal == syscall.SIGTRAP: // it has begun, or begins a thread
		return 0, nil
	case signal == syscall.SIGSTOP && !known: // a thread begins so
		return 0, nil
	default:
		return signal, nil
	}
}

func (tr *tracer) systemCall(thread int) error {
	// struct ptrace_syscall_info: what kind of stop, two addresses, the number, the arguments.
	var info [11]uint64
	_, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, getSystemCall, uintptr(thread),
		unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	switch {
	case errno == syscall.ESRCH:
		return nil
	case errno != 0:
		return os.NewSyscallError("PTRACE_GET_SYSCALL_INFO", errno)
	case byte(info[0]) == systemCallBegins:
		tr.count(info[3], info[4])
	}
	return nil
}

func (tr *tracer) count(number, fd uint64) {
	if number == syscall.SYS_WRITE && fd >= markFD && fd < 2*markFD {
		if tr.socket = fd - markFD; tr.socket != 0 {
			tr.episodes = append(tr.episodes, episode{})
		}
		return
	}
	if tr.socket == 0 || fd != tr.socket {
		return
	}
	e := &tr.episodes[len(tr.episodes)-1]
	switch {
	case slices.Contains(readingCalls, number):
		e.reads++
	case slices.Contains(writingCalls, number):
		e.writes++
	}
}
