package codec

import "math/bits"

// ransVectorTable is the table of the kernels that encode rANS, which divide
// by multiplications of 32 bits: ⌊x/f⌋ = x·reciprocal >> (32 + shift).
type ransVectorTable struct {
	// The reciprocal in the low half; in the high half shift (4 bits), bias
	// (13 bits) and, from bit 20 on, ransTotal less the frequency.
	entries [256]uint64
	// Byte k of the entry of symbol s, for kernels that look up bytes.
	bytes [8][256]byte

	symbols int  // how many there are
	exact   bool // the division is, for every state and frequency
}

func (t *ransVectorTable) init(f frequencies) {
	t.symbols, t.exact = len(f), true
	start := uint64(0)
	for s, v := range f {
		reciprocal, shift, ok := ransReciprocal(uint64(v))
		t.exact = t.exact && ok
		bias := start
		if v == 1 {
			// The quotient is then one too small, which bias makes up for.
			bias += ransTotal - 1
		}
		e := reciprocal | shift<<32 | bias<<36 | (ransTotal-uint64(v))<<52
		if v == 0 {
			e = 0
		}
		t.entries[s] = e
		for k := range t.bytes {
			t.bytes[k][s] = byte(e >> (8 * k))
		}
		start += uint64(v)
	}
}

// ransReciprocal finds the division by f, and whether it is exact for all
// states below f << 20 (T. Granlund and P. Montgomery, "Division by Invariant
// Integers using Multiplication", PLDI 1994): the reciprocal is rounded up by
// less than 1/f, and x times what that is too large must not reach 1/f.
func ransReciprocal(f uint64) (reciprocal, shift uint64, exact bool) {
	if f < 2 {
		return 1<<32 - 1, 0, true // the quotient of 1 is x-1
	}
	shift = uint64(bits.Len64(f-1)) - 1
	power := uint64(1) << (32 + shift)
	reciprocal = (power + f - 1) / f
	excess := reciprocal*f - power
	return reciprocal, shift, excess*(f<<(32-ransBits)) <= power
}
