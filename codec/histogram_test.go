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
			long := c.count(data, width)
			if long.n < longRun && width < 8 {
				t.Fatalf("%d elements are no long run", long.n)
			}
			half := len(data) / 8 / width * width
			if half/width >= longRun && width > 1 {
				t.Fatalf("%d elements are no short run", half/width)
			}
			parts := c.count(data[:half], width)
			for at := half; at < len(data); at += half {
				parts = parts.join(c.count(data[at:min(at+half, len(data))], width))
			}
			if long.zero != parts.zero || long.n != parts.n || long.lo != parts.lo || !slices.Equal(long.counts, parts.counts) {
				t.Errorf("%s, width %d: a long run counts differ from its parts'", kind, width)
			}
		}
	}
	if *c != (counter{}) {
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

// A bit more of raw by coarser is what fold gives for it.
func TestCoarser(t *testing.T) {
	c := new(counter)
	for kind, data := range testData(8192) {
		h := c.count(data, 2)
		for _, sign := range []signPlace{signRaw, signSymbol} {
			v := h.fold(sign, 1)
			for raw := 2; raw < 15; raw++ {
				v = v.coarser(sign)
				if want := h.fold(sign, raw); !reflect.DeepEqual(v, want) {
					t.Fatalf("%s, sign's place %d, %d raw bits: %v, want %v", kind, sign, raw, v, want)
				}
			}
		}
	}
}
