package deflate

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os/exec"
	"slices"
	"testing"
)

// Programs that decode messages with zlib, whose window is exactly the one
// negotiated. Each reads window bits (one byte), then messages as length (four
// bytes, big endian) and payload with its tail, and writes what they inflate to,
// in small steps, so that zlib must resort to its window.
const zlibPython = `
import sys, struct, zlib
i = sys.stdin.buffer
d = zlib.decompressobj(-i.read(1)[0])
while True:
    n = i.read(4)
    if not n: break
    p = i.read(struct.unpack('>I', n)[0])
    while True:
        sys.stdout.buffer.write(d.decompress(p, 37))
        p = d.unconsumed_tail
        if not p: break
    while True:
        b = d.decompress(b'', 37)
        if not b: break
        sys.stdout.buffer.write(b)
`

const zlibNode = `
const zlib = require('zlib'), b = require('fs').readFileSync(0)
const d = zlib.createInflateRaw({ windowBits: b[0], chunkSize: 64 })
d.on('data', p => process.stdout.write(p))
d.on('error', e => { console.error(e); process.exit(1) })
for (let at = 1; at < b.length;) {
  const n = b.readUInt32BE(at)
  d.write(b.subarray(at + 4, at + 4 + n))
  at += 4 + n
}
`

// zlib, with a window of exactly the size negotiated, decodes what we make. They have the same zlib, so without -every few windows are tried.
func TestZlibDecodes(t *testing.T) {
	for _, peer := range []struct {
		name string
		args []string
		few  []int // windows
	}{
		{"python3", []string{"-c", zlibPython}, []int{8, 11, 14}},
		{"node", []string{"-e", zlibNode}, []int{15}}, // it takes a second to start
	} {
		path, err := exec.LookPath(peer.name)
		if err != nil {
			t.Run(peer.name, func(t *testing.T) { t.Skipf("its zlib cannot be asked: %v", err) })
			continue
		}
		for bits := minWindowBits; bits <= maxWindowBits; bits++ {
			if !*every && !slices.Contains(peer.few, bits) {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", peer.name, bits), func(t *testing.T) {
				t.Parallel()
				var in, want bytes.Buffer
				in.WriteByte(byte(bits))
				c := NewCompressor(bits, true, LeastEffort+Effort(bits%5))
				send := func(wire, msg []byte) {
					in.Write(binary.BigEndian.AppendUint32(nil, uint32(len(wire)+len(tail))))
					in.Write(wire)
					in.Write(tail[:])
					want.Write(msg)
				}
				text := sampleMessages()["mixed"]
				for i := 0; i+5000 < len(text); i += 1237 {
					msg := text[i : i+200+i%3000]
					if i%5 == 0 {
						send(c.AppendFinish(c.AppendChunk(nil, msg)), msg)
					} else if wire, ok := c.AppendMessage(nil, msg); ok {
						send(wire, msg)
					}
				}
				if wire, ok := c.AppendMessage(nil, text); ok {
					send(wire, text)
				}
				cmd := exec.Command(path, peer.args...)
				cmd.Stdin = &in
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				got, err := cmd.Output()
				if err != nil {
					t.Fatalf("%v: %s", err, stderr.Bytes())
				}
				if !bytes.Equal(got, want.Bytes()) {
					t.Fatalf("%d bytes, want %d, or they differ", len(got), want.Len())
				}
			})
		}
	}
}
