package codec

import (
	"math"
	"slices"
)

// What contexts take, counted out.

// contextValues bounds the values that are counted for each class.
const contextValues = 4096

// count finds what c takes with the symbols of s.
func (f *contextFinder) count(c candidate, s split, perBlock int) (contextChoice, bool) {
	if c.axes != nil {
		return f.byPlace(c.axes, s, c.steps)
	}
	return f.byNeighbour(c.lag, c.sign, s, c.classes, perBlock)
}

// coarser is count for what was counted last, with a raw bit more.
func (f *contextFinder) coarser(c candidate, last contextChoice, s split, perBlock int) (contextChoice, bool) {
	if c.axes == nil || !f.counted.is(&last) {
		return f.count(c, s, perBlock)
	}
	f.bound /= 2
	for k := range last.context.classes {
		counts := &f.counts[k]
		for v := range counts[:f.bound] {
			counts[v] = counts[2*v] + counts[2*v+1]
		}
	}
	return f.settle(last.context, s, f.counted.side)
}

// counted is what the counts are of.
type counted struct {
	axes []placeAxis
	raw  int
	side float64
}

// is tells whether the counts are those of c, with classes by place.
func (l *counted) is(c *contextChoice) bool {
	return len(l.axes) > 0 && len(c.context.axes) > 0 && &l.axes[0] == &c.context.axes[0] && l.raw == c.split.raw
}

// setValues fills values for s; false if there are too many to count.
func (f *contextFinder) setValues(s *split) bool {
	f.counted, f.bound = counted{}, 1<<s.valueBits()
	if f.bound > contextValues {
		return false
	}
	f.take()
	f.values = slices.Grow(f.values[:0], f.n)[:f.n]
	values, sign, shift := f.values[:len(f.units)], f.sign, s.rankShift()&15
	if s.sign != signSymbol {
		for i, u := range f.units {
			values[i] = u &^ sign >> shift
		}
		return true
	}
	top := uint(f.shape.bits-1) & 15
	for i, u := range f.units {
		values[i] = u&^sign>>shift<<1 | u>>top
	}
	return true
}

// exponentAndTop is how many bits of the unit, but for the sign, are in the
// symbol.
func (s *split) exponentAndTop() int {
	if s.sign == signSymbol {
		return s.valueBits() - 1
	}
	return s.valueBits()
}

func (f *contextFinder) clearCounts(classes int) {
	for k := range classes {
		clear(f.counts[k][:f.bound])
	}
}

// settle turns the counts of each class into a choice: the alphabet that all
// share, and the cost. side is what else the context takes, in bits.
func (f *contextFinder) settle(c context, s split, side float64) (contextChoice, bool) {
	s.natural = s.width > 1
	f.counted = counted{c.axes, s.raw, side}
	var sums [contextValues]uint32
	all := sums[:f.bound]
	cost := side + float64(f.n*s.raw)
	for k := range c.classes {
		entropy, used := 0.0, 0
		n := uint32(0)
		for v, count := range f.counts[k][:len(all)] {
			entropy -= countLog2(count)
			n += count
			used += used32(count)
			all[v] += count
		}
		if n > 0 {
			entropy += float64(n) * math.Log2(float64(n))
		}
		cost += entropy + float64(used*tableBitsPerSymbol) + 3*8
	}
	var present []uint16
	for v, count := range all {
		if count > 0 {
			present = append(present, uint16(v))
		}
	}
	var ok bool
	if s.alpha, ok = newAlphabet(present, 1<<s.valueBits()); !ok {
		return contextChoice{}, false
	}
	return contextChoice{split: s, context: c, cost: cost}, true
}
