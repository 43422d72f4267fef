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

var chainses = sync.Pool{New: func() any { return new(chains) }}

// getEncoder returns an encoder, and with positive effort chains with it.
func getEncoder(effort Effort) *encoder {
	e := encoders.Get().(*encoder)
	e.effort = effort
	if effort > 0 {
		e.chains = chainses.Get().(*chains)
	}
	return e
}

func putEncoder(e *encoder) {
	if e.chains != nil {
		chainses.Put(e.chains)
		e.chains = nil
	}
	encoders.Put(e)
}
