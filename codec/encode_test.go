//go:build unix

package codec

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
)

// An archive must not depend on the processor: every backend codes every type
// and shape of content to the same bytes.
func TestEncodersAgree(t *testing.T) {
	type input struct {
		method     Method
		level      Level
		elem, kind string
		size       int
	}
	want := map[input][]byte{}
	sizes := []int{8000, 70_000, 600 << 10}
	if testing.Short() {
		sizes = sizes[:2]
	}
	encoders := map[Method]*Encoder{Scape: NewEncoder(Scape, 0), BF16Split: NewEncoder(BF16Split, 0)}
	eachBackend(t, func(t *testing.T) {
		check := func(in input, data []byte) {
			encoders[in.method].SetLevel(in.level)
			enc, err := encoders[in.method].Encode(data, testElems[in.elem], []Part{{Off: in.size / 16 * 8}})
			if err != nil {
				t.Fatal(err)
			}
			got := slices.Concat(enc.Header, enc.Payload)
			if Backend() == backendNames[backendGo] {
				want[in] = got
			} else if !bytes.Equal(got, want[in]) {
				t.Errorf("%v: not what pure Go makes", in)
			}
		}
		for _, n := range sizes {
			for kind, data := range testData(n) {
				check(input{BF16Split, Balanced, "bf16", kind, n}, data)
				check(input{Scape, Fast, "bf16", kind, n}, data)
				for name, elem := range testElems {
					if elem.Exponent > 0 || n <= 8000 { // large integers are zstd's, for the most part
						check(input{Scape, Balanced, name, kind, n}, data)
					}
				}
			}
		}
	})
}

// The same for rows that differ in scale, which contexts are for.
func TestContextsAgree(t *testing.T) {
	const rows, columns = 1024, 300
	data := gaussianBF16(2 * rows * columns)
	for i := range rows * columns {
		unit := uint16(i/columns%5) << (int(BF16.Mantissa) - 1) // half octaves
		binary.LittleEndian.PutUint16(data[2*i:], binary.LittleEndian.Uint16(data[2*i:])-unit)
	}
	e := NewEncoder(Scape, 0)
	e.SetLevel(Small)
	var want []byte
	eachBackend(t, func(t *testing.T) {
		enc, err := e.Encode(data, BF16, []Part{{Shape: []int64{rows, columns}}})
		if err != nil {
			t.Fatal(err)
		}
		if e.models[0].streams[0].coder != coderContexts {
			t.Fatal("no contexts found")
		}
		got := slices.Concat(enc.Header, enc.Payload)
		if want == nil {
			want = got
		}
		if !bytes.Equal(got, want) {
			t.Error("not what pure Go makes")
		}
	})
}

// takeReference is takeTop for one element, by docs/format.md.
func takeReference(s *split, unit uint16) (value, raw uint16) {
	top := s.unitBits() - 1
	sign, magnitude := unit>>top, unit&(1<<top-1)
	if s.sign == signRaw {
		return magnitude >> (s.raw - 1), magnitude&(1<<(s.raw-1)-1) | sign<<(s.raw-1)
	}
	return magnitude>>s.raw<<1 | sign, unit & (1<<s.raw - 1)
}

// Taking apart gives what the format's definition does, for every place of the
// sign and number of raw bits, on every backend, and stays inside its buffers.
func TestTakeByDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	eachBackend(t, func(t *testing.T) {
		for _, width := range []int{2, 4, 8} {
			for _, n := range []int{1, 63, 64, 65, 128, 200, 4096, 4200} {
				for _, sign := range []signPlace{signRaw, signSymbol} {
					for raw := 1; raw <= 14; raw++ {
						for _, kind := range []alphabetKind{alphabetContiguous, alphabetZero, alphabetList} {
							for _, natural := range []bool{false, true} {
								checkTake(t, r, split{kind: splitTop, width: width, raw: raw, sign: sign, natural: natural}, kind, n)
							}
						}
					}
				}
			}
		}
	})
}

func checkTake(t *testing.T, r *rand.Rand, s split, kind alphabetKind, n int) {
	t.Helper()
	bound := 1 << s.valueBits()
	base := uint16(r.IntN(bound))
	s.alpha = alphabet{kind: kind, base: base, zero: kind == alphabetZero, bound: bound}
	symbols := min(256, bound-int(base))
	if kind == alphabetList {
		symbols = min(256, bound)
		for v := 0; v < symbols; v++ {
			s.alpha.list = append(s.alpha.list, uint16(v*(bound/symbols)))
		}
	}
	data, want := make([]byte, n*s.width), make([]byte, n)
	for i := range n {
		want[i] = byte(r.IntN(symbols))
		unit := s.valuePart(s.alpha.value(int(want[i]))) | s.rawPart(uint16(r.IntN(1<<s.raw)))
		for k := range s.width {
			data[i*s.width+k] = byte(r.Uint32())
		}
		data[(i+1)*s.width-2], data[(i+1)*s.width-1] = byte(unit), byte(unit>>8)
	}
	data = guarded(t, data)
	var a apart
	for k := range s.streamBits() {
		a.streams[k] = guarded(t, make([]byte, n))
	}
	a.setRank(&s)
	streams := a.take(&s, data)
	for p := range n {
		i := p
		if !s.natural && p < n&^(vectorLen-1) {
			i = p&^(vectorLen-1) + pairedIndex(p&(vectorLen-1))
		}
		_, raw := takeReference(&s, unitAt(data, i, s.width))
		got, next := uint16(0), 1
		if s.raw%8 != 0 {
			got = uint16(streams[next][p])
			next++
		}
		if s.raw >= 8 {
			got = got<<8 | uint16(streams[next][p])
			next++
		}
		if streams[0][p] != want[i] || got != raw {
			t.Fatalf("width %d, sign's place %d, %d raw bits, alphabet %d, %d elements: at %d symbol %d and raw bits %#x, want %d and %#x",
				s.width, s.sign, s.raw, kind, n, p, streams[0][p], got, want[i], raw)
		}
		for k := range s.width - 2 {
			if streams[next+k][p] != data[p*s.width+s.width-3-k] {
				t.Fatalf("width %d: plane %d differs at %d", s.width, k, p)
			}
		}
	}
}

// Packing stays inside its buffers, and unpacking gives back what was packed.
func TestPackStaysInside(t *testing.T) {
	r := rand.New(rand.NewPCG(25, 26))
	eachBackend(t, func(t *testing.T) {
		for k := 1; k <= 7; k++ {
			for n := 1; n <= 3*maxGroup; n += 1 + r.IntN(97) {
				src := guarded(t, make([]byte, n))
				for i := range src {
					src[i] = byte(r.Uint32()) & (1<<k - 1)
				}
				dst := guarded(t, make([]byte, packedLen(n, k)))
				packed := packVertical(dst[:0], src, k)
				if &packed[0] != &dst[0] {
					t.Fatalf("k=%d n=%d: packedLen was not enough", k, n)
				}
				got := make([]byte, n)
				if unpackVertical(got, packed, k); !bytes.Equal(got, src) {
					t.Fatalf("k=%d n=%d: round trip differs", k, n)
				}
			}
		}
	})
}

func TestGather(t *testing.T) {
	r := rand.New(rand.NewPCG(27, 28))
	eachBackend(t, func(t *testing.T) {
		for _, width := range []int{2, 4, 8} {
			for n := 1; n < 140; n += 1 + n/16 {
				data := guarded(t, make([]byte, n*width))
				for i := range data {
					data[i] = byte(r.Uint32())
				}
				plane, units := guarded(t, make([]byte, n)), guarded(t, make([]byte, 2*n))
				gatherUnits(units, data, width)
				for k := range width {
					gatherPlane(plane, data[k:], width)
					for i, v := range plane {
						if v != data[i*width+k] {
							t.Fatalf("width %d: byte %d of element %d of %d differs", width, k, i, n)
						}
					}
				}
				for i, v := range units {
					if v != data[(i/2+1)*width-2+i%2] {
						t.Fatalf("width %d: unit %d of %d differs", width, i/2, n)
					}
				}
			}
		}
	})
}

// Weights that were pruned here and there pay for their zeros neither in the
// symbols nor in the raw bits.
func TestScatteredZeros(t *testing.T) {
	data := gaussianBF16(256 << 10)
	r := rand.New(rand.NewPCG(21, 22))
	for i := 0; i < len(data); i += 2 {
		if r.IntN(2) == 0 {
			data[i], data[i+1] = 0, 0
		}
	}
	for _, level := range Levels() {
		e := NewEncoder(Auto, 0)
		e.SetLevel(level)
		enc, err := e.Encode(data, BF16, []Part{{Shape: []int64{256, 512}}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeChunk(t, enc, len(data)); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%v: %v", level, err)
		}
		if ratio := float64(len(data)) / float64(len(enc.Header)+len(enc.Payload)); ratio < 2.2 {
			t.Errorf("%v: ratio %.3f", level, ratio)
		} else {
			t.Logf("%v: ratio %.3f", level, ratio)
		}
	}
}
