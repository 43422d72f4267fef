//go:build unix

package browser

import (
	"os/exec"
	"syscall"
)

// ownGroup gives the command a process group of its own, for the processes that
// it starts.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills the command and what it has started.
func killGroup(cmd *exec.Cmd) { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
