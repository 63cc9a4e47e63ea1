package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// gaussianBF16 makes n bytes of normal bf16 weights.
func gaussianBF16(n int) []byte { return gaussianBF16Of(1, n) }

// gaussianBF16Of makes other ones for each seed.
func gaussianBF16Of(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 2))
	b := make([]byte, n)
	for i := 0; i+1 < n; i += 2 {
		bits := math.Float32bits(float32(r.NormFloat64() * 0.02))
		binary.LittleEndian.PutUint16(b[i:], uint16((bits+0x7fff+bits>>16&1)>>16))
	}
	return b
}

func reportRatio(b *testing.B, data []byte, enc Encoded) {
	coded := len(enc.Header) + len(enc.Payload)
	b.ReportMetric(float64(len(data))/float64(coded), "ratio")
	b.ReportMetric(float64(coded), "coded-B")
}

func BenchmarkMemcpy(b *testing.B) {
	src, dst := gaussianBF16(4<<20), make([]byte, 4<<20)
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		copy(dst, src)
	}
}

func BenchmarkDecode(b *testing.B) {
	data := gaussianBF16(4 << 20)
	for _, backend := range Backends() {
		if err := SetBackend(backend); err != nil {
			b.Fatal(err)
		}
		b.Run(backend+"/scape", func(b *testing.B) {
			m := Scape
			enc, err := NewEncoder(m, 0).Encode(data, BF16, nil)
			if err != nil {
				b.Fatal(err)
			}
			c, err := ParseChunk(enc.Header, len(data))
			if err != nil {
				b.Fatal(err)
			}
			dst, d := make([]byte, len(data)), NewDecoder()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				for i := range c.NumBlocks() {
					k := c.Block(i)
					if err := d.Decode(c, i, dst[k.Off:k.Off+k.Len], enc.Payload[k.StoredOff:k.StoredOff+k.StoredLen], nil); err != nil {
						b.Fatal(err)
					}
				}
			}
			reportRatio(b, data, enc)
		})
	}
}

// BenchmarkEncode codes weights that have nothing in common with themselves, nor
// with what they might refer to.
func BenchmarkEncode(b *testing.B) {
	data := gaussianBF16(4 << 20)
	other := gaussianBF16Of(2, len(data))
	for _, m := range []Method{Raw, BF16Split, Scape} {
		b.Run(m.String(), func(b *testing.B) {
			e := NewEncoder(m, 0)
			parts := []Part{{Shape: []int64{16, 128, 1024}, RefData: other}}
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := e.Encode(data, BF16, parts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBlockLen shows what the length of a block costs and gains: the
// ratio of a chunk, and the time until one block of it is decoded.
func BenchmarkBlockLen(b *testing.B) {
	data := gaussianBF16(4 << 20)
	for _, size := range []int{64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			enc, err := NewEncoder(Scape, size).Encode(data, BF16, nil)
			if err != nil {
				b.Fatal(err)
			}
			c, err := ParseChunk(enc.Header, len(data))
			if err != nil {
				b.Fatal(err)
			}
			k := c.Block(1)
			dst, d := make([]byte, k.Len), NewDecoder()
			for b.Loop() {
				if err := d.Decode(c, 1, dst, enc.Payload[k.StoredOff:k.StoredOff+k.StoredLen], nil); err != nil {
					b.Fatal(err)
				}
			}
			reportRatio(b, data, enc)
		})
	}
}
