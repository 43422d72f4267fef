//go:build nogorilla

package main

// ourGorillaLibrary is what an earlier version of our library has that lacks the package gorilla.
func ourGorillaLibrary() *library { return &library{name: "ours-gorilla"} }
