// Package peers tests the library against other people's WebSockets: Node's ws
// and Python's websockets, as servers and as clients, directly and through nginx
// and haproxy, with their time-outs and restarts, and as a client through the forward
// proxies tinyproxy and squid; and over HTTP/2 against Node's http2, directly and
// through haproxy and nghttpx, which translate to HTTP/1.1 and back. It has only tests, and is a module of its own because the
// peers are dependencies.
//
//	./setup.sh && go test -race .
//
// setup.sh installs what is missing, on Debian. The tests fail where a peer is
// missing; PEERS=skip skips them, for machines that can't have them.
//
// A peer is a process, node/peer.mjs or python/peer.py, that echoes every message.
// A test tells it what to do, and waits for what happens, in lines of JSON. A route
// is what lies between the two ends: nothing, a proxy, or a tap that counts bytes.
package peers
