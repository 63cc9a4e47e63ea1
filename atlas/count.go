package atlas

import (
	"encoding/binary"
	"slices"

	"github.com/scapefs/scapefs/codec"
)

// bin is a symbol and how often it occurs.
type bin struct {
	symbol uint16
	count  uint64
}

// pieceCounts says what occurs in the part that a tensor has of a chunk.
type pieceCounts struct {
	n     int     // elements
	high  []bin   // the 16 most significant bits of the elements, or their 8
	low   [][]bin // the bytes below those, least significant first
	left  []bin   // exponents, above them in a pair the exponent of the element before
	above []bin   // the same for the element one row before
}

// counter counts pieces. It is for one goroutine.
type counter struct {
	counts  [1 << 16]uint32 // zero between calls, as is more
	more    [1 << 16]uint32
	symbols []uint16
	exps    []uint16
	pairs   []uint16
}

// piece counts the elements of data, whose rows are row elements long; 0 stands
// for a row that is not known, or longer than data.
func (c *counter) piece(data []byte, elem codec.Elem, row int) pieceCounts {
	width := int(elem.Width)
	n := len(data) / width
	p := pieceCounts{n: n}
	c.symbols = slices.Grow(c.symbols[:0], n)[:n]
	takeSymbols(c.symbols, data, width)
	p.high = c.count(c.symbols)
	for k := range max(width-2, 0) {
		p.low = append(p.low, c.countPlane(data, width, k))
	}
	if elem.Exponent == 0 || elem.Exponent > 8 {
		return p
	}
	c.exps = slices.Grow(c.exps[:0], n)[:n]
	shift := symbolMantissa(elem) & 15
	mask := uint16(1)<<elem.Exponent - 1
	for i, s := range c.symbols {
		c.exps[i] = s >> shift & mask
	}
	p.left = c.countPairs(1)
	if row > 1 {
		p.above = c.countPairs(row)
	}
	return p
}

// takeSymbols fills symbols with the upper 16 bits of the elements, or all 8.
func takeSymbols(symbols []uint16, data []byte, width int) {
	if width == 1 {
		for i := range symbols {
			symbols[i] = uint16(data[i])
		}
		return
	}
	for i, at := 0, width-2; i < len(symbols); i, at = i+1, at+width {
		symbols[i] = binary.LittleEndian.Uint16(data[at:])
	}
}

// symbolMantissa is how many bits of the mantissa a symbol of elem has.
func symbolMantissa(elem codec.Elem) uint {
	return uint(min(8*int(elem.Width), 16)) - 1 - uint(elem.Exponent)
}

// countPairs counts the exponents together with those lag elements before.
func (c *counter) countPairs(lag int) []bin {
	if lag >= len(c.exps) {
		return nil
	}
	before, here := c.exps[:len(c.exps)-lag], c.exps[lag:]
	c.pairs = slices.Grow(c.pairs[:0], len(here))[:len(here)]
	for i, e := range here {
		c.pairs[i] = before[i]<<8 | e
	}
	return c.count(c.pairs)
}

func (c *counter) countPlane(data []byte, width, k int) []bin {
	c.pairs = slices.Grow(c.pairs[:0], len(data)/width)[:len(data)/width]
	for i := range c.pairs {
		c.pairs[i] = uint16(data[i*width+k])
	}
	return c.count(c.pairs)
}

// count counts symbols, and lists those that occur.
func (c *counter) count(symbols []uint16) []bin {
	// Two tables, for one symbol often follows itself.
	half := len(symbols) / 2
	for i, s := range symbols[:half] {
		c.counts[s]++
		c.more[symbols[half+i]]++
	}
	if len(symbols)%2 == 1 {
		c.counts[symbols[len(symbols)-1]]++
	}
	var bins []bin
	take := func(s uint16) {
		if n := uint64(c.counts[s]) + uint64(c.more[s]); n > 0 {
			bins = append(bins, bin{s, n})
			c.counts[s], c.more[s] = 0, 0
		}
	}
	if len(symbols) < len(c.counts)/4 {
		for _, s := range symbols {
			take(s)
		}
		return bins
	}
	for s := range c.counts {
		take(uint16(s))
	}
	return bins
}

// tensorCounts adds the pieces of a tensor up.
type tensorCounts struct {
	pieces int
	sum    pieceCounts
}

func (t *tensorCounts) add(p pieceCounts) {
	t.pieces++
	if t.pieces == 1 {
		t.sum = p
		return
	}
	t.sum.n += p.n
	t.sum.high = join(t.sum.high, p.high)
	for k := range p.low {
		t.sum.low[k] = join(t.sum.low[k], p.low[k])
	}
	t.sum.left = join(t.sum.left, p.left)
	t.sum.above = join(t.sum.above, p.above)
}

// join adds two histograms up.
func join(a, b []bin) []bin {
	var counts [1 << 16]uint64
	for _, bins := range [...][]bin{a, b} {
		for _, x := range bins {
			counts[x.symbol] += x.count
		}
	}
	sum := make([]bin, 0, max(len(a), len(b)))
	for s, n := range counts {
		if n > 0 {
			sum = append(sum, bin{uint16(s), n})
		}
	}
	return sum
}
