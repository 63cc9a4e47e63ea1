package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
)

// A sample stands for as many units as there are, in the same range.
func TestSample(t *testing.T) {
	c := new(counter)
	for kind, data := range testData(70004) {
		whole := c.count(data, 2).coarser(upperCut, nil)
		for _, lines := range []int{2, 4, 16} {
			h := c.sample(data, lines)
			n := int(h.zero[0] + h.zero[1])
			for _, count := range h.counts {
				n += int(count)
			}
			if n != h.n || h.n < whole.n || h.n > whole.n+2 {
				t.Errorf("%s, one line in %d: %d counted, said to be %d, of %d", kind, lines, n, h.n, whole.n)
			}
			if h.lo != whole.lo || h.hi != whole.hi || (h.zero != [2]uint32{}) != (whole.zero != [2]uint32{}) {
				t.Errorf("%s, one line in %d: another range, or zero", kind, lines)
			}
		}
	}
	if c.tables != [2][1 << 16]uint32{} || c.upper != (upperTables{}) {
		t.Error("the tables are not clear")
	}
}

// Units that no sample meets come back all the same: the smallest and the
// largest that there are, zeros and others, one of each among many.
func TestRareUnits(t *testing.T) {
	n := 1 << 20
	for _, rare := range [][]uint16{{0}, {0x8000}, {1}, {0x7f80}, {0x3f80, 0x8001, 0xffff}, {0x3a00, 0xba01}} {
		data := gaussianBF16(2 * n)
		for i, u := range rare {
			binary.LittleEndian.PutUint16(data[2*(n/3+i*n/7):], u)
		}
		for _, level := range Levels() {
			e := NewEncoder(Scape, 0)
			e.SetLevel(level)
			enc, err := e.Encode(data, BF16, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := decodeChunk(t, enc, len(data)); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%v, %#x: not what was encoded: %v", level, rare, err)
			}
		}
	}
}

// What is chosen by a sample is hardly larger than what is by all units.
func TestSampleIsNearlyAsGood(t *testing.T) {
	data := gaussianBF16(4 << 20)
	sizes := map[bool]int{}
	for _, sampled := range []bool{false, true} {
		e := NewEncoder(Scape, 0)
		e.SetLevel(Fast)
		e.top.init(BF16, true)
		r := run{to: len(data)}
		if sampled {
			r.set(e.measure(data, BF16))
		} else {
			r.set(e.top.choose(e.count.count(data, 2)))
		}
		if r.top.coarse.sampled != sampled {
			t.Fatalf("sampled: %t, want %t", r.top.coarse.sampled, sampled)
		}
		e.reset()
		m, _ := e.topModel(data, r, BF16)
		e.encodeRun(m, data, DefaultBlockLen)
		sizes[sampled] = e.size()
	}
	if more := float64(sizes[true])/float64(sizes[false]) - 1; math.Abs(more) > 0.0005 {
		t.Errorf("by a sample %d bytes, by all %d", sizes[true], sizes[false])
	}
}
