//go:build unix

package codec

import (
	"bytes"
	"testing"
)

// Planes of every width are joined alike by all backends, at lengths around
// every border, between guard pages.
func TestJoinPlanes(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		for _, n := range []int{0, 1, 3, 4, 5, 31, 32, 33, 63, 64, 65, 100, 1000} {
			want := guarded(t, make([]byte, 4*n))
			for i := range want {
				want[i] = byte(i * 167 >> 3)
			}
			plane := func(data []byte, k, width int) []byte {
				p := make([]byte, len(data)/width)
				gatherPlane(p, data[min(k, len(data)):], width)
				return guarded(t, p)
			}
			got := guarded(t, make([]byte, 2*n))
			joinPlanes(got, plane(want[:2*n], 0, 2), plane(want[:2*n], 1, 2))
			if !bytes.Equal(got, want[:2*n]) {
				t.Errorf("%d elements of two bytes differ", n)
			}
			units := make([]byte, 2*n)
			gatherUnits(units, want, 4)
			got = guarded(t, make([]byte, 4*n))
			joinWide(got, plane(want, 0, 4), plane(want, 1, 4), guarded(t, units))
			if !bytes.Equal(got, want) {
				t.Errorf("%d elements of four bytes differ", n)
			}
		}
	})
}
