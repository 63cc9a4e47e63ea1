package codec

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// Counting in words must find what counting one by one does, whatever the
// range; and leave the tables clear.
func TestCount(t *testing.T) {
	c := new(counter)
	for kind, data := range testData(4*longRun + 36) {
		for width := 1; width <= 8; width *= 2 {
			long := cloned(c.count(data, width))
			if long.n < longRun && width < 8 {
				t.Fatalf("%d elements are no long run", long.n)
			}
			half := len(data) / 8 / width * width
			if half/width >= longRun && width > 1 {
				t.Fatalf("%d elements are no short run", half/width)
			}
			parts := cloned(c.count(data[:half], width))
			for at := half; at < len(data); at += half {
				parts = parts.join(c.count(data[at:min(at+half, len(data))], width), nil)
			}
			if long.zero != parts.zero || long.n != parts.n || long.lo != parts.lo || !slices.Equal(long.counts, parts.counts) {
				t.Errorf("%s, width %d: a long run counts differ from its parts'", kind, width)
			}
		}
	}
	if c.tables != [2][1 << 16]uint32{} {
		t.Error("the tables are not clear")
	}
}

func TestCountBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for n := range 70 {
		b := make([]byte, n)
		var got, want [256]uint32
		for i := range b {
			b[i] = byte(r.Uint32())
			want[b[i]]++
		}
		if countBytes(&got, b); got != want {
			t.Fatalf("%d bytes: counts differ", n)
		}
	}
}

func cloned(h *histogram) histogram {
	c := *h
	c.counts = slices.Clone(h.counts)
	return c
}

// Bits may be cut off at once or one after another, and before or after joining.
func TestCoarser(t *testing.T) {
	c := new(counter)
	for kind, data := range testData(8192) {
		h, first := cloned(c.count(data, 2)), cloned(c.count(data[:1000], 2))
		second := cloned(c.count(data[1000:], 2))
		step := h
		for by := 1; by < 15; by++ {
			step = step.coarser(1, nil)
			if want := h.coarser(by, nil); !reflect.DeepEqual(step, want) {
				t.Fatalf("%s, %d bits: %v, want %v", kind, by, step, want)
			}
			a, b := first.coarser(by, nil), second.coarser(by, nil)
			if joined := a.join(&b, nil); !reflect.DeepEqual(joined, step) {
				t.Fatalf("%s, %d bits: joined %v, want %v", kind, by, joined, step)
			}
		}
	}
}

// Values are counted as a split takes them from units.
func TestValues(t *testing.T) {
	c := new(counter)
	for kind, data := range testData(8192) {
		h := c.count(data, 2)
		for _, sign := range []signPlace{signRaw, signSymbol} {
			for raw := 1; raw < 15; raw++ {
				s := split{kind: splitTop, width: 2, raw: raw, sign: sign}
				want := map[uint16]uint32{}
				for i := range len(data) / 2 {
					want[s.valueOf(unitAt(data, i, 2))]++
				}
				v := h.fold(sign, raw)
				for i, value := range v.value {
					if want[value] != v.counts[i] || i > 0 && value <= v.value[i-1] {
						t.Fatalf("%s, sign's place %d, %d raw bits: value %d occurs %d times, not %d", kind, sign, raw, value, want[value], v.counts[i])
					}
				}
				if len(v.value) != len(want) {
					t.Fatalf("%s, sign's place %d, %d raw bits: %d values, not %d", kind, sign, raw, len(v.value), len(want))
				}
			}
		}
	}
}

// valueOf is the value of a unit, from the definition.
func (s *split) valueOf(unit uint16) uint16 {
	top := unit >> (s.unitBits() - 1)
	switch magnitude := unit &^ (1 << (s.unitBits() - 1)); s.sign {
	case signRaw:
		return magnitude >> (s.raw - 1)
	case signSymbol:
		return magnitude>>s.raw<<1 | top
	}
	return unit >> s.raw
}

// An alphabet is known to be a list before it is made.
func TestIsScattered(t *testing.T) {
	c := new(counter)
	for kind, data := range testData(8192) {
		h := c.count(data, 2)
		for by := range 15 {
			coarse := h.coarser(by, nil)
			v := coarse.values(signRaw, 0)
			a, ok := newAlphabet(v.present(), 1<<15)
			if want := !ok || a.kind == alphabetList; coarse.isScattered() != want {
				t.Errorf("%s, %d bits cut off: scattered %v, want %v", kind, by, !want, want)
			}
		}
	}
}
