package fasthttpws

import (
	"bytes"
	"context"
	"strings"

	"github.com/closeonce/websocket/adapters/internal/parent"
	"github.com/valyala/fasthttp"
)

// values is a context with a copy of a request's user values.
type values struct {
	context.Context
	pairs []pair
}

type pair struct{ key, value any }

// Value looks a key up as fasthttp does, which stores a key of bytes as a string.
func (v *values) Value(key any) any {
	if b, ok := key.([]byte); ok {
		key = string(b)
	}
	for _, p := range v.pairs {
		if p.key == key {
			return p.value
		}
	}
	return v.Context.Value(key)
}

// contextsOf returns the context of the request, which is valid as long as ctx is, and one for the connection, which lives longer.
func contextsOf(ctx *fasthttp.RequestCtx) (request, conn context.Context) {
	var pairs []pair
	ctx.VisitUserValuesAll(func(key, value any) {
		if key != (parent.Key{}) && value != nil {
			pairs = append(pairs, pair{copied(key), copied(value)})
		}
	})
	outer, ok := ctx.UserValue(parent.Key{}).(context.Context)
	if !ok {
		outer = context.Background()
	}
	request = &values{outer, pairs}
	if outer.Value(parent.Key{}) != nil {
		// It is derived from ctx, and would later look values up in what is another request's then.
		return request, &values{context.Background(), pairs}
	}
	return request, request
}

// copied copies text, which may be in a buffer of the request's.
func copied(v any) any {
	switch v := v.(type) {
	case string:
		return strings.Clone(v)
	case []byte:
		return bytes.Clone(v)
	}
	return v
}
