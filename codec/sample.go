package codec

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

// fewToCount is how many units are counted by their upper bits first: of more, all
// bits are wanted more often than not.
const fewToCount = 1 << 16

// measure finds the cheapest split of data: by a sample or by upper bits, if that
// settles it.
func (e *Encoder) measure(data []byte, elem Elem) measured {
	n := len(data) / 2
	lines := e.level.linesFor(n)
	var upper *histogram
	switch {
	case elem.Width != 2:
	case lines > 1:
		upper = e.count.sample(data, lines)
	case n < fewToCount:
		upper = e.count.countUpper(data)
	}
	if upper != nil {
		if m, ok := e.top.chooseUpper(upper, data); ok {
			return m
		}
	}
	return e.top.choose(e.count.count(data, int(elem.Width)))
}

// sample is countUpper, of which it counts one line in so many, as often as there
// are lines, and the rest behind them.
func (c *counter) sample(data []byte, lines int) *histogram {
	h, zero := c.startUpper(data)
	h.sampled = true
	group := lines * sampleLine
	rest := data
	for k := uint32(0); len(rest) >= group; k++ {
		const golden = 0x9e3779b1 // rows may have the length of a group
		at := int(k*golden>>16) % lines * sampleLine
		c.upper.count(rest[at : at+sampleLine])
		rest = rest[group:]
	}
	c.takeUpper(h, uint32(lines))
	c.upper.count(rest)
	c.takeUpper(h, 1)
	if zero {
		for s := range h.zero {
			missing := 1 - min(h.zero[s], 1)
			h.zero[s] += missing
			h.n += int(missing)
		}
	}
	h.placeZero()
	return h
}
