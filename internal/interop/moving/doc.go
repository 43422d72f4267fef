// Package moving plays small programs twice, with github.com/coder/websocket and with this library, and compares what a
// program or its peer can see. Every difference has a row in MIGRATING.md, and every row stands for a difference: the
// tests read the table. The package has only tests. It is a module of its own, since the library has no dependencies.
//
// A behaviour is such a program. What it saw with either library stands in testdata/seen.txt, so that a difference that
// changes is noticed as well; go test -update writes the file.
package moving
