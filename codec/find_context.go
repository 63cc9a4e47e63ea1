package codec

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// contextFinder finds contexts that make a tensor's symbols cheaper.
//
// Candidates come from the tensor's shape: each axis for classes by place, the
// element before along each axis for classes by neighbour. A sample tells what
// each promises; the most promising are then counted out exactly.
type contextFinder struct {
	data    []byte // of n elements
	width   int
	n       int
	units   []uint16 // of the elements, once they are counted
	sign    uint16   // the sign's bit
	shape   elemShape
	values  []uint16 // of the elements, by the split that is counted
	bound   int      // that they are below
	counts  [maxClasses][contextValues]uint32
	sums    []int64
	seen    []uint32
	class   []byte     // of each element, for classes by place
	tables  [2]buckets // with the sign raw, and in the symbol
	counted counted
}

// elemShape is how the unit of an element is made up.
type elemShape struct{ bits, mantissa int }

// contextValues bounds the values that are counted for each class.
const contextValues = 4096

// contextChoice is a way to code a run with contexts, and its cost in bits.
type contextChoice struct {
	split   split
	context context
	cost    float64
}

// candidate is a way to tell classes apart.
type candidate struct {
	promise float64 // bits an element that it may save
	axes    []axis  // by place
	steps   int     // of the scale to an octave
	lag     int     // by neighbour, if there are no axes
	sign    signPlace
	classes int
}

// minContextElements is how many elements a run must have to be worth the
// tables.
const minContextElements = 1000

// search is how hard contexts are looked for. They decode several times as
// slowly, so they must save minGain as a share of a run's bits.
type search struct {
	minGain  float64
	places   int     // elements in a sample of those at places
	perPlace int     // and of each place, if that is more
	doubt    float64 // how many times as much places must promise as is sought
	buckets  int     // elements to find buckets by
	glance   int     // neighbours that must show half of what is sought
	sample   int     // of neighbours then
	exact    int     // candidates of each kind that are counted out
	pairs    int     // of axes, beside these
	// How many classes to try; fewer have fewer tables.
	steps   []int // of the scale to an octave
	classes []int // by neighbour
}

func (l Level) search(n int) search {
	if l == Small {
		return search{minGain: 0.0005, places: 1 << 14, perPlace: 8, doubt: 1, buckets: 1 << 13, sample: 1 << 14,
			exact: 4, pairs: 3, steps: []int{1, 2, 4}, classes: []int{4, 8, 14}}
	}
	s := search{minGain: 0.04, places: 1 << 11, perPlace: 4, doubt: 1, buckets: 1 << 10, glance: 1 << 8, sample: 1 << 11,
		exact: 1, steps: []int{2}, classes: []int{14}}
	if n < 1<<15 {
		s.steps, s.classes = []int{1}, []int{6}
	}
	return s
}

// find looks for contexts that make data, elements of part, smaller than
// base does. blockLen is what its blocks will hold.
func (f *contextFinder) find(data []byte, elem Elem, part Part, base choice, level Level, blockLen int) (best contextChoice, found bool) {
	n := len(data) / int(elem.Width)
	if n < minContextElements || base.split.kind != splitTop || level == Fast {
		return best, false
	}
	f.start(data, elem)
	search := level.search(n)
	best.cost = base.cost * (1 - search.minGain)
	promising := f.screen(part, search, base.cost*search.minGain/float64(n))
	perBlock := blockLen / int(elem.Width)
	var winner candidate
	for _, c := range promising {
		s := base.split
		choice, ok := f.count(c, s, perBlock)
		for !ok && s.exponentAndTop() > int(elem.Exponent) {
			s.raw++ // too many values for an alphabet
			choice, ok = f.count(c, s, perBlock)
		}
		if ok && choice.cost < best.cost {
			best, winner, found = choice, c, true
		}
	}
	if !found {
		return best, false
	}
	// Smaller classes bear fewer symbols.
	for s := best.split; s.exponentAndTop() > int(elem.Exponent); {
		s.raw++
		choice, ok := f.coarser(winner, best, s, perBlock)
		if !ok || choice.cost >= best.cost {
			break
		}
		best = choice
	}
	return best, true
}

// screen lists what promises atLeast bits an element, the most promising
// first.
func (f *contextFinder) screen(part Part, search search, atLeast float64) (list []candidate) {
	add := func(c candidate) {
		if c.promise >= atLeast {
			list = append(list, c)
		}
	}
	n := f.n
	for _, a := range part.axes(n)[1:] { // the first has one place alone
		if promise := f.placesPromise(a, search); promise >= atLeast*search.doubt {
			add(candidate{promise: promise, axes: []axis{a}})
		}
	}
	places := byPromise(list, search.exact)
	list = nil
	if lags := lags(part, n); len(lags) > 0 {
		f.fillBuckets(search.buckets)
		for k, sign := range [...]signPlace{signRaw, signSymbol} {
			for _, lag := range lags {
				if search.glance > 0 && n > 4*search.glance && f.neighboursPromise(lag, &f.tables[k], search.glance) < atLeast/2 {
					continue
				}
				add(candidate{promise: f.neighboursPromise(lag, &f.tables[k], search.sample), lag: lag, sign: sign})
			}
		}
	}
	var all []candidate
	for _, c := range append(places, byPromise(pairs(places), search.pairs)...) {
		for _, c.steps = range search.steps {
			all = append(all, c)
		}
	}
	for _, c := range byPromise(list, search.exact) {
		for _, c.classes = range search.classes {
			all = append(all, c)
		}
	}
	return all
}

// pairs lists the pairs of places by one axis and another.
func pairs(places []candidate) (list []candidate) {
	for i, a := range places {
		for k, b := range places {
			if i != k {
				list = append(list, candidate{promise: a.promise + b.promise/2, axes: []axis{a.axes[0], b.axes[0]}})
			}
		}
	}
	return list
}

// byPromise gives the most promising of list, up to limit.
func byPromise(list []candidate, limit int) []candidate {
	slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(b.promise, a.promise) })
	return list[:min(limit, len(list))]
}

// count finds what c takes with the symbols of s.
func (f *contextFinder) count(c candidate, s split, perBlock int) (contextChoice, bool) {
	if c.axes != nil {
		return f.byPlace(c.axes, s, c.steps)
	}
	return f.byNeighbour(c.lag, c.sign, s, c.classes, perBlock)
}

// coarser is count for what was counted last, with a raw bit more.
func (f *contextFinder) coarser(c candidate, last contextChoice, s split, perBlock int) (contextChoice, bool) {
	if c.axes == nil || !f.counted.is(&last) {
		return f.count(c, s, perBlock)
	}
	f.bound /= 2
	for k := range last.context.classes {
		counts := &f.counts[k]
		for v := range counts[:f.bound] {
			counts[v] = counts[2*v] + counts[2*v+1]
		}
	}
	return f.settle(last.context, s, f.counted.side)
}

// counted is what the counts are of.
type counted struct {
	axes []placeAxis
	raw  int
	side float64
}

// is tells whether the counts are those of c, with classes by place.
func (l *counted) is(c *contextChoice) bool {
	return len(l.axes) > 0 && len(c.context.axes) > 0 && &l.axes[0] == &c.context.axes[0] && l.raw == c.split.raw
}

// start begins on data.
func (f *contextFinder) start(data []byte, elem Elem) {
	f.data, f.width, f.n = data, int(elem.Width), len(data)/int(elem.Width)
	f.shape = elemShape{bits: 8 * min(f.width, 2)}
	f.shape.mantissa = f.shape.bits - 1 - int(elem.Exponent)
	f.sign = 1 << (f.shape.bits - 1)
	f.units = f.units[:0]
}

// take reads all units, if that is not done.
func (f *contextFinder) take() {
	if len(f.units) > 0 {
		return
	}
	f.units = slices.Grow(f.units, f.n)[:f.n]
	units, data := f.units, f.data
	if f.width == 2 {
		for ; len(units) >= 4 && len(data) >= 8; units, data = units[4:], data[8:] {
			v := binary.LittleEndian.Uint64(data)
			units[0], units[1], units[2], units[3] = uint16(v), uint16(v>>16), uint16(v>>32), uint16(v>>48)
		}
	}
	for i := range units {
		units[i] = unitAt(data, i, f.width)
	}
}

// elements is the number of elements in a tensor, if it has any and they are
// not too many to count by.
func elements(shape []int64) (n uint64, ok bool) {
	n = 1
	for _, d := range shape {
		if d <= 0 || uint64(d) > maxStride/n {
			return 0, false
		}
		n *= uint64(d)
	}
	return n, len(shape) > 0
}

// lags lists how far before an element its neighbours lie.
func lags(part Part, n int) (list []int) {
	add := func(lag uint64) {
		// Close ones are coded in segments, which begin without neighbours.
		if lag < uint64(n)/2 && (lag >= maxLanes || lag*vectorLen*4 < uint64(n)) && !slices.Contains(list, int(lag)) {
			list = append(list, int(lag))
		}
	}
	if _, ok := elements(part.Shape); !ok {
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

// placesPromise estimates the bits an element that classes by place save. A
// magnitude is about a logarithm: its exponent, and a mantissa that is nearly
// one. The spread of the places' means beyond that of chance is their spread
// in scale; knowing the scale s of a normal weight saves about the variance of
// ln s in nats (half of Fisher's information, which is 2).
func (f *contextFinder) placesPromise(a axis, search search) float64 {
	squares := float64(f.sumPlaces(a, sampleStep(f.n, max(search.places, search.perPlace*a.count))))
	var n, k, sum, between float64
	for p, c := range f.seen {
		if c > 0 {
			k++
			n += float64(c)
			sum += float64(f.sums[p])
			between += float64(f.sums[p]) * float64(f.sums[p]) / float64(c)
		}
	}
	if k < 2 || n <= k {
		return 0
	}
	within := (squares - between) / (n - k)
	spread := (between - sum*sum/n - (k-1)*within) / n // one-way analysis of variance
	octave := float64(uint(1) << f.shape.mantissa)
	return math.Ln2 * spread / (octave * octave)
}

// sampleStep is how far apart elements of a sample of about want lie: a number
// that few shapes share a divisor with.
func sampleStep(n, want int) int {
	step := n / want
	if step < 2 {
		return 1
	}
	return step | 1
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

// setValues fills values for s; false if there are too many to count.
func (f *contextFinder) setValues(s *split) bool {
	f.counted, f.bound = counted{}, 1<<s.valueBits()
	if f.bound > contextValues {
		return false
	}
	f.take()
	f.values = slices.Grow(f.values[:0], f.n)[:f.n]
	values, sign, shift := f.values[:len(f.units)], f.sign, s.rankShift()&15
	if s.sign != signSymbol {
		for i, u := range f.units {
			values[i] = u &^ sign >> shift
		}
		return true
	}
	top := uint(f.shape.bits-1) & 15
	for i, u := range f.units {
		values[i] = u&^sign>>shift<<1 | u>>top
	}
	return true
}

// exponentAndTop is how many bits of the unit, but for the sign, are in the
// symbol.
func (s *split) exponentAndTop() int {
	if s.sign == signSymbol {
		return s.valueBits() - 1
	}
	return s.valueBits()
}

func (f *contextFinder) clearCounts(classes int) {
	for k := range classes {
		clear(f.counts[k][:f.bound])
	}
}

// settle turns the counts of each class into a choice: the alphabet that all
// share, and the cost. side is what else the context takes, in bits.
func (f *contextFinder) settle(c context, s split, side float64) (contextChoice, bool) {
	s.natural = s.width > 1
	f.counted = counted{c.axes, s.raw, side}
	var sums [contextValues]uint32
	all := sums[:f.bound]
	cost := side + float64(f.n*s.raw)
	for k := range c.classes {
		entropy, used := 0.0, 0
		n := uint32(0)
		for v, count := range f.counts[k][:len(all)] {
			entropy -= countLog2(count)
			n += count
			used += used32(count)
			all[v] += count
		}
		if n > 0 {
			entropy += float64(n) * math.Log2(float64(n))
		}
		cost += entropy + float64(used*tableBitsPerSymbol) + 3*8
	}
	var present []uint16
	for v, count := range all {
		if count > 0 {
			present = append(present, uint16(v))
		}
	}
	var ok bool
	if s.alpha, ok = newAlphabet(present, 1<<s.valueBits()); !ok {
		return contextChoice{}, false
	}
	return contextChoice{split: s, context: c, cost: cost}, true
}

// screenBuckets is how many buckets a screened unit may be in.
const screenBuckets = 8

// screenBits is how many of a unit's upper bits its bucket depends on.
const screenBits = 12

// buckets give the bucket of a unit by its upper bits: buckets of about equal
// weight, in the order of the magnitudes or, with the sign, of the values.
type buckets struct {
	of    [1 << screenBits]byte
	shift int
}

// fillBuckets fills the tables by so many elements.
func (f *contextFinder) fillBuckets(elements int) {
	f.take()
	shift := max(f.shape.bits-screenBits, 0)
	var counts [1 << screenBits]uint32
	step := sampleStep(f.n, elements)
	n := uint32(0)
	for i := 0; i < len(f.units); i += step {
		counts[f.units[i]>>(shift&15)&(1<<screenBits-1)]++
		n++
	}
	half := 1 << (f.shape.bits - shift - 1)
	raw, signed := &f.tables[0], &f.tables[1]
	raw.shift, signed.shift = shift, shift
	sum := uint32(0)
	for v := range half {
		sum += counts[v] + counts[v+half]
		b := bucketOf(sum, n)
		raw.of[v], raw.of[v+half] = b, b
	}
	sum = 0
	for v := 2*half - 1; v >= half; v-- {
		sum += counts[v]
		signed.of[v] = bucketOf(sum, n)
	}
	for v := range half {
		sum += counts[v]
		signed.of[v] = bucketOf(sum, n)
	}
}

// bucketOf is the bucket of a unit that sum of n elements do not surpass.
func bucketOf(sum, n uint32) byte {
	return byte(min(sum*screenBuckets/(n+1), screenBuckets-1))
}

// neighboursPromise estimates the bits an element that classes by the
// neighbour lag before save, from so many pairs: the mutual information of
// both in buckets, less what chance makes of it.
func (f *contextFinder) neighboursPromise(lag int, b *buckets, pairs int) float64 {
	step := sampleStep(f.n-lag, pairs)
	var joint [screenBuckets][screenBuckets]uint32
	n := 0
	this, before := f.units[lag:], f.units[:f.n-lag]
	for i := 0; i < len(this) && i < len(before); i += step {
		row, column := b.of[before[i]>>(b.shift&15)&(1<<screenBits-1)], b.of[this[i]>>(b.shift&15)&(1<<screenBits-1)]
		joint[row&(screenBuckets-1)][column&(screenBuckets-1)]++
		n++
	}
	const chance = (screenBuckets - 1) * (screenBuckets - 1) / (2 * math.Ln2)
	return mutualInformation(&joint, n) - chance/float64(n)
}

func mutualInformation(joint *[screenBuckets][screenBuckets]uint32, n int) (bits float64) {
	var columns [screenBuckets]uint32
	for i := range joint {
		row := uint32(0)
		for k, c := range joint[i] {
			row += c
			columns[k] += c
			bits += exactLog2(c)
		}
		bits -= exactLog2(row)
	}
	for _, c := range columns {
		bits -= exactLog2(c)
	}
	return (bits + exactLog2(uint32(n))) / float64(n)
}

// exactLog2 is c·log2(c).
func exactLog2(c uint32) float64 {
	if c < uint32(len(exactLogs)) {
		return exactLogs[c]
	}
	return float64(c) * math.Log2(float64(c))
}

var exactLogs = func() (t [1 << 11]float64) {
	for c := 1; c < len(t); c++ {
		t[c] = float64(c) * math.Log2(float64(c))
	}
	return
}()

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
		choice.context.thresholds = append(choice.context.thresholds, symbolOf(&choice.split.alpha, v))
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

// symbolOf is the symbol of a value that the alphabet holds.
func symbolOf(a *alphabet, value uint16) byte {
	switch {
	case a.kind == alphabetList:
		i, _ := slices.BinarySearch(a.list, value)
		return byte(i)
	case a.zero && value == 0:
		return 0
	}
	return byte(value - a.base)
}
