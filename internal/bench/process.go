package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// process is the process under test, seen by the load generator.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	port  int
	order order
}

// start runs this program anew as the process under test, or the library's own.
func start(lib *library, o order) (*process, error) {
	o.Library = lib.name
	arg, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	executable := lib.program
	if executable == "" {
		if executable, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(executable, "-child", string(arg))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, in: in, out: bufio.NewReader(out), order: o}
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("%s: the process under test did not start: %w", o.Library, err)
	}
	if _, port, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
		if p.port, err = strconv.Atoi(port); err != nil {
			p.stop()
			return nil, err
		}
	}
	return p, nil
}

// stop ends the process. It has nothing to save.
func (p *process) stop() {
	p.in.Close()
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // "signal: killed"
}

// tell sends a command and returns the answer behind "ok".
func (p *process) tell(command string) (string, error) {
	if err := p.begin(command); err != nil {
		return "", err
	}
	return p.end()
}

// begin sends a command without waiting until it is carried out.
func (p *process) begin(command string) error {
	_, err := io.WriteString(p.in, command+"\n")
	return err
}

func (p *process) end() (string, error) {
	line, err := p.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s: the process under test has ended: %w", p.order.Library, err)
	}
	line = strings.TrimSpace(line)
	answer, ok := strings.CutPrefix(line, "ok")
	if !ok {
		return "", fmt.Errorf("%s: %s", p.order.Library, line)
	}
	return strings.TrimSpace(answer), nil
}

// settle is how long the process under test gets to fall asleep before its clock is read.
const settle = time.Millisecond

// cpu returns the CPU time the process has used. It must have nothing to do.
func (p *process) cpu() (time.Duration, error) {
	spin(settle)
	return cpuTime(p.cmd.Process.Pid)
}

// allocated returns how many heap objects the process has allocated, and their bytes.
func (p *process) allocated() (objects, bytes uint64, err error) {
	answer, err := p.tell("mallocs")
	if err != nil {
		return 0, 0, err
	}
	_, err = fmt.Sscan(answer, &objects, &bytes)
	return objects, bytes, err
}

// resident returns the process's resident memory in bytes, after its garbage is collected.
func (p *process) resident() (int, error) {
	if _, err := p.tell("collect"); err != nil {
		return 0, err
	}
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.SplitSeq(string(rollup), "\n") {
		if rest, ok := strings.CutPrefix(line, "Rss:"); ok {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no Rss in smaps_rollup")
}
