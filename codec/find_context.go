package codec

import (
	"encoding/binary"
	"math"
	"slices"
)

// contextFinder finds contexts that make a tensor's symbols cheaper.
//
// Candidates come from the tensor's shape: each axis for classes by place, the
// element before along each axis for classes by neighbour. A sample tells
// whether one promises anything; the promising are then counted out exactly.
type contextFinder struct {
	data   []byte // of n elements
	width  int
	n      int
	units  []uint16 // of the elements, once all are needed
	sign   uint16   // the sign's bit
	shape  elemShape
	counts [maxClasses][contextValues]uint32
	sums   []uint64
	seen   []uint32
	class  []byte

	buckets [signSymbol + 1]buckets
	sample  []int
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

// axis tells places apart: element i of a run has place (i+phase)/stride mod
// count.
type axis struct{ stride, count, phase uint64 }

// Bounds of the search.
const (
	minContextElements = 1000 // a run of fewer is not worth the tables
	minPerPlace        = 4    // elements
	screenElements     = 1 << 15
	screenPairs        = 1 << 13
	screenBounds       = 1 << 10
)

// minGain is what contexts must save, as a share of a run's bits: they decode
// more slowly.
func (l Level) minGain() float64 {
	switch l {
	case Small:
		return 0.0005
	case Balanced:
		return 0.015
	}
	return math.Inf(1)
}

// find looks for contexts that make data, elements of part, smaller than
// base does. blockLen is what its blocks will hold.
func (f *contextFinder) find(data []byte, elem Elem, part Part, base choice, level Level, blockLen int) (best contextChoice, found bool) {
	n := len(data) / int(elem.Width)
	if n < minContextElements || base.split.kind != splitTop || level == Fast {
		return best, false
	}
	axes, lags := axes(part, n), lags(part, n)
	if len(axes)+len(lags) == 0 {
		return best, false
	}
	f.start(data, elem)
	atLeast := level.minGain() * base.cost
	best.cost = base.cost - atLeast
	var winner func(split) (contextChoice, bool)
	try := func(candidate func(split) (contextChoice, bool)) {
		if c, found := candidate(base.split); found && c.cost < best.cost {
			best, winner = c, candidate
		}
	}
	for _, a := range axes {
		if f.placesPromise(a)*float64(n) < atLeast {
			continue
		}
		for _, steps := range [...]int{1, 2} {
			try(func(s split) (contextChoice, bool) { return f.byPlace(a, s, steps) })
		}
	}
	perBlock := blockLen / int(elem.Width)
	for _, lag := range lags {
		for _, sign := range [...]signPlace{signRaw, signSymbol} {
			if f.neighboursPromise(lag, sign)*float64(n) < atLeast {
				continue
			}
			for _, classes := range [...]int{6, 14} {
				try(func(s split) (contextChoice, bool) { return f.byNeighbour(lag, sign, s, classes, perBlock) })
			}
		}
	}
	if winner == nil {
		return best, false
	}
	// Smaller classes bear fewer symbols.
	for s := base.split; s.exponentAndTop() > int(elem.Exponent); {
		s.raw++
		c, found := winner(s)
		if !found || c.cost >= best.cost {
			break
		}
		best = c
	}
	return best, true
}

// start begins on data.
func (f *contextFinder) start(data []byte, elem Elem) {
	f.data, f.width, f.n = data, int(elem.Width), len(data)/int(elem.Width)
	f.shape = elemShape{bits: 8 * min(f.width, 2)}
	f.shape.mantissa = f.shape.bits - 1 - int(elem.Exponent)
	f.sign = 1 << (f.shape.bits - 1)
	f.units = f.units[:0]
	for i := range f.buckets {
		f.buckets[i].made = false
	}
}

// unit gives one unit, for screening.
func (f *contextFinder) unit(i int) uint16 { return unitAt(f.data, i, f.width) }

// all gives all units, for counting.
func (f *contextFinder) all() []uint16 {
	if len(f.units) > 0 {
		return f.units
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
	return f.units
}

// axes lists the axes of a part of n elements that have some elements for each
// place, and more than one place.
func axes(part Part, n int) (list []axis) {
	add := func(stride, count uint64) {
		a := axis{stride: stride, count: count}
		whole := stride * count
		skip := uint64(part.Skip) % whole
		first := skip / stride
		if last := (skip + uint64(n) - 1) / stride; last < count { // no place comes twice
			a.count = last - first + 1
			a.phase = skip - first*stride
		} else {
			a.phase = skip
		}
		if a.count > 1 && a.count <= maxPlaces && a.count*minPerPlace <= uint64(n) && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	total, ok := elements(part.Shape)
	if !ok {
		return nil
	}
	stride := uint64(1)
	for i := len(part.Shape) - 1; i >= 0; i-- {
		d := uint64(part.Shape[i])
		if d > 1 {
			add(stride, d)
			add(1, stride*d)
			add(stride, total/stride)
		}
		stride *= d
	}
	return list
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

// sumPlaces adds up the magnitudes at each place, of every step-th element.
func (f *contextFinder) sumPlaces(a axis, step int) {
	f.sums = slices.Grow(f.sums[:0], int(a.count))[:a.count]
	f.seen = slices.Grow(f.seen[:0], int(a.count))[:a.count]
	clear(f.sums)
	clear(f.seen)
	p, r := (a.phase/a.stride)%a.count, a.phase%a.stride
	for i := 0; i < f.n; i += step {
		if m := f.unit(i) &^ f.sign; m > 0 {
			f.sums[p] += uint64(m)
			f.seen[p]++
		}
		for r += uint64(step); r >= a.stride; r -= a.stride {
			if a.stride == 1 {
				p, r = (p+r)%a.count, 0
				break
			}
			if p++; p == a.count {
				p = 0
			}
		}
	}
}

// placesPromise estimates the bits an element that classes by place save. A
// magnitude is about a logarithm: its exponent, and a mantissa that is nearly
// one. The spread of the places' means beyond that of chance is their spread
// in scale; knowing the scale s of a normal weight saves about the variance of
// ln s in nats (half of Fisher's information, which is 2).
func (f *contextFinder) placesPromise(a axis) float64 {
	step := sampleStep(f.n, max(screenElements, 8*int(a.count)))
	f.sumPlaces(a, step)
	var n, k, sum, squares, between float64
	for p, c := range f.seen {
		if c > 0 {
			k++
			n += float64(c)
			sum += float64(f.sums[p])
			between += float64(f.sums[p]) * float64(f.sums[p]) / float64(c)
		}
	}
	for i := 0; i < f.n; i += step {
		m := float64(f.unit(i) &^ f.sign)
		squares += m * m
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

// byPlace gives classes for the places of a by the means of their magnitudes:
// steps of them to half an octave.
func (f *contextFinder) byPlace(a axis, base split, steps int) (contextChoice, bool) {
	f.sumPlaces(a, 1)
	f.class = slices.Grow(f.class[:0], int(a.count))[:a.count]
	step := max(1<<f.shape.mantissa/2/steps, 1)
	lowest, highest := math.MaxInt, 0
	scale := func(p int) int { return int(f.sums[p]/uint64(f.seen[p])) / step }
	for p, c := range f.seen {
		if c > 0 {
			lowest, highest = min(lowest, scale(p)), max(highest, scale(p))
		}
	}
	lowest = max(lowest, highest-maxClasses+1)
	var used [maxClasses]bool
	for p, c := range f.seen {
		f.class[p] = 0
		if c > 0 {
			f.class[p] = byte(max(scale(p), lowest) - lowest)
		}
		used[f.class[p]] = true
	}
	classes := renumber(f.class, &used)
	if classes < 2 {
		return contextChoice{}, false
	}
	split := base
	split.sign, split.raw = signRaw, f.shape.bits-base.exponentAndTop()
	if 1<<split.valueBits() > contextValues {
		return contextChoice{}, false
	}
	f.clearCounts(classes)
	shift := split.rankShift()
	p, r := (a.phase/a.stride)%a.count, a.phase%a.stride
	class := f.class[p]
	for _, u := range f.all() {
		f.counts[class][(u&^f.sign)>>shift]++
		if r++; r == a.stride {
			r = 0
			if p++; p == a.count {
				p = 0
			}
			class = f.class[p]
		}
	}
	c := context{kind: contextPlace, classes: classes, stride: a.stride, phase: a.phase}
	side := float64(a.count)*float64(c.classBits()) + 8*12
	choice, ok := f.settle(c, split, side)
	if ok {
		choice.context.class = slices.Clone(f.class)
	}
	return choice, ok
}

// exponentAndTop is how many bits of the unit, but for the sign, are in the
// symbol.
func (s *split) exponentAndTop() int {
	if s.sign == signSymbol {
		return s.valueBits() - 1
	}
	return s.valueBits()
}

// renumber closes the gaps between the classes used, and gives their number.
func renumber(class []byte, used *[maxClasses]bool) int {
	var number [maxClasses]byte
	n := 0
	for k, u := range used {
		number[k] = byte(n)
		if u {
			n++
		}
	}
	for i, k := range class {
		class[i] = number[k]
	}
	return n
}

func (f *contextFinder) clearCounts(classes int) {
	for k := range classes {
		clear(f.counts[k][:])
	}
}

// settle turns the counts of each class into a choice: the alphabet that all
// share, and the cost. side is what else the context takes, in bits.
func (f *contextFinder) settle(c context, s split, side float64) (contextChoice, bool) {
	s.natural = s.width > 1
	var all [contextValues]bool
	cost := side + float64(f.n*s.raw)
	for k := range c.classes {
		bits, used := 0.0, 0
		n := uint32(0)
		for v, count := range f.counts[k][:] {
			if count > 0 {
				bits -= float64(count) * fastLog2(count)
				n += count
				used++
				all[v] = true
			}
		}
		if n > 0 {
			bits += float64(n) * math.Log2(float64(n))
		}
		cost += bits + float64(used*tableBitsPerSymbol) + 3*8
	}
	var present []uint16
	for v, p := range all {
		if p {
			present = append(present, uint16(v))
		}
	}
	var ok bool
	if s.alpha, ok = newAlphabet(present, 1<<s.valueBits()); !ok {
		return contextChoice{}, false
	}
	return contextChoice{split: s, context: c, cost: cost}, true
}

// ordered is a unit as a number that rises with the value it stands for.
func (f *contextFinder) ordered(u uint16, sign signPlace) int {
	if sign == signSymbol && u&f.sign != 0 {
		return -int(u&^f.sign) - 1
	}
	return int(u &^ f.sign)
}

// screenBuckets is how many buckets a screened unit may be in.
const screenBuckets = 8

// neighboursPromise estimates the bits an element that classes by the
// neighbour lag before save: the mutual information of both, in buckets of
// equal weight, less what chance makes of it.
func (f *contextFinder) neighboursPromise(lag int, sign signPlace) float64 {
	bucket := f.bucketsOf(sign)
	step := sampleStep(f.n-lag, screenPairs)
	var joint [screenBuckets][screenBuckets]int
	n := 0
	for i := lag; i < f.n; i += step {
		joint[bucket.find(f.unit(i-lag))][bucket.find(f.unit(i))]++
		n++
	}
	const chance = (screenBuckets - 1) * (screenBuckets - 1) / (2 * math.Ln2)
	return mutualInformation(&joint, n) - chance/float64(n)
}

// buckets tells units apart by the bucket they are in.
type buckets struct {
	of    [1 << bucketBits]byte // by the upper bits of the unit
	shift int
	made  bool
}

const bucketBits = 13

func (b *buckets) find(unit uint16) byte {
	return b.of[unit>>(b.shift&15)&(1<<bucketBits-1)] % screenBuckets
}

// bucketsOf gives buckets of about equal weight, by a sample of the units.
func (f *contextFinder) bucketsOf(sign signPlace) *buckets {
	b := &f.buckets[sign]
	if b.made {
		return b
	}
	b.made, b.shift = true, max(f.shape.bits-bucketBits, 0)
	sample := f.sample[:0]
	step := sampleStep(f.n, screenBounds)
	for i := 0; i < f.n; i += step {
		sample = append(sample, f.ordered(f.unit(i), sign)>>b.shift)
	}
	f.sample = sample
	slices.Sort(sample)
	var bound [screenBuckets + 1]int
	for k := range bound {
		bound[k] = sample[min(k*len(sample)/screenBuckets, len(sample)-1)]
	}
	minus := int(f.sign) >> b.shift
	bound[0], bound[screenBuckets] = 0, minus
	if sign == signSymbol {
		bound[0] = -minus
	}
	for k := range screenBuckets {
		for v := bound[k]; v < bound[k+1]; v++ {
			switch {
			case v < 0: // see ordered
				b.of[minus-v-1] = byte(k)
			case sign == signSymbol:
				b.of[v] = byte(k)
			default:
				b.of[v], b.of[v|minus] = byte(k), byte(k)
			}
		}
	}
	return b
}

func mutualInformation(joint *[screenBuckets][screenBuckets]int, n int) (bits float64) {
	var rows, columns [screenBuckets]int
	for i := range joint {
		for k, c := range joint[i] {
			rows[i] += c
			columns[k] += c
		}
	}
	for i := range joint {
		for k, c := range joint[i] {
			if c > 0 {
				bits += float64(c) * math.Log2(float64(c)*float64(n)/float64(rows[i])/float64(columns[k]))
			}
		}
	}
	return bits / float64(n)
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
	if 1<<split.valueBits() > contextValues {
		return contextChoice{}, false
	}
	shift := split.rankShift()
	value := func(u uint16) int {
		v := int(u&^f.sign) >> shift
		if sign == signSymbol {
			v <<= 1
			if u&f.sign != 0 {
				v |= 1
			}
		}
		return v
	}
	f.clearCounts(1)
	units := f.all()
	for _, u := range units {
		f.counts[0][value(u)]++
	}
	thresholds, classOf := cutByWeight(&f.counts[0], len(units), classes, sign)
	if len(thresholds) == 0 {
		return contextChoice{}, false
	}
	c := context{kind: contextNeighbour, lag: lag, segmented: lag < maxLanes, classes: len(thresholds) + 2}
	c.first = byte(len(thresholds) + 1)
	f.clearCounts(c.classes)
	block := blockLens(len(units), perBlock, 1)[0]
	for i, u := range units {
		class := c.first
		if c.segmented || i%block >= lag {
			if i >= lag {
				class = classOf[value(units[i-lag])]
			}
		}
		f.counts[class][value(u)]++
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
func cutByWeight(counts *[contextValues]uint32, n, classes int, sign signPlace) (thresholds []uint16, classOf *[contextValues]byte) {
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
		for v := range contextValues {
			visit(v)
		}
		return thresholds, classOf
	}
	for v := contextValues - 1; v > 0; v -= 2 {
		visit(v)
	}
	for v := 0; v < contextValues; v += 2 {
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
