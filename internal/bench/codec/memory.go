package main

import (
	"fmt"
	"os"
	"runtime"
	"text/tabwriter"

	"github.com/closeonce/websocket/internal/deflate"
)

// memoryTable prints what the codec of an idle connection holds, after its
// connection sent and received a little or a lot.
func memoryTable() {
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\nidle connection, bytes\tboth windows + 2 KiB\tafter 300 B\tafter 100 KB\t")
	for _, bits := range []int{8, 10, 12, 13, 14, 15} {
		fmt.Fprintf(t, "takeover, %d bits\t%d\t%d\t%d\t\n", bits, 2<<bits+2<<10, idleMemory(bits, true, 300), idleMemory(bits, true, 100000))
	}
	fmt.Fprintf(t, "no takeover\t0\t%d\t%d\t\n", idleMemory(15, false, 300), idleMemory(15, false, 100000))
	t.Flush()
}

// idleMemory is the heap that one connection's codec takes.
func idleMemory(bits int, takeover bool, traffic int) int {
	const n = 500
	g := newGenerator(1)
	type connection struct {
		c deflate.Compressor
		d deflate.Decompressor
	}
	// The message itself and the pools are there before.
	var msgs, wires [][]byte
	var c deflate.Compressor
	c.Init(bits, takeover, 0)
	for sent := 0; sent < traffic; {
		m := g.json(200)
		sent += len(m)
		w, ok := c.AppendMessage(nil, m)
		if !ok {
			continue
		}
		msgs, wires = append(msgs, m), append(wires, w)
	}
	dst := make([]byte, 0, 4096)
	use := func(v *connection) {
		v.c.Init(bits, takeover, 0)
		v.d.Init(bits, takeover)
		for i, m := range msgs {
			v.c.AppendMessage(dst, m)
			if _, err := v.d.AppendMessage(dst, wires[i], -1); err != nil {
				panic(err)
			}
		}
	}
	use(new(connection))
	kept := make([]*connection, n)
	before := heap()
	for i := range kept {
		kept[i] = new(connection)
		use(kept[i])
	}
	after := heap()
	runtime.KeepAlive(kept)
	return (after - before) / n
}

func heap() int {
	runtime.GC()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
