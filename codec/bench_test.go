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

// gaussian makes n bytes of normal weights: F32, or F16 by cutting it short.
func gaussian(elem Elem, n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 0, n)
	for len(b) < n {
		bits := math.Float32bits(float32(r.NormFloat64() * 0.02))
		if elem == F32 {
			b = binary.LittleEndian.AppendUint32(b, bits)
			continue
		}
		half := uint16(0) // what is below the least normal number is 0
		if exponent := int(bits>>23&0xff) - 127 + 15; exponent > 0 {
			half = uint16(exponent)<<10 | uint16(bits>>13&0x3ff)
		}
		b = binary.LittleEndian.AppendUint16(b, half|uint16(bits>>16&0x8000))
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
		for _, level := range []Level{Balanced, Fast} {
			b.Run(backend+"/"+level.String(), func(b *testing.B) {
				if err := SetBackend(backend); err != nil {
					b.Fatal(err)
				}
				benchmarkDecode(b, data, level)
			})
		}
	}
}

func benchmarkDecode(b *testing.B, data []byte, level Level) {
	e := NewEncoder(Scape, 0)
	e.SetLevel(level)
	enc, err := e.Encode(data, BF16, nil)
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
}

func BenchmarkEncode(b *testing.B) {
	bf16 := gaussianBF16(4 << 20)
	for _, backend := range Backends() {
		for _, m := range []Method{Raw, BF16Split, Scape} {
			b.Run(backend+"/"+m.String(), func(b *testing.B) { benchmarkEncode(b, backend, m, bf16, BF16) })
		}
		for name, elem := range map[string]Elem{"f16": F16, "f32": F32} {
			b.Run(backend+"/scape_"+name, func(b *testing.B) {
				benchmarkEncode(b, backend, Scape, gaussian(elem, 4<<20), elem)
			})
		}
	}
}

// benchmarkEncode codes data as a chunk of a matrix of 1024 columns.
func benchmarkEncode(b *testing.B, backend string, m Method, data []byte, elem Elem) {
	if err := SetBackend(backend); err != nil {
		b.Fatal(err)
	}
	e := NewEncoder(m, 0)
	parts := []Part{{Shape: []int64{int64(len(data)) / 1024 / int64(elem.Width), 1024}}}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := e.Encode(data, elem, parts); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncodeTensors codes a chunk of many small tensors, each of a scale
// of its own, which have nothing in common with what they might refer to.
func BenchmarkEncodeTensors(b *testing.B) {
	data := gaussianBF16(4 << 20)
	other := gaussianBF16Of(2, len(data))
	for _, size := range []int{4 << 10, 32 << 10, 256 << 10} {
		scaled := make([]byte, len(data))
		var parts []Part
		for at := 0; at < len(data); at += 2 {
			scale := uint16(at/size*7%5) << int(BF16.Mantissa)
			binary.LittleEndian.PutUint16(scaled[at:], binary.LittleEndian.Uint16(data[at:])-scale)
			if at%size == 0 && at > 0 {
				parts = append(parts, Part{Off: at, RefData: other[at : at+size]})
			}
		}
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			e := NewEncoder(Scape, 0)
			b.SetBytes(int64(len(data)))
			var enc Encoded
			var err error
			for b.Loop() {
				if enc, err = e.Encode(scaled, BF16, parts); err != nil {
					b.Fatal(err)
				}
			}
			reportRatio(b, data, enc)
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

// BenchmarkHuffman codes and decodes the symbols alone of a block of Gaussian
// bf16 weights: exponent and upper mantissa bit.
func BenchmarkHuffman(b *testing.B) {
	src := make([]byte, DefaultBlockLen/2)
	weights := gaussianBF16(DefaultBlockLen)
	for i := range src {
		src[i] = byte(binary.LittleEndian.Uint16(weights[2*i:])&0x7fff>>6 - 200)
	}
	var counts [256]uint32
	countBytes(&counts, src)
	for _, limit := range []int{11, 12} {
		c := fitCodeLengths(counts[:], limit)
		var e huffmanEncoder
		e.init(c)
		coded := e.encode(nil, src, maxHuffmanStreamsLog2)
		b.Run(fmt.Sprintf("%d/encode", limit), func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				coded = e.encode(coded[:0], src, maxHuffmanStreamsLog2)
			}
		})
		b.Run(fmt.Sprintf("%d/table", limit), func(b *testing.B) {
			for b.Loop() {
				newHuffmanTable(c)
			}
		})
		b.Run(fmt.Sprintf("%d/lengths", limit), func(b *testing.B) {
			for b.Loop() {
				fitCodeLengths(counts[:], limit)
			}
		})
		t := newHuffmanTable(c)
		var d huffmanDecoder
		for _, backend := range Backends() {
			if err := SetBackend(backend); err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%d/decode/%s", limit, backend), func(b *testing.B) {
				b.SetBytes(int64(len(src)))
				for b.Loop() {
					if err := d.init(t, maxHuffmanStreamsLog2, len(src), coded, lookahead{}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
