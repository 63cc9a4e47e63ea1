//go:build unix

package codec

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// ransReference is the encoder of docs/format.md, a symbol at a time with
// divisions.
func ransReference(f frequencies, src []byte, lanes int) []byte {
	starts := make([]uint32, len(f))
	for s := 1; s < len(f); s++ {
		starts[s] = starts[s-1] + uint32(f[s-1])
	}
	state := make([]uint32, lanes)
	for i := range state {
		state[i] = ransLow
	}
	words := make([]byte, 2*len(src))
	pos := len(words)
	for i := len(src) - 1; i >= 0; i-- {
		x, v := state[i%lanes], uint32(f[src[i]])
		if x >= v<<(32-ransBits) {
			pos -= 2
			words[pos], words[pos+1] = byte(x), byte(x>>8)
			x >>= 16
		}
		state[i%lanes] = x/v<<ransBits + x%v + starts[src[i]]
	}
	var out []byte
	for _, x := range state {
		out = append(out, byte(x), byte(x>>8), byte(x>>16), byte(x>>24))
	}
	return append(out, words[pos:]...)
}

// drawn makes n symbols of those frequencies.
func drawn(r *rand.Rand, f frequencies, n int) []byte {
	var pick []byte
	for s, v := range f {
		pick = append(pick, bytes.Repeat([]byte{byte(s)}, int(v))...)
	}
	src := make([]byte, n)
	for i := range src {
		src[i] = pick[r.IntN(len(pick))]
	}
	return src
}

// Every backend writes the stream that the definition gives, for alphabets on
// both sides of what one look-up holds, and stays inside its buffers.
func TestRANSEncodersAgree(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(15, 16))
		for range 150 {
			f, _, _ := chooseFrequencies(randomCounts(r))
			src := guarded(t, drawn(r, f, r.IntN(3000)))
			for lanes := uint(minLanesLog2); lanes <= maxLanesLog2; lanes++ {
				e := ransEncoder{words: guarded(t, make([]byte, 2*len(src)+ransPadding))}
				e.init(f)
				if got := e.encode(nil, src, lanes); !bytes.Equal(got, ransReference(f, src, 1<<lanes)) {
					t.Fatalf("%d symbols of %d, 2^%d lanes: not the stream of the definition", len(src), len(f), lanes)
				}
			}
		}
	})
}

// The same with a table for each class.
func TestRANSClassEncodersAgree(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(29, 30))
		for range 50 {
			var freqs []frequencies
			of := make([]ransEncoder, 1+r.IntN(maxClasses))
			for k := range of {
				f, _, _ := chooseFrequencies(randomCounts(r))
				of[k].init(f)
				freqs = append(freqs, f)
			}
			n := r.IntN(3000)
			src, classes := guarded(t, make([]byte, n)), guarded(t, make([]byte, n))
			for i := range src {
				classes[i] = byte(r.IntN(len(of)))
				src[i] = drawn(r, freqs[classes[i]], 1)[0]
			}
			for lanes := uint(minLanesLog2); lanes <= maxLanesLog2; lanes++ {
				e := ransEncoder{words: guarded(t, make([]byte, 2*n+ransPadding))}
				var d ransDecoder
				got := make([]byte, n)
				err := d.init(nil, lanes, e.encodeClasses(nil, src, classes, of, lanes))
				if err := errors.Join(err, d.readClasses(got, classes, *newContextTables(freqs)), d.close()); err != nil || !bytes.Equal(got, src) {
					t.Fatalf("%d symbols of %d classes, 2^%d lanes: %v, equal %v", n, len(of), lanes, err, bytes.Equal(got, src))
				}
			}
		}
	})
}

// Each frequency, with states up to its limit, on every backend: where 32 bits
// do not make the division exact, the kernels must leave it.
func TestRANSEncodesEveryFrequency(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(17, 18))
		for v := uint16(1); v < ransTotal; v++ {
			f := frequencies{v, ransTotal - v}
			src := drawn(r, f, 5*maxLanes)
			var e ransEncoder
			e.init(f)
			if got := e.encode(nil, src, maxLanesLog2); !bytes.Equal(got, ransReference(f, src, maxLanes)) {
				t.Fatalf("frequency %d: not the stream of the definition", v)
			}
		}
	})
}

// Where ransReciprocal says that it is exact, it is: at the states where the
// quotient changes, which are the ones to err at.
func TestReciprocalOf32Bits(t *testing.T) {
	inexact := 0
	for f := uint64(2); f < ransTotal; f++ {
		reciprocal, shift, exact := ransReciprocal(f)
		if !exact {
			inexact++
			continue
		}
		limit := f << (32 - ransBits)
		for q := limit / f; q > 0; q -= 1 + q/50 {
			for _, x := range [...]uint64{q*f - 1, min(q*f, limit-1)} {
				if x*reciprocal>>32>>shift != x/f {
					t.Fatalf("%d / %d is %d", x, f, x*reciprocal>>32>>shift)
				}
			}
		}
	}
	if inexact > ransTotal/4 {
		t.Errorf("%d frequencies are inexact", inexact)
	}
}

func BenchmarkRANSEncode(b *testing.B) {
	r := rand.New(rand.NewPCG(19, 20))
	counts := make([]uint32, 64)
	for i := range counts {
		counts[i] = 1 << (i / 4)
	}
	f, _, _ := chooseFrequencies(counts)
	src := drawn(r, f, 128<<10)
	for _, backend := range Backends() {
		b.Run(backend, func(b *testing.B) {
			if err := SetBackend(backend); err != nil {
				b.Fatal(err)
			}
			var e ransEncoder
			var dst []byte
			b.SetBytes(2 * int64(len(src))) // as for bf16
			for b.Loop() {
				e.init(f)
				dst = e.encode(dst[:0], src, maxLanesLog2)
			}
		})
	}
}
