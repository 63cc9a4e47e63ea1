package codec

import (
	"math"
	"math/bits"
	"slices"
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

// values are counts by value: the values that occur, rising.
type values struct {
	value  []uint16
	counts []uint32
}

// fold counts by the values that a split with that sign and raw bits makes.
func (h *histogram) fold(sign signPlace, raw int) values {
	most := min(h.n, len(h.counts)+2)
	f := folder{sign: sign, values: values{value: make([]uint16, 0, most), counts: make([]uint32, 0, most)}}
	shift := raw
	if sign == signRaw {
		shift--
	}
	f.add(0, 0, h.zero[0])
	f.add(0, 1, h.zero[1])
	for i, counts := h.lo, h.counts; len(counts) >= 2; i, counts = i+1, counts[2:] {
		if counts[0]|counts[1] != 0 {
			f.add(i>>shift, 0, counts[0])
			f.add(i>>shift, 1, counts[1])
		}
	}
	f.flush()
	return f.values
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
// v: what fold gives for it, in the place of v.
func (v values) coarser(sign signPlace) values {
	// What is put never overtakes what is read.
	f := folder{sign: sign, values: values{value: v.value[:0], counts: v.counts[:0]}}
	counts := v.counts[:len(v.value)]
	if sign == signRaw {
		for i, value := range v.value {
			f.add(int(value>>1), 0, counts[i])
		}
	} else {
		for i, value := range v.value {
			f.add(int(value>>2), int(value&1), counts[i])
		}
	}
	f.flush()
	return f.values
}

func (v values) clone() values {
	return values{value: slices.Clone(v.value), counts: slices.Clone(v.counts)}
}

// folder adds up counts by magnitude and sign, which come in order of their
// magnitudes.
type folder struct {
	values
	sign      signPlace
	magnitude int
	pending   [2]uint32 // of the magnitude, by sign
}

func (f *folder) add(magnitude, sign int, count uint32) {
	if magnitude != f.magnitude {
		f.flush()
		f.magnitude = magnitude
	}
	f.pending[sign&1] += count
}

func (f *folder) flush() {
	if f.sign == signRaw {
		f.put(uint16(f.magnitude), f.pending[0]+f.pending[1])
	} else {
		f.put(uint16(f.magnitude<<1), f.pending[0])
		f.put(uint16(f.magnitude<<1|1), f.pending[1])
	}
	f.pending = [2]uint32{}
}

func (f *folder) put(value uint16, count uint32) {
	if count > 0 {
		f.value = append(f.value, value)
		f.counts = append(f.counts, count)
	}
}

// entropy gives the bits that n values take by their entropy, and how many
// different ones there are.
func (v values) entropy(n int) (total float64, used int) {
	for _, c := range v.counts {
		total -= countLog2(c)
	}
	return total + float64(n)*math.Log2(float64(n)), len(v.counts)
}

// present lists the values that occur.
func (v values) present() []uint16 { return v.value }

// bySymbol counts by the symbols of an alphabet that holds all values.
func (v values) bySymbol(a *alphabet) []uint32 {
	counts := make([]uint32, a.symbol(len(v.value)-1, v.value)+1)
	for i, c := range v.counts {
		counts[a.symbol(i, v.value)] = c
	}
	return counts
}

// symbol is the symbol of value i of those that occur.
func (a *alphabet) symbol(i int, present []uint16) int {
	switch {
	case a.kind == alphabetList:
		return i
	case a.zero && present[i] == 0:
		return 0
	}
	return int(present[i] - a.base)
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

// countLog2 is c·log2(c), by a table where c is small.
func countLog2(c uint32) float64 {
	if c < uint32(len(smallLogs)) {
		return smallLogs[c]
	}
	return float64(c) * fastLog2(c)
}

var smallLogs = func() (t [256]float64) {
	for c := 1; c < len(t); c++ {
		t[c] = float64(c) * fastLog2(uint32(c))
	}
	return
}()
