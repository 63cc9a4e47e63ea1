package codec

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// unpackOne finds one symbol of a packed group by the definition in
// docs/format.md, a bit at a time.
func unpackOne(packed []byte, n, k, i int) byte {
	in, out := groupVectors(k)
	group, v, j := i/(in*vectorLen), i/vectorLen%in, i%vectorLen
	bit := func(at int) byte { return packed[at/8] >> (at % 8) & 1 }
	var s byte
	for b := range k {
		var at int
		switch base := 8 * group * out * vectorLen; {
		case i >= n/(in*vectorLen)*in*vectorLen: // after the last whole group
			at = base + (i-group*in*vectorLen)*k + b
		case v < out:
			at = base + 8*(v*vectorLen+j) + b
		default:
			spare := (v-out)*k + b
			at = base + 8*(spare/(8-k)*vectorLen+j) + k + spare%(8-k)
		}
		s |= bit(at) << b
	}
	return s
}

func TestVerticalByDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for k := 1; k <= 7; k++ {
		for _, n := range []int{0, 1, 7, 63, 64, 65, 511, 512, 513, 1000, 1024, 1600} {
			src := make([]byte, n)
			for i := range src {
				src[i] = byte(r.Uint32()) & (1<<k - 1)
			}
			packed := packVertical(nil, src, k)
			if len(packed) != packedLen(n, k) {
				t.Fatalf("k=%d n=%d: %d bytes, packedLen says %d", k, n, len(packed), packedLen(n, k))
			}
			got := make([]byte, n)
			unpackVertical(got, packed, k)
			if !bytes.Equal(got, src) {
				t.Fatalf("k=%d n=%d: round trip differs", k, n)
			}
			for i := range src {
				if s := unpackOne(packed, n, k, i); s != src[i] {
					t.Fatalf("k=%d n=%d: symbol %d is %d by definition, want %d", k, n, i, s, src[i])
				}
			}
		}
	}
}

// randomCounts makes counts of up to 256 symbols, from flat to very steep.
func randomCounts(r *rand.Rand) []uint32 {
	counts := make([]uint32, 2+r.IntN(255))
	steep := r.Float64()
	for i := range counts {
		if r.IntN(4) > 0 {
			counts[i] = uint32(1e6 * math.Exp(-float64(i)*steep*r.Float64()))
		}
	}
	counts[0]++
	counts[len(counts)-1]++
	return counts
}

func TestFrequencyTables(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		counts := randomCounts(r)
		f, table, _ := chooseFrequencies(counts)
		sum := 0
		for i, v := range f {
			sum += int(v)
			if (counts[i] > 0) != (v > 0) {
				t.Fatalf("symbol %d: count %d, frequency %d", i, counts[i], v)
			}
		}
		if sum != ransTotal {
			t.Fatalf("frequencies add up to %d", sum)
		}
		got, rest, err := readFrequencies(append(slices.Clone(table), 1, 2, 3))
		if err != nil || !slices.Equal(got, f) || len(rest) != 3 {
			t.Fatalf("read back: %v, equal %v, %d bytes left", err, slices.Equal(got, f), len(rest))
		}
	}
}

// Rounding to 12 bits must cost next to nothing against the entropy.
func TestFitFrequencies(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		counts := randomCounts(r)
		n, entropy := 0.0, 0.0
		for _, c := range counts {
			n += float64(c)
		}
		smallest := math.Inf(1)
		for _, c := range counts {
			if c > 0 {
				entropy -= float64(c) * math.Log2(float64(c)/n)
				smallest = min(smallest, float64(c)/n)
			}
		}
		if smallest < 1.0/ransTotal {
			continue // no frequency is small enough
		}
		if loss := (fitFrequencies(counts).cost(counts) - entropy) / n; loss < -1e-9 || loss > 0.02 {
			t.Errorf("%d symbols cost %.4f bits each above their entropy", len(counts), loss)
		}
	}
}

func TestRANS(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	var e ransEncoder
	for range 100 {
		counts := randomCounts(r)
		f, _, _ := chooseFrequencies(counts)
		var pick []byte
		for s, v := range f {
			pick = append(pick, bytes.Repeat([]byte{byte(s)}, int(v))...)
		}
		src := make([]byte, r.IntN(5000))
		for i := range src {
			src[i] = pick[r.IntN(len(pick))]
		}
		for lanes := uint(minLanesLog2); lanes <= maxLanesLog2; lanes++ {
			e.init(f)
			coded := e.encode(nil, src, lanes)
			var d ransDecoder
			if err := d.init(newRANSTable(f), lanes, coded); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(src))
			half := min(maxGroup, len(src))
			if err := errors.Join(d.read(got[:half], nil), d.read(got[half:], nil), d.close()); err != nil {
				t.Fatalf("%d symbols, 2^%d lanes: %v", len(src), lanes, err)
			}
			if !bytes.Equal(got, src) {
				t.Fatalf("%d symbols, 2^%d lanes differ", len(src), lanes)
			}
		}
	}
}

// The division by multiplication must be exact for every state and frequency.
func TestReciprocals(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	var e ransEncoder
	for v := uint16(1); v < ransTotal; v += 1 + v/64 {
		e.init(frequencies{v, ransTotal - v})
		for range 200 {
			src := []byte{byte(r.IntN(2)), byte(r.IntN(2)), byte(r.IntN(2)), 0, 0, 1, 0}
			coded := e.encode(nil, src, minLanesLog2)
			var d ransDecoder
			got := make([]byte, len(src))
			if err := errors.Join(d.init(newRANSTable(frequencies{v, ransTotal - v}), minLanesLog2, coded), d.read(got, nil), d.close()); err != nil || !bytes.Equal(got, src) {
				t.Fatalf("frequency %d: %v", v, err)
			}
		}
	}
}

func FuzzFrequencies(f *testing.F) {
	r := rand.New(rand.NewPCG(13, 14))
	for range 20 {
		_, table, _ := chooseFrequencies(randomCounts(r))
		f.Add(table)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		freq, rest, err := readFrequencies(b)
		if err != nil {
			if freq != nil || rest != nil {
				t.Fatal("a result beside an error")
			}
			return
		}
		sum := 0
		for _, v := range freq {
			sum += int(v)
		}
		if sum != ransTotal {
			t.Fatalf("frequencies add up to %d", sum)
		}
	})
}
