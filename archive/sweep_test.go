package archive

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/safetensors"
)

// sweeping: every case is tried, which takes long.
var sweeping = os.Getenv("SCAPEFS_SWEEP") != ""

// sweepDTypes gives a dtype for each kind of element that the codec knows, and
// its width in bytes.
var sweepDTypes = map[string]int{"BF16": 2, "F16": 2, "F32": 4, "F64": 8, "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "I16": 2, "I32": 4, "I64": 8}

// eachArchive tests small archives of every method and dtype, beside the bytes
// that they hold.
func eachArchive(t *testing.T, test func(t *testing.T, want, b []byte)) {
	for _, m := range append(codec.Methods(), codec.Auto) {
		for dtype, width := range sweepDTypes {
			if testing.Short() && dtype != "BF16" && m != codec.Auto { // of others it takes seconds
				continue
			}
			t.Run(fmt.Sprintf("%v/%s", m, dtype), func(t *testing.T) {
				values := bf16s(3, 1500)
				data := makeSafetensors(t, tensor{"w", dtype, []int64{int64(len(values) / width)}, values})
				test(t, data, packed(t, data, PackOptions{Method: m, ChunkLen: 4096, BlockLen: 2048}))
			})
		}
	}
}

// TestSweepsHaveEveryElement: what the codec codes in its own way is swept.
func TestSweepsHaveEveryElement(t *testing.T) {
	swept := map[codec.Elem]bool{}
	for dtype := range sweepDTypes {
		swept[elemOf(safetensors.DType(dtype))] = true
	}
	for dtype, elem := range elems {
		if !swept[elem] {
			t.Errorf("no sweep has elements as %s has them", dtype)
		}
	}
}

// TestEveryMethodFlipped flips bits of archives of every method and dtype: some
// of them, or with SCAPEFS_SWEEP each.
func TestEveryMethodFlipped(t *testing.T) { eachArchive(t, flipSome) }

func flipSome(t *testing.T, want, b []byte) {
	tries := 60
	if testing.Short() {
		tries = 8
	}
	stride := max(1, 8*len(b)/tries|1)
	if sweeping {
		stride = 1
	}
	t.Logf("%d of %d bits", 8*len(b)/stride, 8*len(b))
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
