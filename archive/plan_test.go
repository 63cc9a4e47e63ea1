package archive

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/index"
	"github.com/scapefs/scapefs/safetensors"
)

// randomHeader gives a header of tensors that lie one behind the other, and the
// file's size.
func randomHeader(rng *rand.Rand) (*safetensors.Header, int64) {
	dtypes := []safetensors.DType{"BF16", "BF16", "F32", "U8", "F8_E4M3", "I64", "C64", "F4", "NEW"}
	hdr := &safetensors.Header{DataStart: 8 + rng.Int64N(40_000)}
	end := hdr.DataStart
	for range rng.IntN(60) {
		n := 16 * []int64{0, 1, rng.Int64N(100), rng.Int64N(10_000), rng.Int64N(400_000)}[rng.IntN(5)]
		hdr.Tensors = append(hdr.Tensors, safetensors.Tensor{DType: dtypes[rng.IntN(len(dtypes))], Shape: []int64{n}, Begin: end, End: end + n})
		end += n
	}
	return hdr, end + rng.Int64N(2)*rng.Int64N(100)
}

func TestPlanProperties(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		hdr, size := randomHeader(rng)
		chunkLen := []int{4 << 10, 64 << 10, 4 << 20}[rng.IntN(3)]
		spans := Plan(hdr, size, chunkLen)
		checkCover(t, spans, size, chunkLen)
		for _, x := range hdr.Tensors {
			if x.Begin < x.End {
				checkTensor(t, spans, x, int64(chunkLen))
			}
		}
		for _, s := range spans {
			if s.Off < hdr.DataStart && (s.Off+int64(s.Len) > hdr.DataStart || s.Elem != codec.Bytes || s.DType != 0) {
				t.Fatalf("seed %d: chunk [%d, +%d) mixes header and data at %d", seed, s.Off, s.Len, hdr.DataStart)
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// checkCover: the spans cover the file, in order, without gaps.
func checkCover(t *testing.T, spans []Span, size int64, chunkLen int) {
	t.Helper()
	var end int64
	for _, s := range spans {
		if s.Off != end || s.Len < 1 || s.Len > chunkLen {
			t.Errorf("chunk [%d, +%d) after %d, chunks up to %d", s.Off, s.Len, end, chunkLen)
		}
		for i, p := range s.Parts {
			if p.Off >= s.Len || p.Off%int(s.Elem.Width) != 0 || (i == 0) != (p.Off == 0) || i > 0 && p.Off <= s.Parts[i-1].Off {
				t.Errorf("part %d at %d of %d bytes, elements of %d", i, p.Off, s.Len, s.Elem.Width)
			}
		}
		end += int64(s.Len)
	}
	if end != size {
		t.Errorf("chunks cover %d of %d bytes", end, size)
	}
}

// checkTensor: every chunk with bytes of x is of its dtype, and knows which
// part of x it has; if x is large, it has nothing else, and they are even; if x
// is small, there is one.
func checkTensor(t *testing.T, spans []Span, x safetensors.Tensor, chunkLen int64) {
	t.Helper()
	large := x.End-x.Begin >= min(largeTensor, chunkLen)
	var own []Span
	for _, s := range spans {
		end := s.Off + int64(s.Len)
		if end <= x.Begin || s.Off >= x.End {
			continue
		}
		own = append(own, s)
		if s.Elem != elemOf(x.DType) || s.DType != index.DTypeCode(string(x.DType)) {
			t.Errorf("%v chunk of dtype %d at %d in a %s tensor", s.Elem, s.DType, s.Off, x.DType)
		}
		inside := s.Off >= x.Begin && end <= x.End
		off := max(x.Begin-s.Off, 0)
		part := slices.IndexFunc(s.Parts, func(p codec.Part) bool { return int64(p.Off) == off })
		if part < 0 || s.Parts[part].Skip != (s.Off+off-x.Begin)/int64(s.Elem.Width) || !slices.Equal(s.Parts[part].Shape, partOf(x, 0, 0).Shape) {
			t.Fatalf("chunk [%d, %d), parts %v, with a tensor [%d, %d)", s.Off, end, s.Parts, x.Begin, x.End)
		}
		if large && (!inside || len(s.Parts) != 1) {
			t.Errorf("chunk [%d, %d), parts %v, in a large tensor [%d, %d)", s.Off, end, s.Parts, x.Begin, x.End)
		}
		if !large && (x.Begin < s.Off || x.End > end) {
			t.Errorf("chunk [%d, %d), parts %v, with a small tensor [%d, %d)", s.Off, end, s.Parts, x.Begin, x.End)
		}
	}
	if large {
		checkEven(t, own, chunkLen)
	}
}

// checkEven: no more chunks than are needed, all of one length but the last,
// which is shorter only by what the others were rounded up.
func checkEven(t *testing.T, spans []Span, chunkLen int64) {
	t.Helper()
	const page = 4 << 10
	first, last := spans[0], spans[len(spans)-1]
	total := last.Off + int64(last.Len) - first.Off
	if int64(len(spans)-1)*chunkLen >= total {
		t.Errorf("%d bytes in %d chunks of up to %d", total, len(spans), chunkLen)
	}
	for _, s := range spans[:len(spans)-1] {
		if s.Len != first.Len || s.Len%page != 0 {
			t.Errorf("chunk of %d bytes, the first has %d", s.Len, first.Len)
		}
	}
	if last.Len > first.Len || last.Len <= first.Len-page*len(spans) {
		t.Errorf("last of %d chunks has %d bytes, the first %d", len(spans), last.Len, first.Len)
	}
}

// TestPlanIsEven is the property for whole files of plain bytes, at and over
// every bound.
func TestPlanIsEven(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	for _, chunkLen := range []int64{4 << 10, 12 << 10, 4 << 20} {
		for n := int64(1); n < 40; n++ {
			for _, size := range []int64{n*chunkLen - 1, n * chunkLen, n*chunkLen + 1, 1 + rng.Int64N(n*chunkLen)} {
				spans := Plan(nil, size, int(chunkLen))
				checkCover(t, spans, size, int(chunkLen))
				checkEven(t, spans, chunkLen)
			}
		}
	}
}

// planned is a Span with the offsets of its parts alone.
type planned struct {
	off   int64
	n     int
	elem  codec.Elem
	dtype uint8
	parts []int
}

func TestPlan(t *testing.T) {
	plain := func(off int64, n int) planned { return planned{off, n, codec.Bytes, 0, nil} }
	bf16 := func(off int64, n int, cuts ...int) planned {
		return planned{off, n, codec.BF16, index.DTypeCode("BF16"), append([]int{0}, cuts...)}
	}
	u16 := func(off int64, n int) planned {
		return planned{off, n, codec.Int16, index.DTypeCode("U16"), []int{0}}
	}
	const k, m = 4 << 10, 1 << 20
	tensors := func(sizes ...int64) *safetensors.Header {
		hdr := &safetensors.Header{DataStart: 100}
		end := int64(100)
		for _, n := range sizes {
			dtype := safetensors.DType("BF16")
			if n < 0 {
				dtype, n = "U16", -n
			}
			hdr.Tensors = append(hdr.Tensors, safetensors.Tensor{DType: dtype, Shape: []int64{n / 2}, Begin: end, End: end + n})
			end += n
		}
		return hdr
	}
	for _, c := range []struct {
		name     string
		hdr      *safetensors.Header
		size     int64
		chunkLen int
		want     []planned
	}{
		{"empty", nil, 0, k, nil},
		{"bytes", nil, 2*k + 1, k, []planned{plain(0, k), plain(k, k), plain(2*k, 1)}},
		{"header alone", tensors(), 100, k, []planned{plain(0, 100)}},
		{"small share", tensors(10, 20, 0, 30), 160, k, []planned{plain(0, 100), bf16(100, 60, 10, 30)}},
		{"dtype ends sharing", tensors(10, -20, 30), 160, k, []planned{plain(0, 100), bf16(100, 10), u16(110, 20), bf16(130, 30)}},
		{"just fits", tensors(k-10, 10), 100 + k, k, []planned{plain(0, 100), bf16(100, k, k-10)}},
		{"just not", tensors(k-10, 12), 102 + k, k, []planned{plain(0, 100), bf16(100, k-10), bf16(90+k, 12)}},
		{"large alone", tensors(2, m, 2), 104 + m, 4 * m, []planned{plain(0, 100), bf16(100, 2), bf16(102, m), bf16(102+m, 2)}},
		{"one less shares", tensors(2, m-2, 2), 102 + m, 4 * m, []planned{plain(0, 100), bf16(100, m+2, 2, m)}},
		{"large cut", tensors(2*k + 2), 102 + 2*k, k, []planned{plain(0, 100), bf16(100, k), bf16(100+k, k), bf16(100+2*k, 2)}},
		{"large cut evenly", tensors(9 * k), 100 + 9*k, 4 * k, []planned{plain(0, 100), bf16(100, 3*k), bf16(100+3*k, 3*k), bf16(100+6*k, 3*k)}},
		{"about evenly", tensors(5*k + 2), 102 + 5*k, 4 * k, []planned{plain(0, 100), bf16(100, 3*k), bf16(100+3*k, 2*k+2)}},
		{"one over", tensors(4*m + 2), 102 + 4*m, 0, []planned{plain(0, 100), bf16(100, 2*m+k), bf16(100+2*m+k, 2*m-k+2)}},
		{"none over", tensors(4 * m), 100 + 4*m, 0, []planned{plain(0, 100), bf16(100, 4*m)}},
		{"trailing bytes", tensors(2), 105, k, []planned{plain(0, 100), bf16(100, 2), plain(102, 3)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []planned
			for _, s := range Plan(c.hdr, c.size, c.chunkLen) {
				var offs []int
				for _, p := range s.Parts {
					offs = append(offs, p.Off)
				}
				got = append(got, planned{s.Off, s.Len, s.Elem, s.DType, offs})
			}
			if d := cmp.Diff(fmt.Sprint(c.want), fmt.Sprint(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestElems: an element divides what safetensors says of the dtype, and the
// dtype has a number.
func TestElems(t *testing.T) {
	for d, elem := range elems {
		bits, ok := d.Bits()
		if ok && bits%(8*int(elem.Width)) != 0 {
			t.Errorf("%s: %d bits, elements of %d bytes", d, bits, elem.Width)
		}
		if index.DTypeCode(string(d)) == 0 {
			t.Errorf("%s has no number", d)
		}
	}
}

func TestLimitsAgree(t *testing.T) {
	if index.MaxChunkLen != codec.MaxChunkLen || index.MaxChunkHeaderLen != codec.MaxHeaderLen {
		t.Error("limits of index and codec differ")
	}
}
