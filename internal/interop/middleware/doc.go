// Package middleware accepts WebSockets behind the frameworks and middleware that
// programs use: whatever they do to the ResponseWriter, there is one answer, it has what
// they add, and their logs say 101. The package has only tests. It is a module of its own,
// since the library has no dependencies.
package middleware
