package codec

import "encoding/binary"

// Counting 16-bit units by their upper bits alone: it settles most choices, and takes
// less time, as there is less to move out of the tables.

// upperBits is how many bits are counted by, and upperCut how many are not.
const (
	upperBits = 12
	upperCut  = 16 - upperBits
)

// upperTables count units by their upper bits. They stay in the first-level cache;
// the same bits come again soon, and four tables keep a count from waiting for the
// last one, and their odd length the same bits of two from sharing a set of the cache.
type upperTables [4][1<<upperBits + 144]uint32

// countUpper is count(data, 2).coarser(upperCut). It is valid until the next call.
func (c *counter) countUpper(data []byte) *histogram {
	h, _ := c.startUpper(data)
	c.upper.count(data)
	c.takeUpper(h, 1)
	h.placeZero()
	return h
}

// startUpper gives the range of the histogram of data, and tells whether there is a
// zero.
func (c *counter) startUpper(data []byte) (h *histogram, zero bool) {
	h = &histogram{n: len(data) / 2, shift: upperCut}
	h.lo, h.hi, zero = rangeOf(data)
	if h.hi <= h.lo {
		h.lo, h.hi = 1, 1
	}
	h.lo, h.hi = h.lo>>upperCut, (h.hi-1)>>upperCut+1
	c.clearCounts(h)
	return h, zero
}

// takeUpper moves the counts out, so many times.
func (c *counter) takeUpper(h *histogram, times uint32) {
	for t := range c.upper {
		h.takeFrom(c.upper[t][:1<<upperBits], times)
	}
}

// count counts units, eight at a time.
func (t *upperTables) count(data []byte) {
	const mask = 1<<upperBits - 1
	for ; len(data) >= 16; data = data[16:] {
		v, w := binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[8:])
		t[0][v>>upperCut&mask]++
		t[1][v>>(16+upperCut)&mask]++
		t[2][v>>(32+upperCut)&mask]++
		t[3][v>>(48+upperCut)]++
		t[0][w>>upperCut&mask]++
		t[1][w>>(16+upperCut)&mask]++
		t[2][w>>(32+upperCut)&mask]++
		t[3][w>>(48+upperCut)]++
	}
	for ; len(data) >= 2; data = data[2:] {
		t[0][binary.LittleEndian.Uint16(data)>>upperCut]++
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
