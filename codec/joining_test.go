//go:build unix

package codec

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// Units of every split that joining takes are what the tables make of them, at
// lengths around every border, between guard pages.
func TestJoining(t *testing.T) {
	eachBackend(t, func(t *testing.T) {
		for raw := 1; raw < 16; raw++ {
			for sign := signNone; sign <= signSymbol; sign++ {
				for _, zero := range []bool{false, true} {
					for _, natural := range []bool{false, true} {
						s := split{kind: splitTop, width: 2, raw: raw, sign: sign, natural: natural}
						if s.valueBits() < 2 {
							continue
						}
						s.alpha = alphabet{base: 1, zero: zero, bound: 1 << s.valueBits()}
						if zero {
							s.alpha.kind = alphabetZero
						}
						for _, n := range []int{0, 1, 63, 64, 65, 127, 128, 300, maxGroup, maxGroup + 64, 2*maxGroup + 7} {
							joinBoth(t, &s, n)
						}
					}
				}
			}
		}
	})
}

// joinBoth joins n units by merger, and as packed if it may, and compares with
// the tables.
func joinBoth(t *testing.T, s *split, n int) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(n), uint64(s.raw)))
	random := func(limit int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.IntN(limit))
		}
		return guarded(t, b)
	}
	symbols := random(min(256, 1<<s.valueBits()-1))
	var mid, low []byte
	if s.raw%8 != 0 {
		mid = random(1 << (s.raw % 8))
	}
	if s.raw >= 8 {
		low = random(256)
	}
	want := make([]byte, 2*n)
	tables := newMergeTables(s)
	for i := range n {
		at := i
		if !s.natural && i < n&^(vectorLen-1) {
			at = i&^(vectorLen-1) + pairedIndex(i&(vectorLen-1))
		}
		u := tables.unit(symbols, mid, low, i)
		want[2*at], want[2*at+1] = byte(u), byte(u>>8)
	}
	m := newMerger(s)
	if !m.joins {
		t.Fatalf("%+v is not joined", s)
	}
	got := guarded(t, make([]byte, 2*n))
	m.merge16(got, symbols, mid, low)
	if !bytes.Equal(got, want) {
		t.Fatalf("%d units of %+v differ", n, s)
	}
	if !m.joining.packed {
		return
	}
	clear(got)
	packed := guarded(t, packVertical(nil, mid, s.raw))
	done := m.joining.joinPacked(got, symbols, packed, s.raw)
	if !bytes.Equal(got[:2*done], want[:2*done]) {
		t.Fatalf("%d units of %+v differ if packed", done, s)
	}
	in, _ := groupVectors(s.raw)
	if Backend() != backendNames[backendGo] && done != n/(in*vectorLen)*in*vectorLen {
		t.Fatalf("%d of %d units of %+v joined as packed", done, n, s)
	}
}

func BenchmarkJoining(b *testing.B) {
	for _, backend := range Backends() {
		for _, raw := range []int{7, 10} {
			for _, natural := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/%d/%v", backend, raw, natural), func(b *testing.B) {
					if err := SetBackend(backend); err != nil {
						b.Fatal(err)
					}
					m := newMerger(&split{kind: splitTop, width: 2, raw: raw, sign: signRaw, natural: natural})
					dst, symbols, low, mid := make([]byte, 2*tile), make([]byte, tile), make([]byte, tile), make([]byte, tile)
					if raw < 8 {
						low = nil
					}
					b.SetBytes(2 * tile)
					for b.Loop() {
						m.merge16(dst, symbols, mid, low)
					}
				})
			}
		}
	}
}
