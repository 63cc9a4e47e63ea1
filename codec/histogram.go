package codec

import (
	"math"
	"math/bits"
	"slices"
)

// histogram counts the units of a run of elements by magnitude and sign, over
// the range of magnitudes that occur: by all bits of the magnitudes, or by the
// upper ones. Zero is apart, as it is far from the others, unless it falls
// together with what is close to it.
type histogram struct {
	n       int
	shift   int       // low bits of the magnitudes that are cut off
	zero    [2]uint32 // +0 and -0
	lo, hi  int       // magnitudes above zero that occur: lo <= m < hi
	counts  []uint32  // [2*(m-lo)+sign]
	sampled bool      // any within the range may occur, counted or not
}

// coarser cuts off so many more bits. It counts in buf, if that is long enough.
func (h *histogram) coarser(by int, buf []uint32) histogram {
	c := histogram{n: h.n, shift: h.shift + by, zero: h.zero, lo: h.lo >> by, hi: (h.hi-1)>>by + 1, sampled: h.sampled}
	if by == 0 {
		c.counts = append(buf[:0], h.counts...)
		return c
	}
	c.counts = slices.Grow(buf[:0], 2*(c.hi-c.lo))[:0]
	counts := h.counts
	if c.lo < c.hi { // even if nothing but zero occurs
		first := min(2*((c.lo+1)<<by-h.lo), len(counts))
		c.add(counts[:first])
		counts = counts[first:]
	}
	if by == 1 {
		for ; len(counts) >= 4; counts = counts[4:] {
			c.counts = append(c.counts, counts[0]+counts[2], counts[1]+counts[3])
		}
	}
	for n := 2 << by; len(counts) >= n; counts = counts[n:] {
		c.add(counts[:n])
	}
	if len(counts) > 0 {
		c.add(counts)
	}
	c.placeZero()
	return c
}

// add appends the sums of counts, of both signs.
func (h *histogram) add(counts []uint32) {
	var plus, minus uint32
	for ; len(counts) >= 8; counts = counts[8:] {
		plus += counts[0] + counts[2] + counts[4] + counts[6]
		minus += counts[1] + counts[3] + counts[5] + counts[7]
	}
	for ; len(counts) >= 2; counts = counts[2:] {
		plus += counts[0]
		minus += counts[1]
	}
	h.counts = append(h.counts, plus, minus)
}

// placeZero counts zero with the magnitudes that cannot be told from it.
func (h *histogram) placeZero() {
	if h.lo == 0 && h.hi > 0 {
		h.counts[0] += h.zero[0]
		h.counts[1] += h.zero[1]
		h.zero = [2]uint32{}
	}
}

// join gives the histogram of two runs together, counted in buf if that is
// long enough.
func (h *histogram) join(o *histogram, buf []uint32) histogram {
	j := histogram{n: h.n + o.n, shift: h.shift, lo: min(h.lo, o.lo), hi: max(h.hi, o.hi), sampled: h.sampled || o.sampled}
	if len(h.counts) == 0 {
		j.lo, j.hi = o.lo, o.hi
	} else if len(o.counts) == 0 {
		j.lo, j.hi = h.lo, h.hi
	}
	j.counts = slices.Grow(buf[:0], 2*(j.hi-j.lo))[:2*(j.hi-j.lo)]
	clear(j.counts)
	for _, p := range []*histogram{h, o} {
		for s, c := range p.zero {
			j.zero[s] += c
		}
		if len(p.counts) == 0 {
			continue
		}
		to := j.counts[2*(p.lo-j.lo):]
		for i, c := range p.counts {
			to[i] += c
		}
	}
	j.placeZero()
	return j
}

// occurAtMost tells whether there are at most limit different units.
func (h *histogram) occurAtMost(limit int) bool {
	n := used32(h.zero[0]) + used32(h.zero[1])
	for counts := h.counts; len(counts) > 0 && n <= limit; {
		these := counts[:min(len(counts), 64)]
		counts = counts[len(these):]
		for _, c := range these {
			n += used32(c)
		}
	}
	return n <= limit
}

// used32 is 1 if c is not 0, without a branch.
func used32(c uint32) int { return int((uint64(c) + 1<<32 - 1) >> 32) }

// entropy gives the bits that the values take by their entropy, with the sign
// among them or not, and how many different ones there are.
func (h *histogram) entropy(sign signPlace) (total float64, used int) {
	if sign == signRaw {
		total, used = -countLog2(h.zero[0]+h.zero[1]), used32(h.zero[0]+h.zero[1])
		for counts := h.counts; len(counts) >= 2; counts = counts[2:] {
			c := counts[0] + counts[1]
			total -= countLog2(c)
			used += used32(c)
		}
	} else {
		for _, c := range h.zero {
			total -= countLog2(c)
			used += used32(c)
		}
		for _, c := range h.counts {
			total -= countLog2(c)
			used += used32(c)
		}
	}
	return total + float64(h.n)*math.Log2(float64(h.n)), used
}

// values are counts by value: the values that occur, rising.
type values struct {
	value  []uint16
	counts []uint32
}

// values counts by the values that a split makes with that place of the sign,
// and the cut off bits as raw ones. There are so many of them, or more in a sample.
func (h *histogram) values(sign signPlace, used int) values {
	v := values{value: make([]uint16, 0, used), counts: make([]uint32, 0, used)}
	v.put(sign, 0, h.zero[0], h.zero[1])
	least := uint32(0)
	if h.sampled {
		least = 1
	}
	for m, counts := h.lo, h.counts; len(counts) >= 2; m, counts = m+1, counts[2:] {
		v.put(sign, m, max(counts[0], least), max(counts[1], least))
	}
	return v
}

func (v *values) put(sign signPlace, magnitude int, plus, minus uint32) {
	if sign == signRaw {
		v.putValue(magnitude, plus+minus)
		return
	}
	v.putValue(magnitude<<1, plus)
	v.putValue(magnitude<<1|1, minus)
}

func (v *values) putValue(value int, count uint32) {
	if count > 0 {
		v.value = append(v.value, uint16(value))
		v.counts = append(v.counts, count)
	}
}

// fold counts by the values that a split with that sign and raw bits makes.
func (h *histogram) fold(sign signPlace, raw int) values {
	if sign == signRaw {
		raw--
	}
	c := h.coarser(raw, nil)
	_, used := c.entropy(sign)
	return c.values(sign, used)
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

// present lists the values that occur.
func (v values) present() []uint16 { return v.value }

// bySymbol counts by the symbols of an alphabet that holds all values.
func (v values) bySymbol(a *alphabet) []uint32 {
	counts := make([]uint32, a.symbol(v.value[len(v.value)-1])+1)
	for i, c := range v.counts {
		counts[a.symbol(v.value[i])] = c
	}
	return counts
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

// manyZeros tells whether so many of n elements are zero that their raw bits
// are worth a coder.
func (v values) manyZeros(n int) bool {
	const one = 16 // of so many
	return len(v.value) > 0 && v.value[0] == 0 && int(v.counts[0])*one >= n
}
