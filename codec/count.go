package codec

import (
	"encoding/binary"
	"slices"
)

// counter makes histograms. It holds tables of all units, clear between
// calls: two, as counting a value again at once waits for the first time.
type counter struct {
	tables [2][1 << 16]uint32
	upper  upperTables
	counts []uint32 // of the last histogram
}

// longRun is how many elements are counted in words, and the range of their
// magnitudes then looked for in the tables, where no kernel finds it: that takes as
// long whatever the number of elements.
const longRun = 1 << 14

// count makes the histogram of the units of width-byte elements in data. It is
// valid until the next call.
func (c *counter) count(data []byte, width int) *histogram {
	h := &histogram{n: len(data) / width}
	top := 8*min(width, 2) - 1
	vectors := width == 2 && hasVectors()
	if !vectors && (h.n < longRun || width != 2 && width != 4) {
		c.countRange(h, data, width, top)
		c.take(h, 1, top)
		return h
	}
	if width == 2 {
		c.countUnits(data)
	} else {
		c.countUpperHalves(data)
	}
	if vectors {
		h.lo, h.hi, _ = rangeOf(data)
	} else {
		c.findRange(h, unitAt(data, 0, width))
	}
	c.take(h, 2, top)
	return h
}

// countRange counts a unit at a time, and finds the range of magnitudes.
func (c *counter) countRange(h *histogram, data []byte, width, top int) {
	mask := uint32(1)<<top - 1
	lo, hi := mask, uint32(0)
	for ; len(data) >= width; data = data[width:] {
		var unit uint32
		if width == 1 {
			unit = uint32(data[0])
		} else {
			unit = uint32(binary.LittleEndian.Uint16(data[width-2 : width]))
		}
		c.tables[0][uint16(unit)]++
		magnitude := unit & mask
		hi = max(hi, magnitude)
		lo = min(lo, (magnitude-1)&mask) // zero wraps to the top
	}
	h.lo, h.hi = int(lo)+1, int(hi)+1
}

// countUnits counts 16-bit units, eight at a time.
func (c *counter) countUnits(data []byte) {
	a, b := &c.tables[0], &c.tables[1]
	for ; len(data) >= 16; data = data[16:] {
		v, w := binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[8:])
		a[uint16(v)]++
		b[uint16(v>>16)]++
		a[uint16(v>>32)]++
		b[v>>48]++
		a[uint16(w)]++
		b[uint16(w>>16)]++
		a[uint16(w>>32)]++
		b[w>>48]++
	}
	for ; len(data) >= 2; data = data[2:] {
		a[binary.LittleEndian.Uint16(data)]++
	}
}

// countUpperHalves counts the units of elements of four bytes.
func (c *counter) countUpperHalves(data []byte) {
	a, b := &c.tables[0], &c.tables[1]
	for ; len(data) >= 16; data = data[16:] {
		v, w := binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[8:])
		a[uint16(v>>16)]++
		b[v>>48]++
		a[uint16(w>>16)]++
		b[w>>48]++
	}
	for ; len(data) >= 4; data = data[4:] {
		a[binary.LittleEndian.Uint16(data[2:])]++
	}
}

// rangeBlock is how many magnitudes are looked at together for their range.
const rangeBlock = 128

// findRange looks for the least and the largest magnitude above zero that were
// counted, in both tables: from one of them on in both directions, until all
// elements are found.
func (c *counter) findRange(h *histogram, inside uint16) {
	const sign = 1 << 15
	a, b := &c.tables[0], &c.tables[1]
	zeros := int(a[0] + b[0] + a[sign] + b[sign])
	lo := int(inside) &^ sign / rangeBlock * rangeBlock
	hi := lo
	for found := 0; found < h.n-zeros; {
		if hi < sign {
			found += c.countedFrom(hi)
			hi += rangeBlock
		}
		if lo > 0 {
			lo -= rangeBlock
			found += c.countedFrom(lo)
		}
	}
	lo = max(lo, 1)
	for lo < hi && a[lo]|b[lo]|a[lo|sign]|b[lo|sign] == 0 {
		lo++
	}
	for hi > lo && a[hi-1]|b[hi-1]|a[hi-1|sign]|b[hi-1|sign] == 0 {
		hi--
	}
	h.lo, h.hi = lo, hi
}

// countedFrom is how many elements have one of rangeBlock magnitudes from m on,
// but for zero.
func (c *counter) countedFrom(m int) int {
	const sign = 1 << 15
	a, b := (*[rangeBlock]uint32)(c.tables[0][m:]), (*[rangeBlock]uint32)(c.tables[1][m:])
	d, e := (*[rangeBlock]uint32)(c.tables[0][m|sign:]), (*[rangeBlock]uint32)(c.tables[1][m|sign:])
	n := uint32(0)
	for i := range a {
		n += a[i] + b[i] + d[i] + e[i]
	}
	if m == 0 {
		n -= a[0] + b[0] + d[0] + e[0]
	}
	return int(n)
}

// take moves the counts out of so many tables.
func (c *counter) take(h *histogram, tables, top int) {
	if h.hi <= h.lo {
		h.lo, h.hi = 1, 1
	}
	c.clearCounts(h)
	for t := range tables {
		h.takeFrom(c.tables[t][:2<<top], 1)
	}
}

// clearCounts gives h its counts, all zero.
func (c *counter) clearCounts(h *histogram) {
	size := 2 * (h.hi - h.lo)
	c.counts = slices.Grow(c.counts[:0], size)[:size]
	clear(c.counts)
	h.counts = c.counts
}

// takeFrom moves the counts of a table out, so many times, of which the upper half
// has those of the negative units.
func (h *histogram) takeFrom(table []uint32, times uint32) {
	sign := len(table) / 2
	for s := range h.zero {
		h.zero[s] += times * table[s*sign]
		table[s*sign] = 0
	}
	plus, minus := table[h.lo:h.hi], table[sign+h.lo:sign+h.hi]
	minus = minus[:len(plus)]
	counts := h.counts[:2*len(plus)]
	for i, v := range plus {
		counts[2*i] += times * v
		counts[2*i+1] += times * minus[i]
	}
	clear(plus)
	clear(minus)
}

// countBytes adds to counts how often each byte occurs.
func countBytes(counts *[256]uint32, b []byte) {
	var t [4][256]uint32
	for ; len(b) >= 8; b = b[8:] {
		v := binary.LittleEndian.Uint64(b)
		t[0][byte(v)]++
		t[1][byte(v>>8)]++
		t[2][byte(v>>16)]++
		t[3][byte(v>>24)]++
		t[0][byte(v>>32)]++
		t[1][byte(v>>40)]++
		t[2][byte(v>>48)]++
		t[3][v>>56]++
	}
	for _, v := range b {
		t[0][v]++
	}
	for i := range counts {
		counts[i] += t[0][i] + t[1][i] + t[2][i] + t[3][i]
	}
}
