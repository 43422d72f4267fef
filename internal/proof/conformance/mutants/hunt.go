package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/proof/conformance/ours"
	"github.com/closeonce/websocket/internal/proof/conformance/suite"
)

// endpoint is the package that is built with each mutant.
const endpoint = "./internal/proof/conformance/ours/endpoint"

// hurried is enough where nothing hangs; what it finds must be found with
// patience as well.
var (
	hurried = suite.Options{Timeout: time.Second, FailFast: 400 * time.Millisecond, Parallel: 64}
	patient = suite.Options{Timeout: 4 * time.Second, FailFast: 1500 * time.Millisecond}
)

// hunt plays the endpoint until something is caught; nil: nothing is. The cases
// of megabytes come last, and not with compression, which they do not need.
func hunt(program string) (*catch, error) {
	for _, heavy := range []bool{false, true} {
		for _, mode := range ours.Modes {
			if heavy && mode.Compression != websocket.CompressionDisabled {
				continue
			}
			for _, role := range []suite.Role{suite.Server, suite.Client} {
				for _, numbers := range batches(role, heavy) {
					if c, err := find(program, role, mode.Name, numbers); c != nil || err != nil {
						return c, err
					}
				}
			}
		}
	}
	return nil, nil
}

// find plays cases, and those that catch something again: the first that catches
// it again is the one.
func find(program string, role suite.Role, mode string, numbers []string) (*catch, error) {
	results, err := play(program, role, mode, numbers, hurried)
	if err != nil {
		return nil, err
	}
	for _, r := range caught(results) {
		again, err := play(program, role, mode, []string{r.Number}, patient)
		if err != nil {
			return nil, err
		}
		for _, r := range caught(again) {
			return &catch{role, mode, r.Number, r.Verdict}, nil
		}
	}
	return nil, nil
}

// batches are the numbers of the cases for a role, some at a time: so many that
// an endpoint that hangs costs one time-out for all of them. Cases of megabytes
// are heavy: few of them run at once.
func batches(role suite.Role, heavy bool) [][]string {
	light := map[string]bool{}
	for _, c := range (suite.Options{Light: true}).Select(role, false) {
		light[c.Number] = true
	}
	most := 64
	if heavy {
		most = 8
	}
	var all [][]string
	var batch []string
	var chosen suite.Options
	if *cases != "" {
		chosen.Run = strings.Split(*cases, ",")
	}
	for _, c := range chosen.Select(role, false) {
		if light[c.Number] == heavy {
			continue
		}
		if batch = append(batch, c.Number); len(batch) == most {
			all, batch = append(all, batch), nil
		}
	}
	if len(batch) > 0 {
		all = append(all, batch)
	}
	return all
}

// caught are the results that a sound endpoint would not have.
func caught(results []suite.Result) []suite.Result {
	var some []suite.Result
	for _, r := range results {
		if r.Verdict == suite.Failed || r.Verdict == suite.NonStrict {
			some = append(some, r)
		}
	}
	return some
}

// play runs cases against the program, which is in a role and a mode.
func play(program string, role suite.Role, mode string, numbers []string, opts suite.Options) ([]suite.Result, error) {
	opts.Run = numbers
	if role == suite.Server {
		return playServer(program, mode, opts)
	}
	return playClient(program, mode, opts)
}

func playServer(program, mode string, opts suite.Options) ([]suite.Result, error) {
	server := exec.Command(program, mode)
	life, err := server.StdinPipe() // the program ends with it
	if err != nil {
		return nil, err
	}
	out, err := server.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, err
	}
	defer server.Wait()
	defer server.Process.Kill()
	defer life.Close()
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the endpoint's URL: %w", err)
	}
	r, err := suite.RunServer(context.Background(), strings.TrimSpace(url), opts)
	return r.Results, err
}

func playClient(program, mode string, opts suite.Options) ([]suite.Result, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := suite.NewDriver(opts, false)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- d.Serve(ctx, ln) }()
	client := exec.Command(program, mode, "ws://"+ln.Addr().String())
	// A client that hangs or crashes is judged by the cases that it played, or did
	// not come for. The driver bounds each of them.
	err = client.Start()
	if err == nil {
		ended := make(chan struct{})
		go func() {
			client.Wait()
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(20*opts.Timeout + time.Minute):
		}
		client.Process.Kill()
		<-ended
	}
	cancel()
	if serving := <-served; err == nil {
		err = serving
	}
	return d.Report("ours").Results, err
}
