package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// What is chosen by short cuts is what trying everything would choose.

func TestChooseFrequenciesTriesAllThatMayWin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		counts := randomCounts(r)
		f, table, cost := chooseFrequencies(counts)

		exact := fitFrequencies(counts)
		best, bestCost := uint(0), math.Inf(1)
		for _, precision := range []uint{1, 2, 3, 4, 5, 6, exactPrecision} {
			sent := exact.sent(nil, precision)
			if c := sent.cost(counts) + 8*float64(exact.tableLen(precision)); c < bestCost {
				best, bestCost = precision, c
			}
		}
		if cost != bestCost || !slices.Equal(f, exact.sent(nil, best)) || !bytes.Equal(table, writeFrequencies(nil, exact, best)) {
			t.Fatalf("precision %d at %v bits; the best is %d at %v", table[1], cost, best, bestCost)
		}
	}
}

// TestRepeatsLooksAtTheSamePlaces compares with a walk through all places, one
// after another.
func TestRepeatsLooksAtTheSamePlaces(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	fast, slow := new(repeats), map[[repeatLen]byte]bool{}
	for _, n := range []int{0, 1, 15, 16, 17, 500, repeatStretch + repeatLen - 1, repeatStretch + repeatLen, 3000, 20000} {
		b := make([]byte, n)
		for i := range b {
			if b[i] = byte(r.Uint32()); i >= 150 && i/100%3 == 0 {
				b[i] = b[i-150]
			}
		}
		clear(slow)
		some := min(max(n/repeatAll, 1), repeatSome)
		want := 0
		for i := 0; i+repeatLen <= n; i++ {
			if binary.LittleEndian.Uint64(b[i:])*0x9e3779b97f4a7c15 > math.MaxUint64/uint64(some) {
				continue
			}
			next := [repeatLen]byte(b[i:])
			if slow[next] {
				want += some
			}
			slow[next] = true
		}
		// Places whose hashes meet may be lost, never invented.
		if got := fast.count(b); got > want || got < want*3/4 {
			t.Errorf("%d bytes: %d repeats, want about %d", n, got, want)
		}
	}
}

func TestSymbolsStayPlainWhereNoCodeIsWorthIt(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	plain := 0
	for i := range 200 {
		counts, n := make([]uint32, 256), 0
		for s := range counts {
			counts[s] = 20 + r.Uint32N(uint32(1+i))
			n += int(counts[s])
		}
		for _, level := range []Level{Fast, Balanced} {
			got, want := stream{bits: 8}, stream{bits: 8}
			chooseSymbolCoder(&got, counts, n, level)
			var cost float64
			if level == Fast {
				cost = want.setHuffman(counts, n, 1)
			} else {
				cost = want.setRANS(counts, 1, level)
			}
			if cost > worthCoding*float64(8*n) {
				want.coder = coderStored
				plain++
			}
			if got.coder != want.coder {
				t.Fatalf("up to %d counts more: coder %d, want %d", i, got.coder, want.coder)
			}
		}
	}
	if plain == 0 || plain == 400 {
		t.Errorf("%d of 400 stay plain: nothing is compared", plain)
	}
}
