// Command dependents runs the tests of programs that depend on github.com/gorilla/websocket, first as they are and then with
// this library in its place, and prints a table (in MIGRATING.md, "Programs that were tried").
//
// It downloads the modules by the module proxy; the second run of each is offline. -only names some of them, -v prints what
// failing tests print.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/closeonce/websocket/internal/interop/gorilla/stand"
)

// A dependent is a module, and those of its packages that use WebSockets.
type dependent struct {
	module, version string
	what            string
	packages        []string
	// skip are tests that fail by chance with gorilla/websocket, too.
	skip string
}

var dependents = []dependent{
	{"github.com/99designs/gqlgen", "v0.17.70", "GraphQL server", []string{"./graphql/handler/transport", "./client"}, ""},
	{"github.com/ethereum/go-ethereum", "v1.17.10", "JSON-RPC", []string{"./rpc", "./node"}, ""},
	{"github.com/sourcegraph/jsonrpc2", "v0.2.3", "JSON-RPC", []string{".", "./websocket"}, ""},
	{"github.com/cometbft/cometbft", "v1.0.1", "JSON-RPC and events of a blockchain", []string{"./rpc/jsonrpc/client", "./rpc/jsonrpc/server"}, ""},
	{"github.com/olahol/melody", "v1.1.4", "a hub with sessions and broadcasts", []string{"."}, "^TestBroadcast"},
	{"github.com/mochi-mqtt/server/v2", "v2.7.9", "MQTT broker", []string{"./listeners"}, ""},
	{"k8s.io/client-go", "v0.37.2", "exec, attach and port forwarding of Kubernetes", []string{"./transport/websocket", "./tools/remotecommand", "./tools/portforward"}, ""},
	{"github.com/slack-go/slack", "v0.35.0", "client, with a server for tests", []string{"./slacktest", "./socketmode"}, ""},
	{"github.com/googollee/go-socket.io", "v1.7.0", "Socket.IO", []string{"./engineio/transport/websocket", "./engineio"}, ""},
}

var (
	only    = flag.String("only", "", "run those whose module path matches this regular `expression`")
	verbose = flag.Bool("v", false, "print what failing tests print")
)

func main() {
	flag.Parse()
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "dependents")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	ours := filepath.Join(tmp, "websocket")
	if err := os.Mkdir(ours, 0o777); err != nil {
		return err
	}
	if err := stand.Make(ours); err != nil {
		return err
	}
	fmt.Println("| module | what it is | packages | tests | pass with gorilla/websocket | pass here |")
	fmt.Println("| --- | --- | --- | ---: | ---: | ---: |")
	failed := false
	for i, d := range dependents {
		if !pattern.MatchString(d.module) {
			continue
		}
		worse, err := d.try(filepath.Join(tmp, fmt.Sprint(i)), ours)
		if err != nil {
			return fmt.Errorf("%s: %w", d.module, err)
		}
		failed = failed || worse
	}
	if failed {
		return fmt.Errorf("tests fail here that pass with %s", stand.Path)
	}
	return nil
}

// try runs a dependent's tests twice, and prints its row. worse: tests fail only with ours.
func (d dependent) try(dir, ours string) (worse bool, err error) {
	if err := d.fetch(dir); err != nil {
		return false, err
	}
	before, err := d.test(dir, "")
	if err != nil {
		return false, err
	}
	root, err := stand.Root()
	if err != nil {
		return false, err
	}
	if err := goIn(dir, "mod", "edit", "-replace="+stand.Path+"="+ours, "-replace=github.com/closeonce/websocket="+root); err != nil {
		return false, err
	}
	if err := goIn(dir, append([]string{"list", "-mod=mod", "-deps", "-test"}, d.packages...)...); err != nil { // the last that needs the proxy
		return false, err
	}
	after, err := d.test(dir, "off")
	if err != nil {
		return false, err
	}
	passed := 0
	for _, name := range slices.Sorted(maps.Keys(before)) {
		switch {
		case before[name] != "pass":
		case after[name] == "pass":
			passed++
		default:
			worse = true
			log.Printf("%s: %s: %q", d.module, name, after[name])
		}
	}
	good := 0
	for _, result := range before {
		if result == "pass" {
			good++
		}
	}
	fmt.Printf("| `%s` %s | %s | `%s` | %d | %d | %d |\n", d.module, d.version, d.what, strings.Join(d.packages, "` `"), len(before), good, passed)
	return worse, nil
}

// fetch copies the module to dir.
func (d dependent) fetch(dir string) error {
	out, err := exec.Command("go", "mod", "download", "-json", d.module+"@"+d.version).Output()
	var m struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &m); jsonErr != nil || m.Dir == "" {
		return fmt.Errorf("download: %v %s", err, m.Error)
	}
	if err := stand.CopyTree(m.Dir, dir); err != nil {
		return err
	}
	os.RemoveAll(filepath.Join(dir, "vendor"))
	return atLeast(dir, "1.25.0")
}

// atLeast raises the version of Go in go.mod to that of our module, for both runs.
func atLeast(dir, version string) error {
	out, err := exec.Command("go", "mod", "edit", "-json", filepath.Join(dir, "go.mod")).Output()
	if err != nil {
		return err
	}
	var mod struct{ Go string }
	if err := json.Unmarshal(out, &mod); err != nil {
		return err
	}
	var minor int
	if fmt.Sscanf(mod.Go, "1.%d", &minor); minor >= 25 {
		return nil
	}
	return goIn(dir, "mod", "edit", "-go="+version)
}

func goIn(dir string, args ...string) error {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %v: %v\n%s", args, err, out)
	}
	return nil
}

// test returns the result of each test. Those that fail are tried twice more, since some fail now and then.
func (d dependent) test(dir, proxy string) (map[string]string, error) {
	results := map[string]string{}
	var pattern string
	for range 3 {
		again, err := d.testOnce(dir, proxy, pattern)
		if err != nil {
			return nil, err
		}
		maps.Copy(results, again)
		failing := map[string]bool{}
		for name, result := range results {
			if result == "fail" {
				_, test, _ := strings.Cut(name, " ")
				top, _, _ := strings.Cut(test, "/")
				failing[regexp.QuoteMeta(top)] = true
			}
		}
		if len(failing) == 0 {
			break
		}
		pattern = "^(" + strings.Join(slices.Sorted(maps.Keys(failing)), "|") + ")$"
	}
	return results, nil
}

func (d dependent) testOnce(dir, proxy, pattern string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	args := []string{"test", "-json", "-count=1", "-vet=off", "-timeout=3m"}
	if d.skip != "" {
		args = append(args, "-skip="+d.skip)
	}
	if pattern != "" {
		args = append(args, "-run="+pattern)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, d.packages...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	if proxy != "" {
		cmd.Env = append(cmd.Env, "GOPROXY="+proxy)
	}
	out, err := cmd.CombinedOutput()
	results, outputs := map[string]string{}, map[string]string{}
	var rest strings.Builder
	for line := range bytes.Lines(out) {
		var e struct{ Action, Package, Test, Output string }
		if json.Unmarshal(line, &e) != nil || e.Test == "" {
			rest.Write(line)
			continue
		}
		name := e.Package + " " + e.Test
		outputs[name] += e.Output
		switch e.Action {
		case "pass", "fail":
			results[name] = e.Action
		case "run":
			results[name] = "fail" // until it passes
		case "skip":
			delete(results, name)
		}
	}
	if len(results) == 0 && pattern == "" {
		return nil, fmt.Errorf("no test ran: %v\n%s", err, rest.String())
	}
	if *verbose {
		for name, result := range results {
			if result == "fail" {
				log.Printf("%s\n%s", name, outputs[name])
			}
		}
	}
	return results, nil
}
