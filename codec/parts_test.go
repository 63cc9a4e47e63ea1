package codec

import (
	"reflect"
	"testing"
)

// Small neighbours are taken together, and have no shape then; what is large
// stands alone.
func TestPartsOf(t *testing.T) {
	part := func(off int) Part { return Part{Off: off, Shape: []int64{1}} }
	joined := func(off int) Part { return Part{Off: off} }
	for _, c := range []struct {
		parts, want []Part
	}{
		{nil, nil},
		{[]Part{part(0)}, []Part{part(0)}},
		{[]Part{part(0), part(10), part(20), part(95)}, []Part{joined(0), part(95)}},
		{[]Part{part(0), part(10), part(120)}, []Part{part(0), part(10), part(120)}},
		{[]Part{part(0), part(60), part(120), part(180)}, []Part{joined(0), joined(120)}},
	} {
		if got := partsOf(c.parts, 200, 100); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: %v, want %v", c.parts, got, c.want)
		}
	}
}
