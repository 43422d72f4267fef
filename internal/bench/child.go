package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
)

// child is the process under test. It says one line when it is ready, and then answers each line on its
// standard input with one line: "ok", or what went wrong.
func child(arg string) error {
	var o order
	if err := json.Unmarshal([]byte(arg), &o); err != nil {
		return err
	}
	if err := pin(o.CPUs); err != nil {
		return err
	}
	if _, err := raiseFileLimit(); err != nil {
		return err
	}
	runtime.GOMAXPROCS(o.Procs)
	lib, err := findLibrary(o.Library)
	if err != nil {
		return err
	}
	if o.Stops {
		if err := startStops(lib, o); err != nil {
			return err
		}
		fmt.Println("ready")
		return obey(nil, o)
	}
	if o.Port != 0 {
		startClients(lib, o)
		fmt.Println("ready")
		return obey(nil, o)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := ln.Addr().(*net.TCPAddr).Port
	if o.TLS {
		if ln, err = secure(ln); err != nil {
			return err
		}
	}
	service := lib.server(o)
	go func() { fatal(service.serve(ln)) }()
	fmt.Println("ready", port)
	return obey(service, o)
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "process under test:", err)
	os.Exit(1)
}

func startClients(lib *library, o order) {
	message := payload(o.Size)
	url := fmt.Sprintf("ws://127.0.0.1:%d/echo", o.Port)
	for range o.Conns {
		go func() { _ = lib.client(o)(url, message) }() // ends with the load generator
	}
}

// obey carries out the commands of the load generator until its standard input ends.
func obey(s service, o order) error {
	message := payload(broadcastSize)
	if o.Deflate {
		message = jsonPayload(broadcastSize, 1)
	}
	var running profile
	// The goroutine that waits for a command must not hold the only processor in a system call, while what the last command
	// has begun waits for the scheduler to notice.
	if err := syscall.SetNonblock(0, true); err != nil {
		return err
	}
	commands := bufio.NewScanner(os.NewFile(0, "commands"))
	for commands.Scan() {
		verb, argument, _ := strings.Cut(commands.Text(), " ")
		var err error
		answer := "ok"
		switch verb {
		case "broadcast":
			burst, _ := strconv.Atoi(argument) // none: one message
			for range max(burst, 1) {
				if err = s.broadcast(message); err != nil {
					break
				}
			}
		case "collect":
			collectGarbage()
		case "mallocs":
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			answer = fmt.Sprint("ok ", stats.Mallocs, " ", stats.TotalAlloc)
		case "stops":
			var found string
			found, err = measureStops(argument)
			answer = "ok " + found
		case "profile":
			err = running.start(argument)
		case "endprofile":
			err = running.stop(argument)
		default:
			err = fmt.Errorf("no command %q", verb)
		}
		if err != nil {
			answer = err.Error()
		}
		fmt.Println(answer)
	}
	return commands.Err()
}

// collectGarbage collects several times: a collection halves a stack that is mostly unused, so a stack
// that grew to 16 KiB needs three to be back at 2 KiB, and what a sync.Pool holds survives the first.
func collectGarbage() {
	for range 6 {
		runtime.GC()
	}
	debug.FreeOSMemory()
}
