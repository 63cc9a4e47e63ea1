package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var testElems = map[string]Elem{
	"bytes": Bytes, "i16": Int16, "i32": Int32, "i64": Int64, "bf16": BF16, "f16": F16,
	"f32": F32, "f64": F64, "e4m3": F8E4M3, "e5m2": F8E5M2,
}

// partsAt gives parts of no known shape that begin at offs.
func partsAt(offs ...int) []Part {
	parts := make([]Part, len(offs))
	for i, off := range offs {
		parts[i].Off = off
	}
	return parts
}

// testData gives data of n bytes for each shape of content that a codec may
// treat in a way of its own.
func testData(n int) map[string][]byte {
	r := rand.New(rand.NewPCG(uint64(n), 7))
	random := make([]byte, n)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	palette := make([]byte, n)
	for i := 0; i < n; i++ {
		palette[i] = "\x00\x3f\x80\xbf"[r.IntN(4)]
	}
	sparse := make([]byte, n)
	for i := 0; i < n; i += 1 + r.IntN(64) {
		sparse[i] = random[i]
	}
	special := make([]byte, n) // infinities, NaN payloads, subnormals, -0
	for i := 0; i+1 < n; i += 2 {
		binary.LittleEndian.PutUint16(special[i:], []uint16{0x7f80, 0xff80, 0x7fc1, 0xffff, 0x8000, 0, 1, 0x807f, 0x7c01}[r.IntN(9)])
	}
	widened := make([]byte, n)
	g := gaussianBF16(n)
	for i := 0; i+3 < n; i += 4 {
		copy(widened[i+2:], g[i:i+2])
	}
	return map[string][]byte{
		"gaussian": g, "random": random, "zero": make([]byte, n), "ones": bytes.Repeat([]byte{0xff}, n),
		"palette": palette, "sparse": sparse, "special": special, "widened": widened,
		"repeated": bytes.Repeat(random[:min(n, 37)], n/37+1)[:n],
	}
}

// scaledBF16 makes a matrix of normal bf16 weights whose columns differ in
// scale or, if smooth, whose rows resemble those above them.
func scaledBF16(rows, columns int, smooth bool) []byte {
	r := rand.New(rand.NewPCG(3, 4))
	scale, above := make([]float64, columns), make([]float64, columns)
	for i := range scale {
		scale[i] = 0.02 * math.Exp2(r.NormFloat64())
	}
	b := make([]byte, 0, 2*rows*columns)
	for range rows {
		for i := range columns {
			v := r.NormFloat64() * scale[i]
			if smooth {
				above[i] = 0.9*above[i] + 0.4*r.NormFloat64()
				v = above[i]
			}
			b = binary.LittleEndian.AppendUint16(b, uint16(math.Float32bits(float32(v))>>16))
		}
	}
	return b
}

// decodeChunk decodes all blocks of a chunk that refers to nothing.
func decodeChunk(t *testing.T, enc Encoded, size int) ([]byte, error) {
	t.Helper()
	return decodeReferring(t, enc, size, nil)
}

// decodeReferring decodes all blocks of a chunk, in an order that is not theirs,
// and checks that nothing is written beyond them and that the header, parsed, is
// written as it was. chunks are those that it may refer to, by row.
func decodeReferring(t *testing.T, enc Encoded, size int, chunks map[int][]byte) ([]byte, error) {
	t.Helper()
	c, err := testProfile().ParseChunk(enc.Header, size)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(remarshal(c), enc.Header) {
		t.Fatal("the header is not what its parts are written as")
	}
	if a, err := c.Account(); err == nil && (a.Header() != len(enc.Header) || a.Payload() != c.PayloadLen()) {
		t.Fatalf("%+v is not what a header of %d bytes and a payload of %d are", a, len(enc.Header), c.PayloadLen())
	}
	if c.PayloadLen() != len(enc.Payload) {
		return nil, fmt.Errorf("%w: payload of %d bytes, header says %d", ErrCorrupt, len(enc.Payload), c.PayloadLen())
	}
	const canary = 67
	out := bytes.Repeat([]byte{0xa5}, size+canary)
	for i := c.NumBlocks() - 1; i >= 0; i-- {
		b := c.Block(i)
		if got := c.Find(b.Off + b.Len - 1); got != i {
			t.Fatalf("Find(%d) = %d, want %d", b.Off+b.Len-1, got, i)
		}
		var ref []byte
		if r, ok := c.Reference(i); ok {
			if r.Off+r.Len > len(chunks[r.Row]) {
				return nil, fmt.Errorf("%w: reference to %v", ErrCorrupt, r)
			}
			ref = chunks[r.Row][r.Off : r.Off+r.Len]
		}
		src := slices.Clone(enc.Payload[b.StoredOff : b.StoredOff+b.StoredLen])
		if err := c.Decode(i, out[b.Off:b.Off+b.Len:b.Off+b.Len], src[:len(src):len(src)], ref); err != nil {
			return nil, err
		}
	}
	if !bytes.Equal(out[size:], bytes.Repeat([]byte{0xa5}, canary)) {
		t.Fatal("decoding wrote beyond the chunk")
	}
	return out[:size], nil
}

// remarshal writes a parsed header again.
func remarshal(c *Chunk) []byte {
	return appendHeader(nil, c.method, c.models, c.blocks)
}

func TestRoundTrip(t *testing.T) {
	data := map[int]map[string][]byte{}
	for _, n := range []int{8, 16, 120, 128, 136, 1024, 4088, 8192, 20000} {
		data[n] = testData(n)
	}
	large := testData(600 << 10)
	for _, m := range append(Methods(), Auto) {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			e := newTestEncoder(m, 0)
			for name, elem := range testElems {
				if testing.Short() && elem != BF16 && elem != F32 {
					continue
				}
				for _, data := range data {
					for kind, data := range data {
						roundTrip(t, e, data, elem, name+" "+kind)
					}
				}
			}
			for _, kind := range []string{"gaussian", "special", "random"} {
				roundTrip(t, e, large[kind], BF16, kind)
				roundTrip(t, e, large[kind], F32, kind)
			}
		})
	}
}

// roundTrip codes and decodes data, and demands that it grows by no more than
// a header.
func roundTrip(t *testing.T, e *Encoder, data []byte, elem Elem, what string) {
	t.Helper()
	n := len(data)
	enc, err := e.Encode(data, elem, partsAt(n/16*8, n/8*7))
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeChunk(t, enc, n)
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes of %s: %v, equal %v", n, what, err, bytes.Equal(got, data))
	}
	if len(enc.Header)+len(enc.Payload) > n+n/512+40 {
		t.Errorf("%d bytes of %s became %d+%d", n, what, len(enc.Header), len(enc.Payload))
	}
}

// Lengths around every border: vectors, groups, tiles, blocks, and what is no
// whole number of elements.
func TestRoundTripLengths(t *testing.T) {
	all := gaussianBF16(2*(tile+maxGroup) + 8)
	for _, m := range []Method{Scape, BF16Split, Zstd19ByteGrouped} {
		e := NewEncoder(m, 4<<10)
		for n := 1; n <= len(all); n += 1 + n/97 {
			enc, err := e.Encode(all[:n], BF16, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := decodeChunk(t, enc, n); err != nil || !bytes.Equal(got, all[:n]) {
				t.Fatalf("%v, %d bytes: %v", m, n, err)
			}
		}
	}
}

func TestEncodeIsDeterministic(t *testing.T) {
	for name, data := range testData(300 << 10) {
		used := NewEncoder(Auto, 0)
		if _, err := used.Encode(gaussianBF16(1<<20), F16, partsAt(4096)); err != nil {
			t.Fatal(err)
		}
		a, err := used.Encode(data, BF16, partsAt(100, 9000, 70000))
		if err != nil {
			t.Fatal(err)
		}
		b, err := NewEncoder(Auto, 0).Encode(data, BF16, partsAt(100, 9000, 70000))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Header, b.Header) || !bytes.Equal(a.Payload, b.Payload) {
			t.Errorf("%s: an Encoder used before codes otherwise", name)
		}
	}
}

// A bf16 model must come out above what coding its bytes by themselves can
// give, and every bit of a float that was widened must be found.
func TestScapeRatio(t *testing.T) {
	data := gaussianBF16(4 << 20)
	enc, err := NewEncoder(Scape, 0).Encode(data, BF16, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := float64(len(data)) / float64(len(enc.Header)+len(enc.Payload)); r < 1.523 {
		t.Errorf("gaussian bf16: ratio %.4f, expected 1.523 or more", r)
	}
	wide := testData(1 << 20)["widened"]
	enc, err = NewEncoder(Scape, 0).Encode(wide, F32, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := float64(len(wide)) / float64(len(enc.Header)+len(enc.Payload)); r < 3.02 {
		t.Errorf("bf16 widened to fp32: ratio %.4f, expected 3.02 or more", r)
	}
}

func TestEncodeLimits(t *testing.T) {
	e := NewEncoder(Raw, 0)
	if _, err := e.Encode(nil, Bytes, nil); err == nil {
		t.Error("an empty chunk was coded")
	}
	if _, err := e.Encode(make([]byte, MaxChunkLen+1), Bytes, nil); err == nil {
		t.Error("a chunk over the limit was coded")
	}
	if _, err := e.Encode(make([]byte, MaxChunkLen), Bytes, nil); err != nil {
		t.Errorf("a chunk at the limit: %v", err)
	}
}

// Every single flipped bit of a small chunk must be noticed, or do no harm.
func TestFlippedBits(t *testing.T) {
	for _, m := range Methods() {
		data, elem := gaussianBF16(1200), BF16
		if how, ok := splitMethods[m]; ok {
			elem = how.elem
			if testing.Short() && elem != BF16 {
				continue // coded as the other type is
			}
		}
		enc, err := newTestEncoder(m, 512).Encode(data, elem, partsAt(300))
		if err != nil {
			t.Fatal(err)
		}
		flipBits(t, m.String(), enc, data)
	}
}

// flipBits flips every bit of a chunk in turn: each must be noticed, or do no
// harm.
func flipBits(t *testing.T, what string, enc Encoded, data []byte) {
	t.Helper()
	for _, part := range [][]byte{enc.Header, enc.Payload} {
		for i := range 8 * len(part) {
			part[i/8] ^= 1 << (i % 8)
			got, err := decodeChunk(t, enc, len(data))
			if err == nil && !bytes.Equal(got, data) {
				t.Fatalf("%s: bit %d: wrong bytes without an error", what, i)
			}
			if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("%s: bit %d: %v is of no known class", what, i, err)
			}
			part[i/8] ^= 1 << (i % 8)
		}
	}
}

func TestUnknownNumbers(t *testing.T) {
	plain := []byte{byte(Raw), 1, 1}
	block := make([]byte, 3+8)
	for name, model := range map[string][]byte{"split": {9, 0}, "coder": {0, 200}} {
		h := slices.Concat(plain, model, block)
		if _, err := ParseChunk(h, 1); !errors.Is(err, ErrUnsupported) {
			t.Errorf("unknown %s: %v", name, err)
		}
	}
}

func FuzzParseChunk(f *testing.F) {
	for _, m := range Methods() {
		for name, data := range testData(600) {
			enc, err := newTestEncoder(m, 256).Encode(data, testElems["bf16"], partsAt(200))
			if err != nil {
				f.Fatal(name, err)
			}
			f.Add(enc.Header, enc.Payload, 600)
		}
	}
	for name, data := range testData(4000) {
		part := Part{Shape: []int64{20, 100}, RefData: within(data, gaussianBF16(4000), 2, axis{1, 100, 0}, func(j int) bool { return j > 40 })}
		enc, err := NewEncoder(Scape, 1000).Encode(data, BF16, []Part{part})
		if err != nil {
			f.Fatal(name, err)
		}
		f.Add(enc.Header, enc.Payload, 4000)
	}
	f.Fuzz(func(t *testing.T, header, payload []byte, size int) {
		c, err := testProfile().ParseChunk(header, size)
		if err != nil {
			if c != nil {
				t.Fatal("a chunk beside an error")
			}
			return
		}
		if !bytes.Equal(remarshal(c), header) {
			t.Fatal("the header is not what its parts are written as")
		}
		if a, err := c.Account(); err == nil && (a.Header() != len(header) || a.Payload() != c.PayloadLen()) {
			t.Fatalf("%+v is not what a header of %d bytes and a payload of %d are", a, len(header), c.PayloadLen())
		}
		for i := range min(c.NumBlocks(), 64) {
			b := c.Block(i)
			if b.StoredOff+b.StoredLen > len(payload) {
				return
			}
			r, _ := c.Reference(i)
			_ = c.Decode(i, make([]byte, b.Len), payload[b.StoredOff:b.StoredOff+b.StoredLen], make([]byte, r.Len))
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	for name := range testElems {
		for _, data := range testData(300) {
			f.Add(data, name, uint(len(data)/3), uint8(7), uint8(1))
		}
		f.Add(bytes.Repeat(gaussianBF16(1500), 4), name, uint(3000), uint8(30), uint8(5))
	}
	// Beside a cut anywhere, the data from there on may refer to what is as long
	// from its begin on.
	f.Fuzz(func(t *testing.T, data []byte, elem string, cut uint, columns, skip uint8) {
		e, ok := testElems[elem]
		if !ok || len(data) == 0 {
			return
		}
		at := int(cut % uint(len(data)))
		part := Part{Off: at, Shape: []int64{int64(len(data)), int64(columns)}, Skip: int64(skip)}
		if n := len(data) - at; n <= at {
			part.Ref, part.RefData = Reference{Row: 9, Len: n}, data[:n]
		}
		enc, err := NewEncoder(Auto, 512).Encode(data, e, []Part{{}, part})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeReferring(t, enc, len(data), map[int][]byte{9: data}); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%v, equal %v", err, bytes.Equal(got, data))
		}
	})
}
