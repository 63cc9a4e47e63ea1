package codec

import "encoding/binary"

// Counting only some of a run's units, where those tell enough. What may occur
// is known all the same: the range of all units is looked at, which takes a
// tenth of the time.

// sampleLine is how many bytes are counted together.
const sampleLine = 64

// linesFor is of how many lines of a run of n 16-bit units one is counted. Only
// where speed counts it is not each: what may occur has a code, if a long one,
// and that makes normal weights larger by up to 0.05 %.
func (l Level) linesFor(n int) int {
	switch {
	case l != Fast || n < 1<<15:
		return 1
	case n < 1<<18:
		return 4
	}
	return 8
}

// fewToCount is how many units are not counted by all their bits at once: less is
// done with the counts of the upper ones, and of few units all are seldom wanted.
const fewToCount = 1 << 16

// measure finds the cheapest split of data: by a sample, if that settles it.
func (e *Encoder) measure(data []byte, elem Elem) measured {
	if lines := e.level.linesFor(len(data) / 2); elem.Width == 2 && lines > 1 {
		if m := e.top.choose(e.count.sample(data, lines)); m.isCertain() {
			return m
		}
	}
	if elem.Width == 2 && len(data)/2 < fewToCount {
		if m, ok := e.top.chooseUpper(&e.count, data); ok {
			return m
		}
	}
	return e.top.choose(e.count.count(data, int(elem.Width)))
}

// sample is count for 16-bit units, of which it counts one line in so many, as
// often as there are lines, and the rest behind them.
func (c *counter) sample(data []byte, lines int) *histogram {
	const top = 15
	h := &histogram{n: len(data) / 2, sampled: true}
	var zero bool
	h.lo, h.hi, zero = rangeOf(data)
	group := lines * sampleLine
	rest := data
	for k := uint32(0); len(rest) >= group; k++ {
		const golden = 0x9e3779b1 // rows may have the length of a group
		at := int(k*golden>>16) % lines * sampleLine
		c.countUnits(rest[at : at+sampleLine])
		rest = rest[group:]
	}
	c.take(h, 2, top)
	h.scale(uint32(lines))
	for ; len(rest) >= 2; rest = rest[2:] {
		h.add(binary.LittleEndian.Uint16(rest), top)
	}
	if zero {
		for s := range h.zero {
			missing := 1 - min(h.zero[s], 1)
			h.zero[s] += missing
			h.n += int(missing)
		}
	}
	return h
}

// scale counts everything so many times.
func (h *histogram) scale(by uint32) {
	for s := range h.zero {
		h.zero[s] *= by
	}
	for i := range h.counts {
		h.counts[i] *= by
	}
}

// add counts a unit within the range, with its sign in bit top.
func (h *histogram) add(unit uint16, top int) {
	sign, magnitude := int(unit>>top), int(unit)&(1<<top-1)
	if magnitude == 0 {
		h.zero[sign]++
		return
	}
	h.counts[2*(magnitude-h.lo)+sign]++
}
