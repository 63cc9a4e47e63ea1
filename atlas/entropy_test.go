package atlas

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/scapefs/scapefs/codec"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// naive is the entropy of symbols, by its definition.
func naive(symbols []uint16) float64 {
	counts := map[uint16]float64{}
	for _, s := range symbols {
		counts[s]++
	}
	h := 0.0
	for _, c := range counts {
		p := c / float64(len(symbols))
		h -= p * math.Log2(p)
	}
	return h
}

func gaussian(n int) []byte {
	rng := rand.New(rand.NewPCG(7, 9))
	var b []byte
	for range n {
		b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(float32(rng.NormFloat64()))>>16))
	}
	return b
}

func TestEntropies(t *testing.T) {
	for _, n := range []int{1, 100, 100_000} {
		data := gaussian(n)
		var all, signExp, mantissa, high, low, top2 []uint16
		for i := range n {
			s := binary.LittleEndian.Uint16(data[2*i:])
			all, signExp, mantissa = append(all, s), append(signExp, s>>7), append(mantissa, s&127)
			high, low, top2 = append(high, s>>8), append(low, s&255), append(top2, s>>5&1023)
		}
		p := new(counter).piece(data, codec.BF16, 10)
		e := new(folder).entropies(&p, codec.BF16)
		for name, v := range map[string][2]float64{
			"joint":         {e.Joint, naive(all)},
			"sign+exponent": {e.SignExponent, naive(signExp)},
			"mantissa":      {e.Mantissa, naive(mantissa)},
			"high":          {e.High(), naive(high)},
			"low":           {e.Low(), naive(low)},
			"top 2":         {e.Top[2], naive(top2) + 1 + 5},
			"given rest":    {e.MantissaGivenRest, naive(all) - naive(signExp)},
		} {
			if !near(v[0], v[1]) {
				t.Errorf("%d weights, %s: %f, want %f", n, name, v[0], v[1])
			}
		}
		if want := 16 / (naive(high) + naive(low)); n > 1 && !near(e.Ceiling, want) {
			t.Errorf("ceiling %f, want %f", e.Ceiling, want)
		}
		if len(e.Top) != 8 || len(e.TopSigned) != 8 {
			t.Errorf("%d and %d tops", len(e.Top), len(e.TopSigned))
		}
	}
}

// An exponent that the element before tells, or the one a row before, has no
// entropy given it.
func TestConditionalEntropies(t *testing.T) {
	const rows, row = 300, 64
	var b []byte
	rng := rand.New(rand.NewPCG(1, 1))
	exps := make([]uint16, row)
	for i := range exps {
		exps[i] = uint16(100 + rng.IntN(16))
	}
	for range rows {
		for c := range row {
			b = binary.LittleEndian.AppendUint16(b, exps[c]<<7|uint16(rng.IntN(128)))
		}
	}
	p := new(counter).piece(b, codec.BF16, row)
	e := new(folder).entropies(&p, codec.BF16)
	if e.ExponentGivenAbove > 1e-9 || e.Exponent < 3 || e.ExponentGivenLeft <= 1e-9 {
		t.Errorf("exponent %f, given left %f, given above %f", e.Exponent, e.ExponentGivenLeft, e.ExponentGivenAbove)
	}
}

// Pieces add up to what the whole is.
func TestPiecesAddUp(t *testing.T) {
	data := gaussian(200_000)
	var sum tensorCounts
	for i := 0; i < len(data); i += 100_000 {
		sum.add(new(counter).piece(data[i:i+100_000], codec.BF16, 0))
	}
	whole := new(counter).piece(data, codec.BF16, 0)
	a, b := new(folder).entropies(&sum.sum, codec.BF16), new(folder).entropies(&whole, codec.BF16)
	if !near(a.Joint, b.Joint) || !near(a.Top[3], b.Top[3]) {
		t.Errorf("%f and %f", a.Joint, b.Joint)
	}
}

func TestFP32AndFP8(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var b []byte
	var bytes8 []byte
	for range 50_000 {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(rng.NormFloat64())))
		bytes8 = append(bytes8, byte(rng.IntN(32)))
	}
	p := new(counter).piece(b, codec.F32, 0)
	e := new(folder).entropies(&p, codec.F32)
	if len(e.Planes) != 4 || e.Low() < 7.9 || e.Top[2] < 23 || e.Top[2] > 32 || e.Ceiling < 1 || e.Mantissa < 22.5 {
		t.Errorf("fp32: %+v", e)
	}
	p = new(counter).piece(bytes8, codec.F8E4M3, 0)
	e = new(folder).entropies(&p, codec.F8E4M3)
	if len(e.Planes) != 1 || len(e.Top) != 4 || math.Abs(e.Joint-5) > 0.01 || math.Abs(e.TopSigned[3]-5) > 0.01 {
		t.Errorf("fp8: %+v", e)
	}
}
