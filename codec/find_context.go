package codec

import (
	"cmp"
	"encoding/binary"
	"slices"
	"unsafe"
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
	units   []uint16 // of the elements, once they are taken: data itself, or scratch
	scratch []uint16
	sign    uint16 // the sign's bit
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

// search is how hard contexts are looked for.
type search struct {
	// The bits an element they must save, as each takes longer to decode; a
	// sixteenth of them is enough too.
	minGain float64
	// The share of what places promise that is counted on: a large promise, of
	// scales that differ by octaves, is kept by a quarter at best, and to count it out
	// takes as long as to code.
	kept     float64
	places   int // elements in a sample of those at places
	perPlace int // and of each place, if that is more
	buckets  int // elements to find buckets by
	glance   int // neighbours that must show half of what is sought
	sample   int // of neighbours then
	exact    int // candidates of each kind that are counted out
	pairs    int // of axes, beside these
	// How many classes to try; fewer have fewer tables.
	steps   []int // of the scale to an octave
	classes []int // by neighbour
}

func (l Level) search(n int) search {
	if l == Small {
		return search{minGain: 0.005, kept: 1, places: 1 << 14, perPlace: 8, buckets: 1 << 13, sample: 1 << 14,
			exact: 4, pairs: 3, steps: []int{1, 2, 4}, classes: []int{4, 8, 14}}
	}
	s := search{minGain: 0.6, kept: 1. / 3, places: 1 << 9, perPlace: 2, buckets: 1 << 9, glance: 1 << 8, sample: 1 << 11,
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
	search.minGain = min(search.minGain, base.cost/float64(n)/16)
	best.cost = base.cost - search.minGain*float64(n)
	promising := f.screen(part, search)
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

// screen lists what promises enough, the most promising first.
func (f *contextFinder) screen(part Part, search search) (list []candidate) {
	add := func(c candidate) {
		if c.promise >= search.minGain {
			list = append(list, c)
		}
	}
	n := f.n
	for _, a := range part.axes(n)[1:] { // the first has one place alone
		add(candidate{promise: search.kept * f.placesPromise(a, search), axes: []axis{a}})
	}
	places := byPromise(list, search.exact)
	list = nil
	if lags := lags(part, n); len(lags) > 0 {
		f.fillBuckets(search.buckets)
		for k, sign := range [...]signPlace{signRaw, signSymbol} {
			for _, lag := range lags {
				if search.glance > 0 && n > 4*search.glance && f.neighboursPromise(lag, &f.tables[k], search.glance) < search.minGain/2 {
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

// start begins on data.
func (f *contextFinder) start(data []byte, elem Elem) {
	f.data, f.width, f.n = data, int(elem.Width), len(data)/int(elem.Width)
	f.shape = elemShape{bits: 8 * min(f.width, 2)}
	f.shape.mantissa = f.shape.bits - 1 - int(elem.Exponent)
	f.sign = 1 << (f.shape.bits - 1)
	f.units = nil
}

// take takes all units, if that is not done.
func (f *contextFinder) take() {
	if len(f.units) > 0 {
		return
	}
	if words, ok := wordsOf(f.data); ok && f.width == 2 {
		f.units = words
		return
	}
	f.scratch = slices.Grow(f.scratch[:0], f.n)[:f.n]
	f.units = f.scratch
	for i := range f.units {
		f.units[i] = unitAt(f.data, i, f.width)
	}
}

// wordsOf gives b as words of 16 bits, lowest byte first, if the machine has
// them so and b is where they may be.
func wordsOf(b []byte) (words []uint16, ok bool) {
	p := unsafe.Pointer(unsafe.SliceData(b))
	if uintptr(p)%unsafe.Alignof(words[0]) != 0 || binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return nil, false
	}
	return unsafe.Slice((*uint16)(p), len(b)/2), true
}
