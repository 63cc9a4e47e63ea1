package codec

import (
	"math"
	"slices"
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
	split split
	freq  values
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

	n            int
	costs        [topLevels]float64 // with the sign raw
	least        float64            // by weight
	at           *histogram         // what best counts
	sign         signPlace
	used         int // by at
	cost         float64
	tooMany      bool // values of the finest that was looked at
	signPays     bool
	stillCheaper bool // the finest level of all
}

// measured is the cheapest split of a run, and what it takes to find that of
// the run and another one.
type measured struct {
	choice
	ok     bool
	coarse histogram // by the finest of levels
}

// isFine tells whether the symbols have more mantissa bits than coarse.
func (m *measured) isFine() bool {
	raw := m.split.raw
	if m.split.sign == signRaw {
		raw--
	}
	return m.ok && raw < m.coarse.shift
}

func (t *topChooser) init(elem Elem, fast bool) {
	t.elem, t.fast = elem, fast
	t.mantissa = 8*min(int(elem.Width), 2) - 1 - int(elem.Exponent)
}

// choose finds the cheapest split of elements counted by h: how many of the
// top mantissa bits go with the exponent, and where the sign goes. It is not
// ok if no alphabet of 256 symbols holds any.
func (t *topChooser) choose(h *histogram) (m measured) {
	finest := max(t.mantissa-topLevels+1, 0)
	t.levels[0] = h.coarser(finest, t.levels[0].counts)
	t.chooseCoarse(&t.levels[0])
	if t.mayBeFiner(h) {
		t.chooseFine(h, finest)
	}
	m.choice, m.ok = t.settle()
	m.coarse = t.levels[0]
	m.coarse.counts = slices.Clone(m.coarse.counts)
	return m
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
	m.choice, m.ok = t.settle()
	m.coarse = t.levels[0]
	m.coarse.counts = slices.Clone(m.coarse.counts)
	return m
}

// mayBeFiner tells whether more mantissa bits than chooseCoarse looked at may
// make the symbols cheaper yet: where each made them so, and where few units
// occur at all.
func (t *topChooser) mayBeFiner(h *histogram) bool {
	if t.tooMany || t.levels[0].shift == 0 {
		return false
	}
	return t.stillCheaper || h.occurAtMost(min(fewUnits, t.n/2))
}

// chooseCoarse looks at finest and what is coarser.
func (t *topChooser) chooseCoarse(finest *histogram) {
	t.n, t.least, t.cost, t.at, t.tooMany = finest.n, math.Inf(1), math.Inf(1), nil, false
	last := 0
	for ; t.levels[last].shift < t.mantissa; last++ {
		t.levels[last+1] = t.levels[last].coarser(1, t.levels[last+1].counts)
	}
	for k := last; k >= 0; k-- {
		t.costs[k] = t.consider(&t.levels[k], signRaw)
	}
	t.stillCheaper = last > 0 && t.costs[0] < t.costs[1]
	// A sign that tells something shows with all bits, or with none.
	coarsest, most := t.consider(&t.levels[last], signSymbol), t.consider(&t.levels[0], signSymbol)
	if t.signPays = coarsest < t.costs[last] || most < t.costs[0]; !t.signPays {
		return
	}
	for k := 1; k < last; k++ {
		t.consider(&t.levels[k], signSymbol)
	}
}

// chooseFine looks at what is finer than a histogram of that shift.
func (t *topChooser) chooseFine(h *histogram, shift int) {
	for shift--; shift >= 0 && !t.tooMany; shift-- {
		c := h.coarser(shift, nil)
		t.consider(&c, signRaw)
		t.consider(&c, signSymbol)
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
// list them.
func (h *histogram) isScattered() bool {
	v := h.values(signRaw, maxSymbols)
	a, ok := newAlphabet(v.present(), 1<<16)
	return !ok || a.kind == alphabetList
}

// settle gives the cheapest split.
func (t *topChooser) settle() (c choice, ok bool) {
	if t.at == nil {
		return c, false
	}
	s := split{kind: splitTop, width: int(t.elem.Width), raw: t.at.shift, sign: t.sign}
	if t.sign == signRaw {
		s.raw++
	}
	c.freq = t.at.values(t.sign, t.used)
	s.alpha, ok = newAlphabet(c.freq.present(), 1<<s.valueBits())
	c.split, c.cost = s, t.cost
	return c, ok
}
