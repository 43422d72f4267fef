// Hostile shows what hostile peers cost. The endpoint under attack, a server or a
// client, runs in a process of its own, so that its memory and its goroutines are
// all that is measured; the attackers are plain sockets on loopback that share no
// code with the library. Tests of http2 and http3 carry the attacks that are made of
// frames out over HTTP/2 and HTTP/3.
//
//	go run ./internal/proof/hostile             # all attacks, a table in Markdown
//	go run ./internal/proof/hostile -json
//	go run ./internal/proof/hostile -only bomb  # those with bomb in their name
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/closeonce/websocket/internal/proof/hostile/attacks"
)

func main() {
	if attacks.Subject(nil) {
		return
	}
	asJSON := flag.Bool("json", false, "print JSON, not Markdown")
	only := flag.String("only", "", "run the attacks whose name contains this")
	flag.Parse()

	var results []attacks.Result
	failed := false
	for _, a := range attacks.All() {
		if !strings.Contains(a.Name(), *only) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%-60s", a.Name())
		start := time.Now()
		r, err := a.Measure()
		fmt.Fprintf(os.Stderr, " %5.1f s\n", time.Since(start).Seconds())
		if err != nil {
			fmt.Fprintln(os.Stderr, "   ", err)
			failed = true
		}
		results = append(results, r)
	}
	if *asJSON {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "\t")
		encoder.Encode(results)
	} else {
		fmt.Print(table(results))
	}
	if failed {
		os.Exit(1)
	}
}
