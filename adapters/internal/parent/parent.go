// Package parent lets fiberws give fasthttpws the context of a request, which fiber keeps where fasthttp does not find it.
package parent

// Key is the key of the user value that has the context while Upgrade runs. A context in which it is found is derived from the
// RequestCtx itself.
type Key struct{}
