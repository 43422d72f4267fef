// Command windows measures what permessage-deflate costs a connection that
// waits: many connections to a server of our own, each after enough messages both
// ways to fill its windows. It prints the server's heap and stacks per connection,
// with each agreement.
package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/closeonce/websocket"
)

var (
	conns   = flag.Int("conns", 10000, "connections")
	traffic = flag.Int("traffic", 80<<10, "bytes of messages in each direction, per connection")
	dial    = flag.String("dial", "", "be the client of the server at this address")
	bits    = flag.Int("bits", 0, "window bits; 0: no compression; -1: no takeover")
)

func options() (websocket.CompressionMode, websocket.CompressionTuning) {
	switch *bits {
	case 0:
		return websocket.CompressionDisabled, websocket.CompressionTuning{}
	case -1:
		return websocket.CompressionNoContextTakeover, websocket.CompressionTuning{}
	}
	return websocket.CompressionContextTakeover, websocket.CompressionTuning{ServerWindowBits: *bits, ClientWindowBits: *bits}
}

func main() {
	flag.Parse()
	raiseLimit()
	if *dial != "" {
		client()
		return
	}
	plain := 0.0
	fmt.Printf("%d connections, each after %d bytes of messages in each direction\n", *conns, *traffic)
	fmt.Printf("%-20s %20s %20s\n", "", "bytes/connection", "over uncompressed")
	measure() // the pools, and what net/http keeps, are there after this
	for _, agreement := range []int{0, -1, 8, 10, 12, 15} {
		*bits = agreement
		n := measure()
		name := fmt.Sprintf("takeover, %d bits", agreement)
		switch agreement {
		case 0:
			name, plain = "uncompressed", n
		case -1:
			name = "no takeover"
		}
		fmt.Printf("%-20s %20.0f %20.0f\n", name, n, n-plain)
	}
}

func raiseLimit() {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) == nil {
		l.Cur = l.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
	}
}

// measure serves one set of connections and returns what each holds.
func measure() float64 {
	mode, tuning := options()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	var serving sync.WaitGroup
	srv := &http.Server{Handler: websocket.Handler(&websocket.AcceptOptions{CompressionMode: mode, CompressionTuning: tuning, KeepAlive: -1},
		func(ctx context.Context, c *websocket.Conn) {
			serving.Add(1)
			defer serving.Done()
			for m, err := range c.Messages(ctx) {
				if err != nil || c.Write(ctx, m.Type, m.Data) != nil {
					return
				}
			}
		})}
	go srv.Serve(ln)
	before := inUse()
	cmd := exec.Command(os.Args[0], "-dial", ln.Addr().String(), "-bits", strconv.Itoa(*bits), "-conns", strconv.Itoa(*conns), "-traffic", strconv.Itoa(*traffic))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	check(err)
	in, err := cmd.StdinPipe()
	check(err)
	check(cmd.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		check(fmt.Errorf("the client said %q, %v", line, err))
	}
	after := inUse()
	in.Close()
	check(cmd.Wait())
	serving.Wait()
	check(srv.Close())
	return float64(after-before) / float64(*conns)
}

// inUse is heap and stacks, after garbage has gone.
func inUse() int64 {
	for range 4 {
		runtime.GC()
		time.Sleep(50 * time.Millisecond)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// client opens the connections, fills their windows and keeps them until
// standard input ends.
func client() {
	ctx := context.Background()
	mode, _ := options()
	kept := make([]*websocket.Conn, *conns)
	var wg sync.WaitGroup
	turns := make(chan struct{}, 16)
	for i := range kept {
		wg.Add(1)
		turns <- struct{}{}
		go func() {
			defer func() { <-turns; wg.Done() }()
			c, _, err := websocket.Dial(ctx, "ws://"+*dial, &websocket.DialOptions{CompressionMode: mode, KeepAlive: -1})
			check(err)
			kept[i] = c
			for sent := 0; sent < *traffic; {
				p := message(sent)
				sent += len(p)
				check(c.Write(ctx, websocket.MessageText, p))
				_, q, err := c.Read(ctx)
				check(err)
				if !bytes.Equal(p, q) {
					check(fmt.Errorf("%d bytes came back, %d were sent", len(q), len(p)))
				}
			}
		}()
	}
	wg.Wait()
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
	for _, c := range kept {
		c.CloseNow()
	}
}

// message is one of some 4 KiB: lines that are alike and never the same.
func message(from int) []byte {
	var b strings.Builder
	for i := range 60 {
		fmt.Fprintf(&b, `{"id":%d,"name":"item %d","price":%d.%02d,"at":"12:%02d"},`, from+i, (from+i)*7919%997, (from+i)*31%500, i*i%100, i)
	}
	return []byte(b.String())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
