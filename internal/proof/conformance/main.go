// Command conformance tests WebSocket endpoints against RFC 6455 and RFC 7692.
//
// Usage:
//
//	conformance [flags] server ws://host/path   test a server that echoes
//	conformance [flags] client                  test clients that come to -addr and echo
//	conformance [flags] list                    print every case, its number first
//
// A server under test must echo each message, text and binary, and read
// messages of at least 16 MiB; a limit below 64 MiB is expected of it. How a
// client under test drives the suite is told by "conformance client" itself and
// by the documentation of suite.Driver.
//
// Flags may also follow the command. The exit status is 1 when a case failed,
// 2 when the run did not come about.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/closeonce/websocket/internal/proof/conformance/suite"
	"github.com/closeonce/websocket/internal/testkit/selfsigned"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	status, err := run(ctx, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
	}
	os.Exit(status)
}

type settings struct {
	opts           suite.Options
	only           string
	jsonTo, htmlTo string
	insecure       bool
	addr           string
	tls            bool
	verbose        bool
	stay           bool
}

func (s *settings) flags() *flag.FlagSet {
	f := flag.NewFlagSet("conformance", flag.ContinueOnError)
	f.StringVar(&s.only, "run", "", "only cases with these `numbers`: 5 is a group, 5.2 a section; commas between")
	f.BoolVar(&s.opts.Light, "light", false, "leave out the cases of megabytes")
	f.IntVar(&s.opts.Parallel, "parallel", 16, "cases under way at once against a server")
	f.DurationVar(&s.opts.Timeout, "timeout", 5*time.Second, "for each thing an endpoint owes")
	f.DurationVar(&s.opts.FailFast, "failfast", time.Second, "within which an endpoint must fail early")
	f.StringVar(&s.jsonTo, "json", "", "write the report as JSON to this `file` (- is standard output)")
	f.StringVar(&s.htmlTo, "html", "", "write the report as one HTML page to this `file`")
	f.BoolVar(&s.insecure, "insecure", false, "wss: accept any certificate")
	f.StringVar(&s.addr, "addr", ":9001", "client: the `address` to listen on")
	f.BoolVar(&s.tls, "tls", false, "client: listen with TLS, under a certificate made for the run")
	f.BoolVar(&s.stay, "stay", false, "client: go on after the first report")
	f.BoolVar(&s.verbose, "v", false, "list: with the rule, the bytes sent and what is accepted")
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "usage: conformance [flags] server URL | client | list")
		f.PrintDefaults()
	}
	return f
}

// parse takes flags before, between and after the other arguments.
func parse(f *flag.FlagSet, args []string) ([]string, error) {
	var rest []string
	for {
		if err := f.Parse(args); err != nil {
			return nil, err
		}
		if f.NArg() == 0 {
			return rest, nil
		}
		rest, args = append(rest, f.Arg(0)), f.Args()[1:]
	}
}

func run(ctx context.Context, args []string) (int, error) {
	var s settings
	f := s.flags()
	args, err := parse(f, args)
	if errors.Is(err, flag.ErrHelp) {
		return 0, nil
	}
	if err != nil {
		return 2, nil // said by the flag package
	}
	if s.only != "" {
		s.opts.Run = strings.Split(s.only, ",")
	}
	switch {
	case len(args) == 2 && args[0] == "server":
		return s.server(ctx, args[1])
	case len(args) == 1 && args[0] == "client":
		return s.client(ctx)
	case len(args) == 1 && args[0] == "list":
		s.list()
		return 0, nil
	}
	f.Usage()
	return 2, nil
}

func (s *settings) server(ctx context.Context, url string) (int, error) {
	if s.insecure {
		s.opts.TLS = &tls.Config{InsecureSkipVerify: true}
	}
	r, err := suite.RunServer(ctx, url, s.opts)
	if err != nil {
		return 2, err
	}
	return s.publish(&r)
}

func (s *settings) client(ctx context.Context) (int, error) {
	ln, err := net.Listen("tcp", s.addr)
	if err != nil {
		return 2, err
	}
	scheme := "ws"
	if s.tls {
		config, _ := selfsigned.Pair("localhost", "127.0.0.1", "::1")
		config.NextProtos = []string{"http/1.1"}
		ln, scheme = tls.NewListener(ln, config), "wss"
	}
	d := suite.NewDriver(s.opts, s.tls)
	fmt.Fprintf(os.Stderr, "%s://%s serves %v\n", scheme, ln.Addr(), d)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- d.Serve(ctx, ln) }()
	status := 0
	for {
		select {
		case agent := <-d.Done():
			r := d.Report(agent)
			if status, err = s.publish(&r); err != nil || !s.stay {
				cancel()
				<-ended
				return status, err
			}
		case err := <-ended:
			return status, err
		}
	}
}

// publish writes the report where it was asked for.
func (s *settings) publish(r *suite.Report) (int, error) {
	status := 0
	if r.Failed() {
		status = 1
	}
	if s.jsonTo != "-" {
		fmt.Print(r.Summary())
	}
	if s.jsonTo != "" {
		out := os.Stdout
		if s.jsonTo != "-" {
			var err error
			if out, err = os.Create(s.jsonTo); err != nil {
				return 2, err
			}
			defer out.Close()
		}
		if err := r.WriteJSON(out); err != nil {
			return 2, err
		}
	}
	if s.htmlTo != "" {
		out, err := os.Create(s.htmlTo)
		if err != nil {
			return 2, err
		}
		defer out.Close()
		if err := suite.WriteHTML(out, r); err != nil {
			return 2, err
		}
	}
	return status, nil
}

func (s *settings) list() {
	chosen := map[string]bool{}
	for _, role := range []suite.Role{suite.Server, suite.Client} {
		for _, c := range s.opts.Select(role, true) {
			chosen[c.Number] = true
		}
	}
	for _, c := range suite.Cases() {
		if !chosen[c.Number] {
			continue
		}
		fmt.Printf("%s %s, %s, %s: %s\n", c.Number, c.Group, c.Section, c.Roles, c.Name)
		if !s.verbose {
			continue
		}
		fmt.Printf("\trule: %s\n\t%s\n", c.Rule, c.Accepts())
		for _, role := range []suite.Role{suite.Server, suite.Client} {
			if c.Roles&role != 0 {
				fmt.Printf("\tsent to a %s:\n\t\t%s\n", role, strings.ReplaceAll(strings.TrimSpace(c.Sends(role)), "\n", "\n\t\t"))
			}
		}
	}
}
