// Package gate sets the environment variable that net/http's HTTP/2 server looks at when the program starts. It imports
// nothing but os, so that it is initialised before net/http: Go initialises packages in the order of their import paths, as
// far as their own imports allow.
package gate

import "os"

// Before is what GODEBUG was, and Was whether it was set. Opened reports whether it was changed.
var (
	Before      string
	Was, Opened bool
)

func init() {
	const name = "http2xconnect="
	Before, Was = os.LookupEnv("GODEBUG")
	for i := range len(Before) - len(name) + 1 {
		if Before[i:i+len(name)] == name {
			return // it was decided from outside
		}
	}
	value := name + "1"
	if Before != "" {
		value = Before + "," + value
	}
	Opened = os.Setenv("GODEBUG", value) == nil
}
