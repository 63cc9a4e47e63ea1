package archive

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/scapefs/scapefs/codec"
)

// sweeping: every case is tried, which takes long.
var sweeping = os.Getenv("SCAPEFS_SWEEP") != ""

// TestEveryMethodFlipped flips bits of archives of every method and dtype: some
// of them, or with SCAPEFS_SWEEP each.
func TestEveryMethodFlipped(t *testing.T) {
	for _, m := range codec.Methods() {
		for dtype, width := range map[string]int{"BF16": 2, "F16": 2, "F32": 4, "I8": 1, "F8_E4M3": 1} {
			if testing.Short() && dtype != "BF16" && m != codec.Auto { // of others it takes seconds
				continue
			}
			t.Run(fmt.Sprintf("%v/%s", m, dtype), func(t *testing.T) {
				values := bf16s(3, 1500)
				data := makeSafetensors(t, tensor{"w", dtype, []int64{int64(len(values) / width)}, values})
				b := packed(t, data, PackOptions{Method: m, ChunkLen: 4096, BlockLen: 2048})
				flipSome(t, data, b)
			})
		}
	}
}

func flipSome(t *testing.T, want, b []byte) {
	tries := 60
	if testing.Short() {
		tries = 8
	}
	stride := max(1, 8*len(b)/tries|1)
	if sweeping {
		stride = 1
	}
	for bit := 0; bit < 8*len(b); bit += stride {
		b[bit/8] ^= 1 << (bit % 8)
		checkFlipped(t, bit, b, want)
		b[bit/8] ^= 1 << (bit % 8)
	}
}

// TestRandomFlips flips random bits of a larger archive of real weights, and
// decodes what is stored there: a hundred, or with SCAPEFS_SWEEP a million.
func TestRandomFlips(t *testing.T) {
	want, err := os.ReadFile("../testdata/stories260k.bf16.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	b := packed(t, want, PackOptions{Method: codec.Auto, ChunkLen: 64 << 10, BlockLen: 16 << 10})
	tries := 100
	if sweeping {
		tries = 1_000_000
	}
	rng := rand.New(rand.NewPCG(7, 7))
	for range tries {
		bit := rng.IntN(8 * len(b))
		b[bit/8] ^= 1 << (bit % 8)
		r, err := Open(t.Context(), &memSource{data: b})
		if err == nil {
			err = decodeRecordAt(t, r, int64(bit/8), want) // compares what decodes
		}
		if err != nil && !sound(err) {
			t.Errorf("bit %d: %v", bit, err)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
	if got, err := decodeAll(t.Context(), openBytes(t, b)); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("with no bit flipped: %v", err)
	}
}
