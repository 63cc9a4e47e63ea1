package codec

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// Every backend must find the range that looking at one unit after another does,
// and read nothing behind them.
func TestRangeOf(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for n := 1; n < 400; n += 1 + n/9 {
			for _, mask := range []uint16{0, 1, 0x8001, 0x80ff, 0x7fff, 0xffff} {
				data := make([]byte, 2*n)
				lo, hi, zero := 1<<15, 1, false
				for i := range n {
					u := uint16(r.Uint32())&mask | uint16(i%2)*mask&0x0100
					binary.LittleEndian.PutUint16(data[2*i:], u)
					m := int(u & 0x7fff)
					if m == 0 {
						zero = true
						continue
					}
					lo, hi = min(lo, m), max(hi, m+1)
				}
				gotLo, gotHi, gotZero := rangeOf(guarded(t, data))
				if gotLo != lo || gotHi != hi || gotZero != zero {
					t.Fatalf("%d units of bits %#x: %d to %d, %t; want %d to %d, %t", n, mask, gotLo, gotHi, gotZero, lo, hi, zero)
				}
			}
		}
	})
}
