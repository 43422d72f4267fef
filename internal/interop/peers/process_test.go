package peers

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A process is a program that a test started. It ends with the test.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	log   chan string   // the lines of stderr; closed at its end
	ended chan struct{} // closed when the process has ended
	logMu sync.Mutex
	kept  []string // guarded by logMu: the same lines, for a test that fails
}

// begin starts a process. Whoever wants its stdin or stdout has taken them from
// cmd before.
func begin(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, log: make(chan string, 1000), ended: make(chan struct{})}
	// Should the test die first, nothing is left behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.readLog(stderr)
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			p.logMu.Lock()
			defer p.logMu.Unlock()
			t.Logf("%s said:\n%s", cmd.Path, strings.Join(p.kept, "\n"))
		}
	})
	return p
}

func (p *process) readLog(stderr io.Reader) {
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		p.logMu.Lock()
		p.kept = append(p.kept, lines.Text())
		p.logMu.Unlock()
		select {
		case p.log <- lines.Text():
		default: // nobody waits for that many lines
		}
	}
	close(p.log)
	p.cmd.Wait() // it is ended by a signal, or by the end of its stdin
	close(p.ended)
}

// wantLog waits for a line in the process's log that has text in it.
func (p *process) wantLog(text string) {
	p.t.Helper()
	if !p.logs(text, patience) {
		p.t.Fatalf("%s did not log %q", p.cmd.Path, text)
	}
}

// logs waits for such a line, at most for d.
func (p *process) logs(text string, d time.Duration) bool {
	late := time.After(d)
	for {
		select {
		case line, ok := <-p.log:
			if !ok {
				return false
			}
			if strings.Contains(line, text) {
				return true
			}
		case <-late:
			return false
		}
	}
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Errorf("signalling %s: %v", p.cmd.Path, err)
	}
}

// stop ends the process, unless it has ended.
func (p *process) stop() {
	select {
	case <-p.ended:
		return
	default:
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	defer late.Stop()
	<-p.ended
}
