package codec

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// huffmanGoLanes is how many lanes' windows and offsets are worth keeping in
// local variables.
const huffmanGoLanes = 4

// huffmanDecodeGo takes the lanes from first on a number of steps on, which
// huffmanLanes.steps allows for each of them: thus it does not check bounds
// again.
func huffmanDecodeGo(t *huffmanTable, l *huffmanLanes, dst, src []byte, steps, first int) {
	table, mask, lookups := unsafe.Pointer(unsafe.SliceData(t.entries)), uint64(1)<<t.bits-1, t.lookups()
	to, from := unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Pointer(unsafe.SliceData(src))
	w, in, out := (*[4]uint64)(l.window[first:]), (*[4]int)(l.in[first:]), (*[4]int)(l.out[first:])
	w0, w1, w2, w3 := w[0], w[1], w[2], w[3]
	o0, o1, o2, o3 := out[0], out[1], out[2], out[3]
	for ; steps > 0; steps-- {
		for range lookups {
			e := huffmanEntry(table, w0&mask)
			w0 >>= e & 63
			store64(unsafe.Add(to, o0-8), e)
			o0 -= int(uint8(e >> 8))
			e = huffmanEntry(table, w1&mask)
			w1 >>= e & 63
			store64(unsafe.Add(to, o1-8), e)
			o1 -= int(uint8(e >> 8))
			e = huffmanEntry(table, w2&mask)
			w2 >>= e & 63
			store64(unsafe.Add(to, o2-8), e)
			o2 -= int(uint8(e >> 8))
			e = huffmanEntry(table, w3&mask)
			w3 >>= e & 63
			store64(unsafe.Add(to, o3-8), e)
			o3 -= int(uint8(e >> 8))
		}
		in[0], w0 = huffmanRefill(from, in[0], w0)
		in[1], w1 = huffmanRefill(from, in[1], w1)
		in[2], w2 = huffmanRefill(from, in[2], w2)
		in[3], w3 = huffmanRefill(from, in[3], w3)
	}
	w[0], w[1], w[2], w[3] = w0, w1, w2, w3
	out[0], out[1], out[2], out[3] = o0, o1, o2, o3
}

func huffmanEntry(table unsafe.Pointer, i uint64) uint64 {
	return *(*uint64)(unsafe.Add(table, i<<3))
}

func huffmanRefill(src unsafe.Pointer, in int, w uint64) (int, uint64) {
	n := bits.LeadingZeros64(w)
	in += n >> 3
	return in, (binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(src, in))[:]) | windowEnd) >> (n & 7)
}

func store64(p unsafe.Pointer, v uint64) {
	binary.LittleEndian.PutUint64((*[8]byte)(p)[:], v)
}
