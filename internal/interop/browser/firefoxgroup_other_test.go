//go:build !unix

package browser

import "os/exec"

func ownGroup(*exec.Cmd) {}

// killGroup kills the command; a browser's other processes end with it.
func killGroup(cmd *exec.Cmd) { cmd.Process.Kill() }
