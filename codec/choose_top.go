package codec

import (
	"math"
)

// A run of so many elements is merged in words and vectors, if its sign is
// among the raw bits and its alphabet contiguous: others take several times as
// long, and must be smaller by this factor.
const (
	manyElements = 1 << 16
	slowMerge    = 1.002
)

// maxSymbols is how many symbols an alphabet may have.
const maxSymbols = 256

// fastBit is what a bit of the symbols costs above a raw one where speed
// counts: for Gaussian weights, a second mantissa bit in the symbol makes
// them smaller by less than that, the first by more.
const fastBit = 0.035

// choice is a way of taking units apart and its cost in bits: of the symbols,
// their tables and the raw bits.
type choice struct {
	split split  // has its alphabet once that is settled
	freq  values // like it
	used  int    // values
	cost  float64
}

// topLevels is how many numbers of upper mantissa bits are looked at in any
// case, from none on.
const topLevels = 4

// fewUnits is how few different units may be cheaper with all their mantissa
// bits in the symbols than with some.
const fewUnits = 2 * maxSymbols

// topChooser finds the cheapest splits.
type topChooser struct {
	elem     Elem
	fast     bool // what is smaller must also be worth the time to decode it
	mantissa int  // bits within the unit

	levels [topLevels]histogram // the finest first
	last   int                  // of them
	fine   [16]histogram        // finer ones, by what is cut off
	joined []uint32             // scratch

	n            int
	costs        [topLevels]float64 // by levels, with the sign raw
	stillCheaper bool               // the finest of levels than the next
	tooMany      bool               // values for an alphabet: so have finer ones

	// The cheapest so far.
	least float64 // by weight
	cost  float64
	at    *histogram // of the values, or nil
	sign  signPlace
	used  int // values
}

// measured is the cheapest split of a run, and what it takes to find that of
// the run and another one.
type measured struct {
	choice
	ok        bool
	coarse    histogram // by the finest of levels
	exponents histogram // by the coarsest
	entropy   float64   // of exponents
}

// isFine tells whether the symbols have more mantissa bits than coarse.
func (m *measured) isFine() bool { return m.ok && int(m.split.rankShift()) < m.coarse.shift }

// isCertain tells whether m can stand although a sample was counted: whatever
// else occurs within the range of the units has a symbol.
func (m *measured) isCertain() bool {
	return !m.coarse.sampled || m.ok && m.split.alpha.kind != alphabetList
}

func (t *topChooser) init(elem Elem, fast bool) {
	t.elem, t.fast = elem, fast
	t.mantissa = 8*min(int(elem.Width), 2) - 1 - int(elem.Exponent)
}

// choose finds the cheapest split of elements counted by h: how many of the
// top mantissa bits go with the exponent, and where the sign goes. It is not
// ok if no alphabet of 256 symbols holds any.
func (t *topChooser) choose(h *histogram) (m measured) {
	finest := t.finest()
	t.levels[0] = h.coarser(finest, t.levels[0].counts)
	t.chooseCoarse(&t.levels[0])
	if t.mayBeFiner(h.occurAtMost) {
		t.chooseFine(h, finest)
	}
	return t.measured()
}

// finest is how many mantissa bits the finest of levels cuts off.
func (t *topChooser) finest() int { return max(t.mantissa-topLevels+1, 0) }

// chooseUpper is choose for the units of data, which h counts by their upper bits. It
// is not ok if that does not settle it.
func (t *topChooser) chooseUpper(h *histogram, data []byte) (m measured, ok bool) {
	t.levels[0] = h.coarser(t.finest()-h.shift, t.levels[0].counts)
	t.chooseCoarse(&t.levels[0])
	if t.mayBeFiner(func(limit int) bool { return occurAtMost(data, limit) }) {
		return m, false
	}
	m = t.measured()
	return m, m.isCertain()
}

// mayJoin tells whether a and b together may take at most so many bits more
// than apart: exponents that differ cost no less when more bits are looked at,
// and one table of two is all that is saved.
func (t *topChooser) mayJoin(a, b *measured, more float64) bool {
	if !a.ok || !b.ok {
		return true
	}
	together := a.exponents.join(&b.exponents, t.joined)
	t.joined = together.counts
	entropy, _ := together.entropy(signRaw)
	return entropy-a.entropy-b.entropy <= more+float64(tableBitsPerSymbol*min(a.used, b.used))
}

// chooseJoined is choose for two runs together. Only if more mantissa bits were
// worth it for one of them, count gives the histogram of all bits. It is not ok
// if both together take more than limit bits.
func (t *topChooser) chooseJoined(a, b *measured, limit float64, count func() *histogram) (m measured) {
	t.levels[0] = a.coarse.join(&b.coarse, t.levels[0].counts)
	t.chooseCoarse(&t.levels[0])
	if !t.tooMany && (a.isFine() || b.isFine()) {
		return t.choose(count())
	}
	if t.at != nil && t.cost > limit {
		m.cost = t.cost
		return m
	}
	if m = t.measured(); m.isCertain() {
		return m
	}
	return t.choose(count())
}

// measured gives what was found.
func (t *topChooser) measured() (m measured) {
	m.cost, m.used, m.ok = t.cost, t.used, t.at != nil
	m.coarse, m.exponents = t.levels[0], t.levels[t.last]
	m.entropy, _ = m.exponents.entropy(signRaw)
	if m.ok {
		m.split = split{kind: splitTop, width: int(t.elem.Width), raw: t.at.shift, sign: t.sign}
		if t.sign == signRaw {
			m.split.raw++
		}
		if m.coarse.sampled || m.isFine() {
			m.settleBy(t.at)
		}
	}
	fine, coarse := len(m.coarse.counts), len(m.exponents.counts)
	counts := make([]uint32, fine+coarse)
	copy(counts, m.coarse.counts)
	copy(counts[fine:], m.exponents.counts)
	m.coarse.counts, m.exponents.counts = counts[:fine:fine], counts[fine:]
	return m
}

// settle gives the choice its alphabet and counts: most runs are joined to longer
// ones before they want them.
func (m *measured) settle() {
	if m.ok && m.freq.value == nil {
		h := m.coarse.coarser(int(m.split.rankShift())-m.coarse.shift, nil)
		m.settleBy(&h)
	}
}

func (m *measured) settleBy(h *histogram) {
	m.freq = h.values(m.split.sign, m.used)
	m.split.alpha, m.ok = newAlphabet(m.freq.present(), 1<<m.split.valueBits())
}

// mayBeFiner tells whether more mantissa bits than chooseCoarse looked at may
// make the symbols cheaper yet: where each made them so and size counts most, and
// where few units occur at all.
func (t *topChooser) mayBeFiner(occurAtMost func(limit int) bool) bool {
	if t.tooMany || t.levels[0].shift == 0 {
		return false
	}
	return t.stillCheaper && !t.fast || occurAtMost(min(fewUnits, t.n/2))
}

// chooseCoarse looks at finest and what is coarser.
func (t *topChooser) chooseCoarse(finest *histogram) {
	t.n, t.least, t.cost, t.at, t.tooMany = finest.n, math.Inf(1), math.Inf(1), nil, false
	last := 0
	for ; t.levels[last].shift < t.mantissa; last++ {
		t.levels[last+1] = t.levels[last].coarser(1, t.levels[last+1].counts)
	}
	t.last = last
	for k := last; k >= 0; k-- {
		t.costs[k] = t.consider(&t.levels[k], signRaw)
	}
	t.stillCheaper = last > 0 && t.costs[0] < t.costs[1]
	t.considerSigns()
}

// considerSigns looks at signs in the symbols: with most of the bits and with
// fewest, and with the others if a sign tells something there.
func (t *topChooser) considerSigns() {
	fewest, most := t.consider(&t.levels[t.last], signSymbol), t.consider(&t.levels[0], signSymbol)
	if fewest >= t.costs[t.last] && most >= t.costs[0] {
		return
	}
	for k := 1; k < t.last; k++ {
		t.consider(&t.levels[k], signSymbol)
	}
}

// chooseFine looks at what is finer than a histogram of that shift.
func (t *topChooser) chooseFine(h *histogram, shift int) {
	for shift--; shift >= 0 && !t.tooMany; shift-- {
		t.fine[shift] = h.coarser(shift, t.fine[shift].counts)
		t.consider(&t.fine[shift], signRaw)
		t.consider(&t.fine[shift], signSymbol)
	}
}

// consider takes what h counts as the values, if that is the cheapest yet. It
// gives the cost.
func (t *topChooser) consider(h *histogram, sign signPlace) float64 {
	entropy, used := h.entropy(sign)
	raw := h.shift
	if sign == signRaw {
		raw++
	}
	cost := entropy + float64(h.n*raw+used*tableBitsPerSymbol)
	if used > maxSymbols {
		t.tooMany = t.tooMany || sign == signRaw
		return cost
	}
	weighed := cost
	if t.fast {
		weighed += fastBit * entropy
	}
	if h.n >= manyElements && (sign != signRaw || h.isScattered()) {
		weighed *= slowMerge
	}
	if weighed < t.least {
		t.least, t.cost, t.at, t.sign, t.used = weighed, cost, h, sign, used
	}
	return cost
}

// isScattered tells whether an alphabet of the values, with the sign raw, must
// list them: see newAlphabet.
func (h *histogram) isScattered() bool {
	occurs := func(m int) bool { return h.counts[2*(m-h.lo)]|h.counts[2*(m-h.lo)+1] != 0 }
	lo, hi := h.lo, h.hi
	zero := h.zero[0]|h.zero[1] != 0
	if lo == 0 && hi > 0 {
		zero, lo = occurs(0), 1
	}
	for lo < hi && !occurs(lo) {
		lo++
	}
	for hi > lo && !occurs(hi-1) {
		hi--
	}
	if zero {
		return hi > maxSymbols && hi-lo >= maxSymbols
	}
	return hi-lo > maxSymbols
}
