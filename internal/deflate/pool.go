package deflate

import "sync"

// The pools are the only state the package shares. What lies in them belongs to
// no connection.
var inflaters = sync.Pool{New: func() any { return new(inflater) }}

func getInflater() *inflater {
	z := inflaters.Get().(*inflater)
	z.reset()
	return z
}

func putInflater(z *inflater) { inflaters.Put(z) }

var encoders = sync.Pool{New: func() any { return new(encoder) }}

func getEncoder() *encoder  { return encoders.Get().(*encoder) }
func putEncoder(e *encoder) { encoders.Put(e) }
