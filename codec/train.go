package codec

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Trainer makes a Profile of the chunks of some models. It takes a bounded amount
// of memory, however many they are, and the same chunks in the same order give
// the same profile.
type Trainer struct {
	points   []point
	perPoint int // chunks that share one
	inLast   int // of them in the last one
	samples  samples
}

// point counts the bf16 elements of a chunk, or of some that follow one another.
type point struct {
	symbols   [1 << splitValueBits]uint32 // by sign and exponent
	mantissas [128]uint32
}

const (
	maxPoints      = 4096
	maxTrainRounds = 32
	// trainedWeights is of how many elements a table is as exact as pays: more is
	// rounding noise in a chunk.
	trainedWeights = 1 << 20
)

// ErrNothingToLearn reports a Trainer that was given too little.
var ErrNothingToLearn = errors.New("nothing to learn from")

// NewTrainer gives a Trainer that has seen nothing.
func NewTrainer() *Trainer { return &Trainer{perPoint: 1} }

// Add learns from a chunk of elements elem; data is not kept.
func (t *Trainer) Add(data []byte, elem Elem) {
	t.samples.add(data)
	if elem != BF16 {
		return
	}
	if len(t.points) == 0 || t.inLast == t.perPoint {
		if len(t.points) == maxPoints {
			t.halve()
		}
		t.points, t.inLast = append(t.points, point{}), 0
	}
	t.inLast++
	p := &t.points[len(t.points)-1]
	for ; len(data) >= 2; data = data[2:] {
		unit := uint16(data[0]) | uint16(data[1])<<8
		p.symbols[unit>>7&0xff<<1|unit>>15]++
		p.mantissas[unit&127]++
	}
}

// halve joins each two neighbours.
func (t *Trainer) halve() {
	for i := range maxPoints / 2 {
		p := t.points[2*i]
		p.add(&t.points[2*i+1])
		t.points[i] = p
	}
	t.points, t.perPoint = t.points[:maxPoints/2], 2*t.perPoint
}

// add adds counts, which stay within their bounds.
func (p *point) add(o *point) {
	addCounts(p.symbols[:], o.symbols[:])
	addCounts(p.mantissas[:], o.mantissas[:])
}

func addCounts(to, counts []uint32) {
	for i, c := range counts {
		to[i] = uint32(min(uint64(to[i])+uint64(c), math.MaxUint32))
	}
}

// Profile gives a profile of up to k distributions, 0 to MaxDistributions, and a
// dictionary of up to dictionaryLen bytes; 0 is none. The error wraps
// ErrNothingToLearn if the chunks were too few.
func (t *Trainer) Profile(k, dictionaryLen int) (*Profile, error) {
	if k < 0 || k > MaxDistributions || dictionaryLen < 0 || dictionaryLen > MaxDictionaryLen {
		return nil, fmt.Errorf("profile of %d distributions and a dictionary of %d bytes", k, dictionaryLen)
	}
	p := new(Profile)
	if k > 0 {
		if len(t.points) == 0 {
			return nil, fmt.Errorf("%w: no bf16 weights", ErrNothingToLearn)
		}
		all := t.total()
		seen := all.withTails()
		if err := p.setAlphabet(&seen); err != nil {
			return nil, err
		}
		t.cluster(p, k, &all, &seen)
	}
	if dictionaryLen > 0 {
		content := t.samples.dictionary(dictionaryLen)
		if len(content) < minDictionaryLen {
			return nil, fmt.Errorf("%w: too few bytes for a dictionary", ErrNothingToLearn)
		}
		p.dict = newDictionary(content)
	}
	return p, nil
}

// reach is how many exponents from the largest down have a share in any case: of
// more weights, some are where these had none.
const reach = 28

// withTails counts weights that the tails of what was seen may have as if they had
// occurred once.
func (p *point) withTails() point {
	seen := *p
	most := len(p.symbols) - 1
	for most > 0 && p.symbols[most] == 0 {
		most--
	}
	for v := max(most|1-2*reach+1, 2); v <= most|1; v++ {
		seen.symbols[v] = max(seen.symbols[v], 1)
	}
	return seen
}

// setAlphabet takes all values seen, or the most frequent ones of too many.
func (p *Profile) setAlphabet(all *point) (err error) {
	var present []uint16
	for v, c := range all.symbols {
		if c > 0 {
			present = append(present, uint16(v))
		}
	}
	if len(present) < 2 {
		return fmt.Errorf("%w: all weights are alike", ErrNothingToLearn)
	}
	var ok bool
	if p.alpha, ok = newAlphabet(present, 1<<splitValueBits); ok {
		return nil
	}
	slices.SortStableFunc(present, func(a, b uint16) int { return cmp.Compare(all.symbols[b], all.symbols[a]) })
	present = present[:maxSymbols]
	slices.Sort(present)
	p.alpha, _ = newAlphabet(present, 1<<splitValueBits)
	return nil
}

func (t *Trainer) total() (all point) {
	for i := range t.points {
		all.add(&t.points[i])
	}
	return all
}

// cluster finds k distributions, so that the points take few bits by the best for
// each: from one for all, adding each time one for the point that loses most,
// and moving all to what they are best for until nothing changes.
func (t *Trainer) cluster(p *Profile, k int, all, seen *point) {
	p.distributions = []distribution{p.fit(all, seen)}
	for n := 1; n < k; n++ {
		worst := t.worst(p)
		if worst < 0 {
			break
		}
		p.distributions = append(p.distributions, p.fit(&t.points[worst], seen))
		t.settle(p, seen)
		if len(p.distributions) <= n {
			break // no other is worth its place
		}
	}
	slices.SortStableFunc(p.distributions, func(a, b distribution) int {
		return cmp.Or(slices.Compare(a.sent[0], b.sent[0]), slices.Compare(a.sent[1], b.sent[1]))
	})
}

// settle gives each point to the distribution that is best for it, and fits each
// to its points, in turn. One that is best for none is dropped.
func (t *Trainer) settle(p *Profile, seen *point) {
	owner := make([]int, len(t.points))
	for range maxTrainRounds {
		changed := false
		costs := p.costs()
		sums := make([]point, len(p.distributions))
		members := make([]int, len(p.distributions))
		for i := range t.points {
			best, _ := cheapestFor(&t.points[i], costs)
			changed = changed || owner[i] != best
			owner[i] = best
			sums[best].add(&t.points[i])
			members[best]++
		}
		p.distributions = p.distributions[:0]
		for i := range sums {
			if members[i] > 0 {
				p.distributions = append(p.distributions, p.fit(&sums[i], seen))
			}
		}
		if !changed && len(p.distributions) == len(sums) {
			return
		}
	}
}

// worst is the point that loses most against a distribution of its own; -1 if none
// loses what one costs.
func (t *Trainer) worst(p *Profile) int {
	worst, most := -1, 0.0
	costs := p.costs()
	for i := range t.points {
		_, cost := cheapestFor(&t.points[i], costs)
		lost := cost - entropyBits(t.points[i].symbols[:]) - entropyBits(t.points[i].mantissas[:])
		if lost > most {
			worst, most = i, lost
		}
	}
	return worst
}

func entropyBits(counts []uint32) (bits float64) {
	n := uint64(0)
	for _, c := range counts {
		n += uint64(c)
		if c > 0 {
			bits -= exactLog2(c)
		}
	}
	if n == 0 {
		return 0
	}
	return bits + float64(n)*math.Log2(float64(n))
}

// pointCosts are the bits of each value by one distribution.
type pointCosts struct {
	symbols   [1 << splitValueBits]float64
	mantissas [128]float64
}

// unknownBits is what a value costs that the alphabet lacks.
const unknownBits = 32

func (p *Profile) costs() []pointCosts {
	costs := make([]pointCosts, len(p.distributions))
	for i := range costs {
		c := &costs[i]
		for v := range c.symbols {
			c.symbols[v] = unknownBits
		}
		for symbol, f := range p.distributions[i].tables[0] {
			if v := p.alpha.value(symbol); f > 0 {
				c.symbols[v] = log2Frequency[f]
			}
		}
		for v := range c.mantissas {
			c.mantissas[v] = unknownBits
		}
		for v, f := range p.distributions[i].tables[1] {
			if f > 0 {
				c.mantissas[v] = log2Frequency[f]
			}
		}
	}
	return costs
}

// cheapestFor gives the first of those by which pt takes the fewest bits.
func cheapestFor(pt *point, costs []pointCosts) (best int, bits float64) {
	bits = math.Inf(1)
	for i := range costs {
		c, sum := &costs[i], 0.0
		for v, n := range pt.symbols {
			sum += float64(n) * c.symbols[v]
		}
		for v, n := range pt.mantissas {
			sum += float64(n) * c.mantissas[v]
		}
		if sum < bits {
			best, bits = i, sum
		}
	}
	return best, bits
}

// fit gives the distribution of pt, in which all values that were seen at all have
// some share: another model may have them.
func (p *Profile) fit(pt, seen *point) distribution {
	symbols := make([]uint32, maxSymbols)
	for s := range symbols {
		if p.alpha.kind == alphabetList && s >= len(p.alpha.list) {
			break
		}
		if v := int(p.alpha.value(s)); v < len(pt.symbols) && seen.symbols[v] > 0 {
			symbols[s] = max(pt.symbols[v], 1)
		}
	}
	mantissas := make([]uint32, len(pt.mantissas))
	for v, c := range pt.mantissas {
		mantissas[v] = max(c, 1)
	}
	var d distribution
	for k, counts := range [][]uint32{trimmed(symbols), mantissas} {
		d.tables[k], d.sent[k], _ = chooseFrequencies(scaled(counts))
	}
	return d
}

// scaled brings counts down to about trainedWeights in all.
func scaled(counts []uint32) []uint32 {
	n := uint64(0)
	for _, c := range counts {
		n += uint64(c)
	}
	if n <= trainedWeights {
		return counts
	}
	for i, c := range counts {
		if c > 0 {
			counts[i] = uint32(max(uint64(c)*trainedWeights/n, 1))
		}
	}
	return counts
}

// trimmed cuts off the symbols at the end that do not occur.
func trimmed(counts []uint32) []uint32 {
	for len(counts) > 0 && counts[len(counts)-1] == 0 {
		counts = counts[:len(counts)-1]
	}
	return counts
}
