package codec

import (
	"reflect"
	"testing"
)

// What upper bits count is what all bits do, cut off.
func TestCountUpper(t *testing.T) {
	c := new(counter)
	for kind, data := range testData(20002) {
		for _, n := range []int{2, 16, 1000, len(data)} {
			data := data[:n]
			whole := cloned(c.count(data, 2))
			if got, want := cloned(c.countUpper(data)), whole.coarser(upperCut, nil); !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %d units: %+v, want %+v", kind, n/2, got, want)
			}
			for _, limit := range []int{0, 1, 2, 10, 200, 1 << 16} {
				if got, want := occurAtMost(data, limit), whole.occurAtMost(limit); got != want {
					t.Errorf("%s, %d units: at most %d occur: %t, want %t", kind, n/2, limit, got, want)
				}
			}
		}
	}
	if c.upper != (upperTables{}) {
		t.Error("the tables are not clear")
	}
}

// A choice that upper bits settle is the one that all bits give.
func TestChooseUpper(t *testing.T) {
	e := NewEncoder(Scape, 0)
	settled := 0
	for kind, data := range testData(20002) {
		for _, elem := range []Elem{BF16, F16} {
			for _, fast := range []bool{false, true} {
				e.top.init(elem, fast)
				want := e.top.choose(e.count.count(data, 2))
				got, ok := e.top.chooseUpper(e.count.countUpper(data), data)
				if !ok {
					continue
				}
				settled++
				got.settle()
				want.settle()
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s as %v, fast %t: %+v, want %+v", kind, elem, fast, got.choice, want.choice)
				}
			}
		}
	}
	if settled == 0 {
		t.Error("nothing is settled by upper bits")
	}
}
