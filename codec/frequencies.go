package codec

import (
	"fmt"
	"math"
	"math/bits"
)

// Frequencies of a static rANS model: they add up to 1<<ransBits, and a
// symbol that never occurs has frequency 0.
const (
	ransBits  = 12
	ransTotal = 1 << ransBits
)

// frequencies holds one frequency a symbol, at most 256 of them.
type frequencies []uint16

// Exact precision: every bit of a frequency is sent.
const exactPrecision = ransBits - 1

// writeFrequencies appends the table of weights that readFrequencies reads
// (docs/format.md, "Frequency table"). precision is how many bits after the
// leading one of each weight are sent.
func writeFrequencies(dst []byte, f frequencies, precision uint) []byte {
	dst = append(dst, byte(len(f)-1), byte(precision))
	w := bitWriter{buf: dst}
	prev := 0
	for _, v := range f {
		class := bits.Len16(v)
		writeClass(&w, class-prev)
		if class > 1 {
			m := min(uint(class-1), precision)
			w.write(uint32(v)>>(uint(class-1)-m)&(1<<m-1), m)
		}
		prev = class
	}
	return w.close()
}

// tableLen is the length of what writeFrequencies appends.
func (f frequencies) tableLen(precision uint) int {
	n := uint(0)
	prev := 0
	for _, v := range f {
		class := bits.Len16(v)
		n += classBits(class - prev)
		if class > 1 {
			n += min(uint(class-1), precision)
		}
		prev = class
	}
	return 2 + int(n+7)/8
}

// classBits is how many bits writeClass writes.
func classBits(diff int) uint {
	switch diff {
	case 0:
		return 1
	case -1:
		return 2
	case 1:
		return 3
	}
	return 8
}

// writeClass writes the difference of two bit lengths: 0, 10 and 110 for 0,
// -1 and 1; 111 and five bits for the others.
func writeClass(w *bitWriter, diff int) {
	z := uint32(2 * diff)
	if diff < 0 {
		z = uint32(-2*diff - 1)
	}
	switch z {
	case 0:
		w.write(0, 1)
	case 1:
		w.write(1, 2)
	case 2:
		w.write(3, 3)
	default:
		w.write(7|(z-3)<<3, 8)
	}
}

func readClass(r *bitReader) int {
	if r.n < 8 {
		r.refill()
	}
	z := uint32(bits.TrailingZeros64(^r.acc))
	if z < 3 {
		r.skip(uint(z) + 1)
	} else {
		z = 3 + uint32(r.acc>>3&31)
		r.skip(8)
	}
	if z&1 == 1 {
		return -int(z+1) / 2
	}
	return int(z / 2)
}

// readFrequencies parses a table and returns what follows it.
func readFrequencies(b []byte) (frequencies, []byte, error) {
	if len(b) < 2 {
		return nil, nil, fmt.Errorf("%w: frequency table cut short", ErrCorrupt)
	}
	n, precision := int(b[0])+1, uint(b[1])
	if precision > exactPrecision {
		return nil, nil, fmt.Errorf("%w: frequency precision %d", ErrCorrupt, precision)
	}
	f := make(frequencies, n)
	r := bitReader{buf: b[2:]}
	class := 0
	for i := range f {
		class += readClass(&r)
		if class < 0 || class > ransBits {
			return nil, nil, fmt.Errorf("%w: frequency of %d bits", ErrCorrupt, class)
		}
		f[i] = readWeight(&r, class, precision)
	}
	rest, ok := r.close(b[2:])
	if !ok {
		return nil, nil, fmt.Errorf("%w: frequency table cut short", ErrCorrupt)
	}
	if !f.normalise() {
		return nil, nil, fmt.Errorf("%w: frequencies of fewer than two symbols", ErrCorrupt)
	}
	return f, rest, nil
}

// readWeight reads the bits after the leading one of a weight of class bits.
func readWeight(r *bitReader, class int, precision uint) uint16 {
	if class < 2 {
		return uint16(class)
	}
	low := uint(class - 1)
	m := min(low, precision)
	return middle(1<<low|r.read(m)<<(low-m), low-m)
}

// middle gives a weight whose lowest bits are not sent: they are taken in the
// middle of their range.
func middle(v uint32, unsent uint) uint16 {
	v = v >> unsent << unsent
	if unsent > 0 {
		v |= 1 << (unsent - 1)
	}
	return uint16(v)
}

// sent appends to dst the frequencies that a reader gets of f, sent with that
// precision.
func (f frequencies) sent(dst frequencies, precision uint) frequencies {
	for _, v := range f {
		if class := uint(bits.Len16(v)); class > 1 {
			v = middle(uint32(v), class-1-min(class-1, precision))
		}
		dst = append(dst, v)
	}
	dst.normalise()
	return dst
}

// normalise scales weights to frequencies that add up to ransTotal, in
// integers alone so that every reader gets the same. Weights that do already
// stay as they are. It reports false if fewer than two symbols occur.
func (f frequencies) normalise() bool {
	sum, used := 0, 0
	for _, v := range f {
		sum += int(v)
		if v > 0 {
			used++
		}
	}
	if used < 2 {
		return false
	}
	if sum == ransTotal {
		return true
	}
	left := ransTotal
	for i, v := range f {
		if v > 0 {
			f[i] = max(1, uint16(uint32(v)*ransTotal/uint32(sum)))
			left -= int(f[i])
		}
	}
	f.spread(left)
	return true
}

// spread adds a positive left to the frequencies, one each in the order of
// byLength, and takes a negative one from the largest, step by step.
func (f frequencies) spread(left int) {
	if left > 0 {
		var order [256]byte
		for _, s := range f.byLength(&order)[:left] {
			f[s]++
		}
		return
	}
	for ; left < 0; left++ {
		most := 0
		for s, v := range f {
			if v > f[most] {
				most = s
			}
		}
		f[most]--
	}
}

// byLength lists the symbols that occur, those whose frequencies have most
// bits first, and in their own order among equals.
func (f frequencies) byLength(order *[256]byte) []byte {
	var next [ransBits + 2]int // by length: where its next symbol goes
	for _, v := range f {
		next[bits.Len16(v)]++
	}
	end := 0
	for length := len(next) - 1; length > 0; length-- {
		next[length], end = end, end+next[length]
	}
	for s, v := range f {
		if v > 0 {
			at := &next[bits.Len16(v)]
			order[*at&255] = byte(s)
			*at++
		}
	}
	return order[:end]
}

// fitFrequencies gives the frequencies that cost fewest bits for counts, by
// rounding and then moving single steps where they cost least. At least two
// symbols must occur.
func fitFrequencies(counts []uint32) frequencies {
	f := make(frequencies, len(counts))
	total := 0.0
	for _, c := range counts {
		total += float64(c)
	}
	left := ransTotal
	for i, c := range counts {
		if c > 0 {
			v := math.Floor(float64(c)*ransTotal/total + 0.5)
			f[i] = uint16(min(max(1, v), ransTotal-1))
			left -= int(f[i])
		}
	}
	step := 1
	if left < 0 {
		step = -1
	}
	var costs [maxSymbols]float64
	for i, c := range counts {
		costs[i] = stepCost(c, f[i], step)
	}
	for ; left != 0; left -= step {
		i := cheapest(costs[:len(counts)])
		f[i] += uint16(step)
		costs[i] = stepCost(counts[i], f[i], step)
	}
	return f
}

// stepCost is about what it costs to change the frequency of a symbol by step: d
// log2(f) is close enough to step/f to rank the candidates.
func stepCost(count uint32, f uint16, step int) float64 {
	if count == 0 || step < 0 && f == 1 || step > 0 && f == ransTotal-1 {
		return math.Inf(1)
	}
	return -float64(count) * float64(step) / (float64(f) + float64(step)/2)
}

// cheapest gives the first of the least costs.
func cheapest(costs []float64) (best int) {
	for i, c := range costs {
		if c < costs[best] {
			best = i
		}
	}
	return best
}

// cost is the number of bits that symbols so counted take.
func (f frequencies) cost(counts []uint32) float64 {
	b := 0.0
	for i, c := range counts {
		if c > 0 {
			b += float64(c) * log2Frequency[f[i]]
		}
	}
	return b
}

// log2Frequency[f] is the bits a symbol of frequency f takes.
var log2Frequency = func() (t [ransTotal + 1]float64) {
	for i := 1; i <= ransTotal; i++ {
		t[i] = ransBits - math.Log2(float64(i))
	}
	t[0] = math.Inf(1)
	return
}()

// chooseFrequencies gives the table that makes counts smallest, itself
// included, as bytes and as the frequencies that a reader gets from them. Of
// equals it is the one of least precision.
func chooseFrequencies(counts []uint32) (frequencies, []byte, float64) {
	exact := fitFrequencies(counts)
	least := entropyBits(counts) * (1 - 1e-9) // rounding aside, nothing costs less
	best, bestCost := uint(exactPrecision+1), math.Inf(1)
	f, spare := make(frequencies, 0, len(exact)), make(frequencies, 0, len(exact))
	// The likely ones first, which spare most of the others a closer look.
	for _, precision := range [...]uint{3, 2, 4, 1, 5, 6, exactPrecision} {
		table := 8 * float64(exact.tableLen(precision))
		if least+table > bestCost {
			continue
		}
		spare = exact.sent(spare[:0], precision)
		cost := spare.cost(counts) + table
		if cost < bestCost || cost == bestCost && precision < best {
			best, bestCost = precision, cost
			f, spare = spare, f
		}
	}
	return f, writeFrequencies(nil, exact, best), bestCost
}

// Frequencies gives the frequencies, of 4096 in all, that cost fewest bits for
// symbols that occur counts times: what a table without rounding would hold. It
// takes 2 to 256 symbols, all of which occur.
func Frequencies(counts []uint32) []uint16 { return fitFrequencies(counts) }
