package peers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A proxyKind is how one kind of proxy is run.
type proxyKind struct {
	name    string
	command func(config string) *exec.Cmd
	// config is its configuration; the words in capital letters are replaced.
	config string
	// up is what it logs when it has started, and again when it has reloaded.
	up string
	// reload is the signal for a reload, reloading what it logs then.
	reload    syscall.Signal
	reloading string
	// front and back replace these words, for what it is to speak with its clients and with its target.
	front, back map[version]string
}

var proxyKinds = []proxyKind{nginxKind, haproxyKind}

// A proxy is one that runs.
type proxy struct {
	*process
	kind   proxyKind
	config string
	addr   string
}

// proxySettings are durations in the proxies' notation.
type proxySettings struct {
	silence string // how long a connection may be silent; default: 10 min
	drain   string // how long connections outlive a reload; default: 10 min

	front, back version // default: HTTP/1.1
}

// eachProxy runs test for each kind of proxy with each peer in each role.
func eachProxy(t *testing.T, test func(t *testing.T, kind proxyKind, peer *peer, role role)) {
	for _, kind := range proxyKinds {
		eachLink(t, map[string]route{kind.name: nil}, func(t *testing.T, program program, role role, _ route) {
			test(t, kind, startPeer(t, program), role)
		})
	}
}

// startProxy starts a proxy that leads to target.
func startProxy(t *testing.T, kind proxyKind, target string, s proxySettings) *proxy {
	t.Helper()
	dir := t.TempDir()
	addr := freeAddr(t)
	config := strings.NewReplacer("FRONT", kind.front[s.front], "BACK", kind.back[s.back]).Replace(kind.config)
	for name, content := range pems() {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config = strings.NewReplacer("DIR", dir, "ADDR", addr, "TARGET", target,
		"HOST,PORT", strings.Replace(addr, ":", ",", 1), "TO,PORT", strings.Replace(target, ":", ",", 1),
		"SILENCE", or(s.silence, "600s"), "DRAIN", or(s.drain, "600s")).Replace(config)
	p := &proxy{kind: kind, config: filepath.Join(dir, "config"), addr: addr}
	if err := os.WriteFile(p.config, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	p.start(t)
	return p
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// start starts the proxy, again if it was stopped.
func (p *proxy) start(t *testing.T) {
	t.Helper()
	p.process = begin(t, p.kind.command(p.config))
	p.wantLog(p.kind.up)
}

// reload makes the proxy read its configuration again, with new workers. The old
// ones keep their connections for a while.
func (p *proxy) reload() {
	p.t.Helper()
	// haproxy loses a signal that comes when it has just started.
	for start := time.Now(); ; {
		p.signal(p.kind.reload)
		if p.logs(p.kind.reloading, time.Second) {
			break
		}
		if time.Since(start) > patience {
			p.t.Fatalf("%s does not reload", p.kind.name)
		}
	}
	p.wantLog(p.kind.up)
}
