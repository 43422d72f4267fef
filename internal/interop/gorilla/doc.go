// Package gorilla compares the package github.com/closeonce/websocket/gorilla with the one whose API it has. It has only
// tests, and is a module of its own, since the library has no dependencies.
//
//   - TestAPI: every exported identifier of github.com/gorilla/websocket v1.5.3, with its signature and value.
//   - TestSuite: the test suite of that module, over this library. It runs in a copy that is made for it.
//   - TestExamples: its examples build unchanged, and its chat works.
//   - go run ./dependents: the tests of programs that depend on it, with either library (MIGRATING.md has the table).
package gorilla
