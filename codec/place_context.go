package codec

import (
	"math"
	"math/bits"
	"slices"
)

// Classes by place: the scale of each row, column or other slice of a tensor.

// sumPlaces adds up the magnitudes at each place, of every step-th element. It
// gives the sum of their squares.
func (f *contextFinder) sumPlaces(a axis, step int) (squares uint64) {
	f.take()
	f.clearSums(a)
	if step == 1 && a.stride >= minRow {
		return f.sumRows(a)
	}
	p, r := (a.phase/a.stride)%a.count, a.phase%a.stride
	places, rest := step/a.stride%a.count, step%a.stride
	units, sums, seen, sign := f.units, f.sums, f.seen[:len(f.sums)], f.sign
	for i := 0; i < len(units); i += step {
		m := uint64(units[i] &^ sign)
		sums[p] += int64(m)
		seen[p] += uint32(used32(uint32(m)))
		squares += m * m
		p += places
		if r += rest; r >= a.stride {
			r -= a.stride
			p++
		}
		if p >= len(sums) {
			p -= len(sums)
		}
	}
	return squares
}

// minRow is how many elements at one place make it worth it to add them up apart.
const minRow = 8

// sumRows is sumPlaces for all elements.
func (f *contextFinder) sumRows(a axis) (squares uint64) {
	p, left := (a.phase/a.stride)%a.count, a.stride-a.phase%a.stride
	for units := f.units; len(units) > 0; left = a.stride {
		row := units[:min(left, len(units))]
		units = units[len(row):]
		sum, seen := uint64(0), 0
		for _, u := range row {
			m := uint64(u &^ f.sign)
			sum += m
			seen += used32(uint32(m))
			squares += m * m
		}
		f.sums[p] += int64(sum)
		f.seen[p] += uint32(seen)
		if p++; p == a.count {
			p = 0
		}
	}
	return squares
}

func (f *contextFinder) clearSums(a axis) {
	f.sums = slices.Grow(f.sums[:0], a.count)[:a.count]
	f.seen = slices.Grow(f.seen[:0], a.count)[:a.count]
	clear(f.sums)
	clear(f.seen)
}

// byPlace gives classes for the places on axes by the means of their
// magnitudes: so many steps of them to an octave. The second axis divides what
// the first leaves.
func (f *contextFinder) byPlace(axes []axis, base split, steps int) (contextChoice, bool) {
	s := base
	s.sign, s.raw = signRaw, f.shape.bits-base.exponentAndTop()
	if !f.setValues(&s) {
		return contextChoice{}, false
	}
	step := max(1<<f.shape.mantissa/steps, 1)
	c := context{kind: contextPlace}
	side := 8.0 * 4
	f.class = slices.Grow(f.class[:0], f.n)[:f.n]
	for i, a := range axes {
		if i == 0 {
			f.sumPlaces(a, 1)
		} else {
			f.sumRest(a, &c.axes[0], step)
		}
		p := placeAxis{stride: uint64(a.stride), phase: uint64(a.phase), class: f.scales(step)}
		p.fill(f.class, 0, i > 0)
		c.axes = append(c.axes, p)
		side += float64(a.count)*float64(bits.Len8(slices.Max(p.class))) + 8*8
	}
	c.floor, c.classes = f.bounds()
	if c.classes < 2 {
		return contextChoice{}, false
	}
	f.clearCounts(c.classes)
	var classOf [256]byte
	for k := range classOf {
		classOf[k] = byte(min(max(k-int(c.floor), 0), c.classes-1))
	}
	class := f.class[:len(f.values)]
	for i, v := range f.values {
		f.counts[classOf[class[i]]&(maxClasses-1)][v&(contextValues-1)]++
	}
	return f.settle(c, s, side)
}

// sumRest is sumPlaces for what the classes of first, of so many magnitudes
// each, leave.
func (f *contextFinder) sumRest(a axis, first *placeAxis, step int) {
	f.clearSums(a)
	p, r := (a.phase/a.stride)%a.count, a.phase%a.stride
	for i, u := range f.units {
		if m := u &^ f.sign; m > 0 {
			f.sums[p] += int64(m) - int64(f.class[i])*int64(step)
			f.seen[p]++
		}
		if r++; r == a.stride {
			r = 0
			if p++; p == a.count {
				p = 0
			}
		}
	}
}

// scales gives the mean of each place as a number of steps above the lowest,
// or above what is too low to tell apart.
func (f *contextFinder) scales(step int) []byte {
	scale := func(p int) int { return int(math.Floor(float64(f.sums[p]) / float64(f.seen[p]) / float64(step))) }
	lowest, highest := math.MaxInt, math.MinInt
	for p, c := range f.seen {
		if c > 0 {
			lowest, highest = min(lowest, scale(p)), max(highest, scale(p))
		}
	}
	lowest = max(lowest, highest-maxClasses+1)
	class := make([]byte, len(f.seen))
	for p, c := range f.seen {
		if c > 0 {
			class[p] = byte(max(scale(p), lowest) - lowest)
		}
	}
	return class
}

// bounds finds the range of classes that holds nearly all elements.
func (f *contextFinder) bounds() (floor byte, classes int) {
	var counts [256]uint32
	countBytes(&counts, f.class)
	rare := f.n / 128
	low, high := 0, len(counts)-1
	for n := int(counts[low]); low < high && n <= rare; n += int(counts[low]) {
		low++
	}
	for n := int(counts[high]); high > low && n <= rare; n += int(counts[high]) {
		high--
	}
	low = max(low, high-maxClasses+1)
	return byte(low), high - low + 1
}
