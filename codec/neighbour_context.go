package codec

import "slices"

// Classes by neighbour: the symbol one step before on an axis.

// lags lists how far before an element its neighbours lie.
func lags(part Part, n int) (list []int) {
	add := func(lag uint64) {
		// Close ones are coded in segments, which begin without neighbours.
		if lag < uint64(n)/2 && (lag >= maxLanes || lag*vectorLen*4 < uint64(n)) && !slices.Contains(list, int(lag)) {
			list = append(list, int(lag))
		}
	}
	if !isCountable(part.Shape) {
		return nil
	}
	stride := uint64(1)
	for i := len(part.Shape) - 1; i >= 0; i-- {
		add(stride)
		stride *= uint64(part.Shape[i])
	}
	for lag := range uint64(4) {
		add(lag + 1)
	}
	return list
}

// isCountable tells whether a tensor has elements, and not too many to count by.
func isCountable(shape []int64) bool {
	n := uint64(1)
	for _, d := range shape {
		if d <= 0 || uint64(d) > maxStride/n {
			return false
		}
		n *= uint64(d)
	}
	return len(shape) > 0
}

// byNeighbour gives classes by the symbol lag before, of about equal weight.
// Blocks hold perBlock elements.
func (f *contextFinder) byNeighbour(lag int, sign signPlace, base split, classes, perBlock int) (contextChoice, bool) {
	split := base
	top := base.exponentAndTop()
	split.sign, split.raw = sign, f.shape.bits-top
	if sign == signSymbol {
		split.raw--
	}
	if !f.setValues(&split) {
		return contextChoice{}, false
	}
	f.clearCounts(1)
	for _, v := range f.values {
		f.counts[0][v&(contextValues-1)]++
	}
	thresholds, classOf := cutByWeight(f.counts[0][:f.bound], f.n, classes, sign)
	if len(thresholds) == 0 {
		return contextChoice{}, false
	}
	c := context{kind: contextNeighbour, lag: lag, segmented: lag < maxLanes, classes: len(thresholds) + 2}
	c.first = byte(len(thresholds) + 1)
	f.clearCounts(c.classes)
	block := blockLens(f.n, perBlock, 1)[0]
	if c.segmented {
		block = len(f.values)
	}
	for at := 0; at < len(f.values); at += block {
		values := f.values[at:min(at+block, len(f.values))]
		for _, v := range values[:min(lag, len(values))] {
			f.counts[c.first&(maxClasses-1)][v&(contextValues-1)]++
		}
		if lag >= len(values) {
			continue
		}
		before := values[:len(values)-lag]
		for i, v := range values[lag:] {
			class := classOf[before[i]&(contextValues-1)]
			f.counts[class&(maxClasses-1)][v&(contextValues-1)]++
		}
	}
	choice, ok := f.settle(c, split, float64(8*(8+len(thresholds))))
	if !ok {
		return choice, false
	}
	for _, v := range thresholds {
		choice.context.thresholds = append(choice.context.thresholds, byte(choice.split.alpha.symbol(v)))
	}
	return choice, true
}

// cutByWeight cuts values, in the order of what they stand for, into classes
// of about equal weight. It gives the values at which classes begin, but for
// the first, and the class of each value.
func cutByWeight(counts []uint32, n, classes int, sign signPlace) (thresholds []uint16, classOf *[contextValues]byte) {
	classOf = new([contextValues]byte)
	sum := 0
	visit := func(v int) {
		if counts[v] > 0 {
			if sum > 0 && sum*classes >= n*(len(thresholds)+1) {
				thresholds = append(thresholds, uint16(v))
			}
			sum += int(counts[v])
		}
		classOf[v] = byte(len(thresholds))
	}
	if sign != signSymbol {
		for v := range counts {
			visit(v)
		}
		return thresholds, classOf
	}
	for v := len(counts) - 1; v > 0; v -= 2 {
		visit(v)
	}
	for v := 0; v < len(counts); v += 2 {
		visit(v)
	}
	return thresholds, classOf
}
