// Package nettest holds NetConn against what package golang.org/x/net/nettest demands of every net.Conn. It is
// a module of its own so that the library has no dependency.
package nettest
