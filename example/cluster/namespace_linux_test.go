package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// TestCutByNamespaces: the same, if the node's connection to the broker goes from one network namespace of Linux to another, and the
// cable between them is pulled. The test runs again in namespaces of its own, in which it may do that.
func TestCutByNamespaces(t *testing.T) {
	if os.Getenv("CLUSTER_NAMESPACE") == "" {
		runInNamespace(t)
		return
	}
	command(t, "ip", "link", "set", "lo", "up")
	far := newNamespace(t)
	command(t, "ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", fmt.Sprint(far.thread))
	command(t, "ip", "addr", "add", "10.99.0.1/24", "dev", "near")
	command(t, "ip", "link", "set", "near", "up")
	far.run(func() {
		command(t, "ip", "addr", "add", "10.99.0.2/24", "dev", "far")
		command(t, "ip", "link", "set", "far", "up")
	})

	// The relay is never cut: it is there because the broker listens on another address.
	c := newCluster(t, "10.99.0.1:0", far)
	survive(t, c,
		func(*cluster) { command(t, "ip", "link", "set", "near", "down") },
		func(*cluster) { command(t, "ip", "link", "set", "near", "up") })
}

// runInNamespace runs the test in another process, as root of a namespace for users and one for networks.
func runInNamespace(t *testing.T) {
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skipf("%v: a node is cut off by a relay only", err)
	}
	test := exec.CommandContext(testContext(t), os.Args[0], "-test.run=^TestCutByNamespaces$", "-test.v="+fmt.Sprint(testing.Verbose()))
	test.Env = append(os.Environ(), "CLUSTER_NAMESPACE=1")
	test.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	var output strings.Builder
	test.Stdout, test.Stderr = &output, &output
	if err := test.Start(); err != nil {
		t.Skipf("there are no namespaces here (%v): a node is cut off by a relay only", err)
	}
	err := test.Wait()
	if t.Log(&output); err != nil {
		t.Fatal(err)
	}
}

// A namespace is a thread in a network namespace of its own.
type namespace struct {
	thread int
	work   chan func()
}

func newNamespace(t *testing.T) *namespace {
	n := &namespace{work: make(chan func())}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		n.thread = syscall.Gettid()
		started <- syscall.Unshare(syscall.CLONE_NEWNET)
		for f := range n.work {
			f()
		}
	}()
	if err := <-started; err != nil {
		t.Skipf("there is no second namespace (%v): a node is cut off by a relay only", err)
	}
	t.Cleanup(func() { close(n.work) })
	return n
}

// run runs f on the thread, and waits.
func (n *namespace) run(f func()) {
	done := make(chan struct{})
	n.work <- func() { defer close(done); f() }
	<-done
}

// Dial dials from the namespace. A socket stays in that in which it was made, whoever uses it then.
func (n *namespace) Dial(network, address string) (nc net.Conn, err error) {
	n.run(func() { nc, err = net.DialTimeout(network, address, testPatience) })
	return nc, err
}

func command(t *testing.T, name string, args ...string) {
	if output, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v: %s", name, strings.Join(args, " "), err, output)
	}
}
