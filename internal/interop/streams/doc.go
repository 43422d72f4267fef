// Package streams plays the library over net.Conns that are not sockets: streams of multiplexers, channels of SSH,
// connections of a network stack in user space, and what looks like the named pipes of Windows. Each of them has
// errors, deadlines and an end of its own kind. The package has only tests. It is a module of its own, since the
// library has no dependencies.
package streams
