package codec

// Classes by symbol: a stream's symbol is coded by the class of the element's
// first symbol, so that what a mantissa is like may depend on the exponent.

// symbolClasses is how many classes the methods with contexts have, at most.
const symbolClasses = 8

// withContexts gives the model whose mantissas have frequencies for each class
// of sign and exponent: eight, or fewer where that is smaller.
func (c *splitCounts) withContexts() *model {
	m := newModel(c.split)
	chooseSymbolCoder(&m.streams[0], c.symbols, c.perBlock, Balanced)
	for k := range m.streams[1:] {
		s := &m.streams[k+1]
		cost := chooseSymbolCoder(s, c.split.mantissaPart(k+1, c.mantissas), c.perBlock, Balanced)
		for classes := symbolClasses; classes > 1; classes /= 2 {
			t := stream{bits: s.bits}
			if with, ok := c.setSymbolContext(&t, k+1, classes); ok && with < cost {
				cost = with
				s.setContexts(&t)
			}
		}
	}
	return m
}

// setContexts takes the coder of t, which is one with contexts.
func (s *stream) setContexts(t *stream) {
	s.coder, s.lanesLog2, s.freq = coderContexts, t.lanesLog2, nil
	s.context, s.classOf, s.freqs, s.table = t.context, t.classOf, t.freqs, t.table
}

// blocks is how many the elements make.
func (c *splitCounts) blocks() float64 {
	return float64((c.unit.n + c.perBlock - 1) / max(c.perBlock, 1))
}

// setSymbolContext makes s, stream k, one of so many classes of about equal
// weight. It gives the bits that all will take; false if the symbols make no
// two classes.
func (c *splitCounts) setSymbolContext(s *stream, k, classes int) (cost float64, ok bool) {
	thresholds := cutSymbols(c.symbols, c.unit.n, classes)
	if len(thresholds) == 0 {
		return 0, false
	}
	s.coder = coderContexts
	s.context = &context{kind: contextSymbol, classes: len(thresholds) + 1, thresholds: thresholds}
	s.classOf, _ = s.context.classOf(identity)
	for _, mantissas := range c.mantissasByClass(s) {
		f, table, bits := chooseFrequencies(atLeastTwo(c.split.mantissaPart(k, mantissas)))
		s.freqs = append(s.freqs, f)
		s.table = append(s.table, table...)
		cost += bits
	}
	return cost + float64(8*len(s.context.marshal(nil))) + s.setLanes(cost, c.blocks(), Balanced), true
}

func identity(symbol int) int { return symbol }

// mantissasByClass counts the mantissas of each class of s.
func (c *splitCounts) mantissasByClass(s *stream) [][]uint32 {
	counts := make([][]uint32, s.context.classes)
	for i := range counts {
		counts[i] = make([]uint32, 1<<c.split.raw)
	}
	h, low := c.unit, 1<<c.split.raw-1
	add := func(magnitude, sign int, n uint32) {
		if n > 0 {
			value := uint16(magnitude>>c.split.raw<<1 | sign)
			counts[s.classOf[c.split.alpha.symbol(value)]][magnitude&low] += n
		}
	}
	for sign, n := range h.zero {
		add(0, sign, n)
	}
	for i, n := range h.counts {
		add(h.lo+i>>1, i&1, n)
	}
	return counts
}

// cutSymbols cuts symbols, of which there are n in all, into classes of about
// equal weight. It gives the first symbol of each class but the lowest.
func cutSymbols(counts []uint32, n, classes int) (thresholds []byte) {
	sum := 0
	for symbol, c := range counts {
		if c > 0 && sum > 0 && sum*classes >= n*(len(thresholds)+1) {
			thresholds = append(thresholds, byte(symbol))
		}
		sum += int(c)
	}
	return thresholds
}
