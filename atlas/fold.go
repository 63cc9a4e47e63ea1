package atlas

import "math"

// folder adds histograms up by a key of their symbols. Its results do not depend
// on what it was used for before. It is for one goroutine.
type folder struct {
	sums [1 << 16]uint64 // zero between calls
	keys []uint16        // those that occur, in the order of their first bins
}

// fold adds bins up by key, until clear.
func (f *folder) fold(bins []bin, key func(uint16) uint16) (total float64) {
	n := uint64(0)
	for _, b := range bins {
		k := key(b.symbol)
		if f.sums[k] == 0 {
			f.keys = append(f.keys, k)
		}
		f.sums[k] += b.count
		n += b.count
	}
	return float64(n)
}

func (f *folder) clear() {
	for _, k := range f.keys {
		f.sums[k] = 0
	}
	f.keys = f.keys[:0]
}

// entropy is that of bins by key, in bits a symbol.
func (f *folder) entropy(bins []bin, key func(uint16) uint16) float64 {
	n := f.fold(bins, key)
	defer f.clear()
	if n == 0 {
		return 0
	}
	sum := 0.0
	for _, k := range f.keys {
		sum += plogp(float64(f.sums[k]))
	}
	return max(0, math.Log2(n)-sum/n)
}

func plogp(c float64) float64 { return c * math.Log2(c) }

// conditional is the entropy of the lower bytes of pairs where the upper ones
// are known.
func (f *folder) conditional(pairs []bin) float64 {
	return f.entropy(pairs, identity) - f.entropy(pairs, func(s uint16) uint16 { return s >> 8 })
}
