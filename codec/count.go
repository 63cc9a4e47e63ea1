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
		c.countUpper(data)
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

// countUpper counts the units of elements of four bytes.
func (c *counter) countUpper(data []byte) {
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

// upperBits is how many bits of 16-bit units countUpper16 looks at.
const upperBits = 12

// upperTables count units by their upper bits. They stay in the first-level
// cache; the same bits come again soon, and four tables keep a count from waiting
// for the last one. As far apart as they are, they share no place in the cache.
type upperTables [4][1<<upperBits + 144]uint32

// countUpper16 is count(data, 2).coarser(16-upperBits), in less time: there is less
// to move out of the tables. It counts in buf, if that is long enough.
func (c *counter) countUpper16(data []byte, buf []uint32) histogram {
	const cut = 16 - upperBits
	h := histogram{n: len(data) / 2, shift: cut}
	h.lo, h.hi, _ = rangeOf(data)
	if h.hi <= h.lo {
		h.lo, h.hi = 1, 1
	}
	h.lo, h.hi = h.lo>>cut, (h.hi-1)>>cut+1
	c.upper.count(data)
	size := 2 * (h.hi - h.lo)
	h.counts = slices.Grow(buf[:0], size)[:size]
	clear(h.counts)
	for t := range c.upper {
		h.takeFrom(c.upper[t][:1<<upperBits])
	}
	h.placeZero()
	return h
}

// count counts 16-bit units, eight at a time.
func (t *upperTables) count(data []byte) {
	const cut, mask = 16 - upperBits, 1<<upperBits - 1
	for ; len(data) >= 16; data = data[16:] {
		v, w := binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[8:])
		t[0][v>>cut&mask]++
		t[1][v>>(16+cut)&mask]++
		t[2][v>>(32+cut)&mask]++
		t[3][v>>(48+cut)]++
		t[0][w>>cut&mask]++
		t[1][w>>(16+cut)&mask]++
		t[2][w>>(32+cut)&mask]++
		t[3][w>>(48+cut)]++
	}
	for ; len(data) >= 2; data = data[2:] {
		t[0][binary.LittleEndian.Uint16(data)>>cut]++
	}
}

// occurAtMost tells whether there are at most limit different 16-bit units.
func occurAtMost(data []byte, limit int) bool {
	var met [1 << 16 / 64]uint64
	n := 0
	for ; len(data) >= 2 && n <= limit; data = data[2:] {
		unit := binary.LittleEndian.Uint16(data)
		word, bit := &met[unit>>6], unit&63
		n += int(^*word >> bit & 1)
		*word |= 1 << bit
	}
	return n <= limit
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
	size := 2 * (h.hi - h.lo)
	c.counts = slices.Grow(c.counts[:0], size)[:size]
	clear(c.counts)
	h.counts = c.counts
	for t := range tables {
		h.takeFrom(c.tables[t][:2<<top])
	}
}

// takeFrom moves the counts of a table out, whose upper half has those of the
// negative units.
func (h *histogram) takeFrom(table []uint32) {
	sign := len(table) / 2
	for s := range h.zero {
		h.zero[s] += table[s*sign]
		table[s*sign] = 0
	}
	plus, minus := table[h.lo:h.hi], table[sign+h.lo:sign+h.hi]
	minus = minus[:len(plus)]
	counts := h.counts[:2*len(plus)]
	for i, v := range plus {
		counts[2*i] += v
		counts[2*i+1] += minus[i]
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
