package codec

import (
	"math"
	"math/bits"
)

// histogram counts the units of a run of elements by magnitude and sign, over
// the range of magnitudes that occur; zero is apart, as it is far from the
// others.
type histogram struct {
	n      int
	zero   [2]uint32 // +0 and -0
	lo, hi int       // magnitudes above zero that occur: lo <= m < hi
	counts []uint32  // [2*(m-lo)+sign]
}

// join gives the histogram of two runs together.
func (h *histogram) join(o *histogram) *histogram {
	j := &histogram{n: h.n + o.n, lo: min(h.lo, o.lo), hi: max(h.hi, o.hi)}
	if len(h.counts) == 0 {
		j.lo, j.hi = o.lo, o.hi
	} else if len(o.counts) == 0 {
		j.lo, j.hi = h.lo, h.hi
	}
	j.counts = make([]uint32, 2*(j.hi-j.lo))
	for _, p := range []*histogram{h, o} {
		for s, c := range p.zero {
			j.zero[s] += c
		}
		for i, c := range p.counts {
			j.counts[i+2*(p.lo-j.lo)] += c
		}
	}
	return j
}

// values are counts by value, sorted, as an alphabet needs them: a run of
// values from base on, and value 0 (and 1, if the sign is within) apart.
type values struct {
	low    []uint32 // counts of values 0 and, with the sign in the symbol, 1
	base   int
	counts []uint32
}

// fold counts by the values that a split with that sign and raw bits makes.
func (h *histogram) fold(sign signPlace, raw int) values {
	if sign == signRaw {
		shift := raw - 1
		v := values{low: []uint32{h.zero[0] + h.zero[1]}, base: h.lo >> shift}
		if len(h.counts) > 0 {
			v.counts = make([]uint32, (h.hi-1)>>shift-v.base+1)
		}
		for i, c := range h.counts {
			v.counts[(h.lo+i>>1)>>shift-v.base] += c
		}
		return v.absorbLow()
	}
	v := values{low: h.zero[:], base: h.lo >> raw << 1}
	if len(h.counts) > 0 {
		v.counts = make([]uint32, (h.hi-1)>>raw<<1-v.base+2)
	}
	for i, c := range h.counts {
		v.counts[(h.lo+i>>1)>>raw<<1+i&1-v.base] += c
	}
	return v.absorbLow()
}

// mantissas counts the lowest bits of the units.
func (h *histogram) mantissas(bits int) []uint32 {
	counts := make([]uint32, 1<<bits)
	counts[0] = h.zero[0] + h.zero[1]
	for i, c := range h.counts {
		counts[(h.lo+i>>1)&(1<<bits-1)] += c
	}
	return counts
}

// coarser counts by the values of a split with one raw bit more than that of
// v: what fold gives for it, from fewer counts.
func (v values) coarser(sign signPlace) values {
	if len(v.counts) == 0 {
		return v
	}
	c := values{low: v.low, base: v.base >> 1}
	if sign == signRaw {
		c.counts = make([]uint32, (v.base+len(v.counts)-1)>>1-c.base+1)
		for i, n := range v.counts {
			c.counts[(v.base+i)>>1-c.base] += n
		}
		return c.absorbLow()
	}
	c.base = v.base >> 2 << 1
	c.counts = make([]uint32, (v.base+len(v.counts)-1)>>2<<1-c.base+2)
	for i, n := range v.counts {
		c.counts[(v.base+i)>>2<<1+i&1-c.base] += n
	}
	return c.absorbLow()
}

// absorbLow adds the counts of low into counts where the ranges meet.
func (v values) absorbLow() values {
	if len(v.counts) > 0 && v.base >= len(v.low) {
		return v
	}
	all := make([]uint32, max(v.base+len(v.counts), len(v.low)))
	copy(all, v.low)
	for i, c := range v.counts {
		all[v.base+i] += c
	}
	return values{counts: all}
}

// each calls f for every value that occurs, in order.
func (v values) each(f func(value int, count uint32)) {
	for i, c := range v.low {
		if c > 0 {
			f(i, c)
		}
	}
	for i, c := range v.counts {
		if c > 0 {
			f(v.base+i, c)
		}
	}
}

// entropy gives the bits that n values take by their entropy, and how many
// different ones there are.
func (v values) entropy(n int) (total float64, used int) {
	for _, counts := range [...][]uint32{v.low, v.counts} {
		for _, c := range counts {
			if c > 0 {
				total -= float64(c) * fastLog2(c)
				used++
			}
		}
	}
	return total + float64(n)*math.Log2(float64(n)), used
}

// present lists the values that occur.
func (v values) present() (list []uint16) {
	v.each(func(value int, _ uint32) { list = append(list, uint16(value)) })
	return list
}

// bySymbol counts by the symbols of an alphabet that holds all values.
func (v values) bySymbol(a *alphabet) []uint32 {
	var counts [256]uint32
	size, next := 0, 0
	v.each(func(value int, c uint32) {
		symbol := next
		switch {
		case a.kind == alphabetContiguous:
			symbol = value - int(a.base)
		case a.kind == alphabetZero && value > 0:
			symbol = value - int(a.base)
		}
		next++
		counts[symbol] = c
		size = symbol + 1
	})
	return append([]uint32(nil), counts[:size]...)
}

const logTableBits = 11

var logTable = func() (t [1 << logTableBits]float64) {
	for i := range t {
		t[i] = math.Log2(1 + (float64(i)+0.5)/float64(len(t)))
	}
	return
}()

// fastLog2 is log2(c) to about four digits; exact enough to choose by.
func fastLog2(c uint32) float64 {
	shift := bits.LeadingZeros32(c) + 1
	return float64(32-shift) + logTable[uint64(c)<<shift&(1<<32-1)>>(32-logTableBits)]
}
