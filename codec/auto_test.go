package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// autoMargin is how much larger than by the best single method auto may be.
const autoMargin = 1.0005

// dequantised makes bf16 weights that were 8-bit integers with a scale for each
// group.
func dequantised(n int) []byte {
	r := rand.New(rand.NewPCG(5, 6))
	var b []byte
	scale := 0.0
	for i := range n {
		if i%4096 == 0 {
			scale = math.Exp2(-7 - 2*r.Float64())
		}
		q := math.Round(30 * r.NormFloat64())
		b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(float32(q*scale))>>16))
	}
	return b
}

func someText(n int) []byte {
	var b []byte
	for i := 0; len(b) < n; i++ {
		b = fmt.Appendf(b, "line %d of some text, with %d\n", i, i*i%97)
	}
	return b[:n]
}

// Whatever a chunk holds, auto is about as small as the best of all methods.
func TestAutoIsTheBest(t *testing.T) {
	const n = 160 << 10
	random := make([]byte, n)
	for i := range random {
		random[i] = byte(i * i * 2654435761 >> 13)
	}
	for name, c := range map[string]struct {
		data []byte
		elem Elem
	}{
		"normal":              {gaussianBF16(n), BF16},
		"coarse":              {coarseMantissas(n), BF16},
		"coarse, as fp16":     {coarseMantissas(n), F16},
		"dequantised":         {dequantised(n / 2), BF16},
		"text":                {someText(2 * n), Bytes},
		"text, as fp16":       {someText(n), F16},
		"palette":             {testData(n)["palette"], BF16},
		"sparse":              {testData(n)["sparse"], BF16},
		"special":             {testData(n)["special"], BF16},
		"widened":             {testData(n)["widened"], F32},
		"zero":                {make([]byte, n), BF16},
		"bytes without sense": {random, Bytes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && name != "coarse" && name != "text" {
				t.Skip("takes seconds")
			}
			best, of := math.MaxInt, Raw
			for _, m := range Methods() {
				enc, err := newTestEncoder(m, 0).Encode(c.data, c.elem, nil)
				if err != nil {
					t.Fatal(err)
				}
				if size := len(enc.Header) + len(enc.Payload); size < best {
					best, of = size, m
				}
			}
			enc, err := NewEncoder(Auto, 0).Encode(c.data, c.elem, nil)
			if err != nil {
				t.Fatal(err)
			}
			if size := len(enc.Header) + len(enc.Payload); float64(size) > autoMargin*float64(best)+16 {
				t.Errorf("%d bytes, %d by %v", size, best, of)
			}
			if got, err := decodeChunk(t, enc, len(c.data)); err != nil || !bytes.Equal(got, c.data) {
				t.Errorf("by %v: %v", enc.Method, err)
			}
		})
	}
}

// Noise gives no reason to code it twice, and what was rounded does.
func TestLowBitsTell(t *testing.T) {
	for _, n := range []int{100, 1000, 10_000, 1 << 20} {
		if lowBitsTell(gaussianBF16(2 * n)) {
			t.Errorf("%d normal weights: taken for rounded ones", n)
		}
	}
	for _, n := range []int{10_000, 1 << 20} {
		if !lowBitsTell(coarseMantissas(2 * n)) {
			t.Errorf("%d rounded weights: taken for noise", n)
		}
	}
}
