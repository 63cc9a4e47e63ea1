package codec

import "math"

// What contexts promise, by a sample.

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
	to := bucketing{n: n}
	for v := range half {
		b := to.next(counts[v] + counts[v+half])
		raw.of[v], raw.of[v+half] = b, b
	}
	to = bucketing{n: n}
	for v := 2*half - 1; v >= half; v-- {
		signed.of[v] = to.next(counts[v])
	}
	for v := range half {
		signed.of[v] = to.next(counts[v])
	}
}

// bucketing deals n elements to buckets, in the order of their units.
type bucketing struct {
	n, dealt uint32
	bucket   byte
}

// next gives the bucket of the next unit, which count of the elements have.
func (b *bucketing) next(count uint32) byte {
	b.dealt += count
	for b.bucket < screenBuckets-1 && b.dealt*screenBuckets > uint32(b.bucket+1)*b.n {
		b.bucket++
	}
	return b.bucket
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
