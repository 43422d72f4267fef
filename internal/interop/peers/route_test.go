package peers

import "testing"

// A route leads to target, the address of a server, and returns the address to
// dial instead.
type route func(t *testing.T, target string) (addr string)

func direct(t *testing.T, target string) string { return target }

var allRoutes = map[string]route{
	"direct":  direct,
	"nginx":   nginxKind.route(proxySettings{}),
	"haproxy": haproxyKind.route(proxySettings{}),
}

// route is the route through a proxy of this kind.
func (kind proxyKind) route(s proxySettings) route {
	return func(t *testing.T, target string) string {
		t.Helper()
		return startProxy(t, kind, target, s).addr
	}
}

// keptRoute is the same, and leaves the proxy in p.
func (kind proxyKind) keptRoute(s proxySettings, p **proxy) route {
	return func(t *testing.T, target string) string {
		t.Helper()
		*p = startProxy(t, kind, target, s)
		return (*p).addr
	}
}
