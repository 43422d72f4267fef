// Hostile shows what hostile peers cost. The endpoint under attack, a server or a
// client, runs in a process of its own, so that its memory and its goroutines are
// all that is measured; the attackers are plain sockets on loopback that share no
// code with the library.
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
)

func main() {
	if os.Getenv(subjectEnv) != "" {
		beSubject()
		return
	}
	asJSON := flag.Bool("json", false, "print JSON, not Markdown")
	only := flag.String("only", "", "run the attacks whose name contains this")
	flag.Parse()

	var results []result
	failed := false
	for _, a := range attacks() {
		if !strings.Contains(a.name, *only) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%-60s", a.name)
		start := time.Now()
		r, err := a.measure(scale{unit: time.Second, conns: a.conns})
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
