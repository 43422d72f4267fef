package peers

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// patience is how long anything may take that is to happen.
const patience = 30 * time.Second

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	if os.Getenv("PEERS") == "skip" {
		fmt.Println("PEERS=skip: nothing was tested against Node, Python, nginx, haproxy, nghttpx, tinyproxy and squid")
		return 0
	}
	if missing := missingPeers(); missing != nil {
		fmt.Fprintf(os.Stderr, "%v\nsetup.sh installs the peers, on Debian; PEERS=skip does without them\n", missing)
		return 1
	}
	var err error
	if scratch, err = os.MkdirTemp("", "peers"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	flag.Parse()
	parallel := false
	flag.Visit(func(f *flag.Flag) { parallel = parallel || f.Name == "test.parallel" })
	if !parallel {
		flag.Set("test.parallel", "8") // much of the time goes into waiting for time-outs
	}
	return m.Run()
}

// missingPeers says what can't be found of what the tests need.
func missingPeers() error {
	for _, program := range []string{node, python, nginx, haproxy, nghttpx, tinyproxy, squid} {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	if _, err := os.Stat("node_modules/ws/package.json"); err != nil {
		return err
	}
	if out, err := exec.Command(python, "-c", "import websockets").CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", python, err, out)
	}
	return nil
}
