package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/zeebo/xxh3"
)

// elemOfSplit is what a split method takes apart.
func elemOfSplit(m Method) (Elem, bool) {
	how, ok := splitMethods[m]
	return how.elem, ok
}

// Lengths around every border, by every method that takes floats apart.
func TestSplitMethodsRoundTripLengths(t *testing.T) {
	all := gaussianBF16(2*(tile+maxGroup) + 8)
	for m := range splitMethods {
		elem, _ := elemOfSplit(m)
		e := NewEncoder(m, 4<<10)
		for n := 2; n <= len(all); n += 2 + n/31*2 {
			enc, err := e.Encode(all[:n], elem, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := decodeChunk(t, enc, n); err != nil || !bytes.Equal(got, all[:n]) {
				t.Fatalf("%v, %d bytes: %v", m, n, err)
			}
		}
	}
}

// coarseMantissas makes normal bf16 weights whose mantissas are coarser the
// larger they are, as those of a quantised model.
func coarseMantissas(n int) []byte {
	b := gaussianBF16(n)
	for i := 0; i < len(b); i += 2 {
		u := binary.LittleEndian.Uint16(b[i:])
		if exponent := u >> 7 & 0xff; exponent > 119 {
			u &^= 1<<(min(exponent, 126)-119) - 1
		}
		binary.LittleEndian.PutUint16(b[i:], u)
	}
	return b
}

// Where the mantissa depends on the exponent, classes by symbol find it.
func TestSymbolContextsPay(t *testing.T) {
	data := coarseMantissas(1 << 20)
	sizes := map[Method]int{}
	for _, m := range []Method{BF16Split, BF16SplitCtx, FP16Split, FP16SplitCtx} {
		elem, _ := elemOfSplit(m)
		enc, err := NewEncoder(m, 0).Encode(data, elem, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeChunk(t, enc, len(data)); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%v: %v", m, err)
		}
		sizes[m] = len(enc.Header) + len(enc.Payload)
	}
	if with, without := sizes[BF16SplitCtx], sizes[BF16Split]; float64(with) > 0.95*float64(without) {
		t.Errorf("bf16: %d bytes with contexts, %d without", with, without)
	}
	if with, without := sizes[FP16SplitCtx], sizes[FP16Split]; with > without {
		t.Errorf("fp16: %d bytes with contexts, %d without", with, without)
	}
}

// Contexts never cost more than the tables that they leave out.
func TestSymbolContextsNeverLose(t *testing.T) {
	for _, n := range []int{64, 600, 4096, 100_000} {
		for kind, data := range testData(n) {
			with, err := NewEncoder(BF16SplitCtx, 0).Encode(data, BF16, nil)
			if err != nil {
				t.Fatal(err)
			}
			size := len(with.Header) + len(with.Payload)
			without, err := NewEncoder(BF16Split, 0).Encode(data, BF16, nil)
			if err != nil {
				t.Fatal(err)
			}
			if limit := len(without.Header) + len(without.Payload); size > limit+limit/1000+16 {
				t.Errorf("%d bytes of %s: %d with contexts, %d without", n, kind, size, limit)
			}
		}
	}
}

func TestSymbolContextLimits(t *testing.T) {
	table := func() []byte { return writeFrequencies(nil, frequencies{1, ransTotal - 1}, exactPrecision) }()
	contexts := func(classes int, thresholds ...byte) []byte {
		b := append([]byte{byte(coderContexts), 2, byte(contextSymbol), byte(classes)}, thresholds...)
		return append(b, bytes.Repeat(table, classes)...)
	}
	head := []byte{byte(BF16SplitCtx), 1, 1, byte(splitTop), 2, 7, byte(signSymbol), 0, 100}
	block := (&Block{Len: 2}).marshal(nil)
	stored := []byte{byte(coderStored)}
	for _, c := range []struct {
		name    string
		streams []byte
		ok      bool
	}{
		{"two classes", slices.Concat(stored, contexts(2, 5)), true},
		{"the lowest threshold", slices.Concat(stored, contexts(2, 0)), true},
		{"as many classes as may be", slices.Concat(stored, contexts(maxClasses, []byte("abcdefghijklmno")...)), true},
		{"one class", slices.Concat(stored, contexts(1)), false},
		{"too many classes", slices.Concat(stored, contexts(maxClasses+1, []byte("abcdefghijklmnop")...)), false},
		{"equal thresholds", slices.Concat(stored, contexts(3, 5, 5)), false},
		{"falling thresholds", slices.Concat(stored, contexts(3, 5, 4)), false},
		{"thresholds cut short", slices.Concat(stored, []byte{byte(coderContexts), 2, byte(contextSymbol), maxClasses}), false},
		{"the first stream by itself", slices.Concat(contexts(2, 5), stored), false},
	} {
		_, err := ParseChunk(slices.Concat(head, c.streams, block), 2)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, want ok=%v", c.name, err, c.ok)
		}
	}
}

// A method for one type leaves others to zstd.
func TestSplitMethodsOfOtherTypes(t *testing.T) {
	data := gaussianBF16(20_000)
	zstd, err := NewEncoder(Zstd19, 0).Encode(data, BF16, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Clone(zstd.Payload)
	for m, how := range splitMethods {
		for name, elem := range testElems {
			if elem == how.elem || elem.Width != 2 {
				continue
			}
			enc, err := NewEncoder(m, 0).Encode(data, elem, nil)
			if err != nil {
				t.Fatal(err)
			}
			if enc.Method != m || !bytes.Equal(enc.Payload, want) {
				t.Errorf("%v does not code %s as %v does", m, name, Zstd19)
			}
		}
	}
}

func TestLZMA(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	lengths := []int{1, 2, 100, 4096, 70_000, 1 << 20}
	if testing.Short() {
		lengths = lengths[:5]
	}
	for _, n := range lengths {
		symbols := make([]byte, n)
		for i := range symbols {
			symbols[i] = byte(r.IntN(16) * r.IntN(4))
		}
		coded := appendLZMA([]byte("before"), symbols)[len("before"):]
		got := make([]byte, n)
		if err := decodeLZMA(got, coded); err != nil || !bytes.Equal(got, symbols) {
			t.Fatalf("%d symbols: %v", n, err)
		}
		for what, src := range map[string][]byte{
			"cut short": coded[:len(coded)-1], "with a byte behind": append(bytes.Clone(coded), 0), "empty": nil,
		} {
			if err := decodeLZMA(got, src); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%d symbols, %s: %v", n, what, err)
			}
		}
		if err := decodeLZMA(make([]byte, n+1), coded); !errors.Is(err, ErrCorrupt) {
			t.Errorf("one symbol more than %d: %v", n, err)
		}
		if err := decodeLZMA(make([]byte, n-1), coded); !errors.Is(err, ErrCorrupt) {
			t.Errorf("one symbol less than %d: %v", n, err)
		}
	}
}

func FuzzLZMA(f *testing.F) {
	f.Add(appendLZMA(nil, gaussianBF16(3000)), 3000)
	f.Add(appendLZMA(nil, make([]byte, 200)), 200)
	f.Add([]byte{1, 0, 0, 7, 0}, 1)
	f.Fuzz(func(t *testing.T, src []byte, n int) {
		if n < 0 || n > 1<<20 {
			return
		}
		if err := decodeLZMA(make([]byte, n), src); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%v is of no known class", err)
		}
	})
}

// The bytes that methods make, so that a change of them is seen.
func TestMethodsGolden(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("SKIPPED: floating-point arithmetic may choose otherwise on " + runtime.GOARCH)
	}
	want := map[Method]string{
		BF16Split:       "169+62495 c754b8ade2207f82",
		BF16SplitCtx:    "393+57961 276a0a59f2822deb",
		BF16SplitZstd19: "27+63323 b2e14cc0cf8ca609",
		BF16SplitXZ9:    "27+67002 b855248dac6b5380",
		FP16Split:       "340+67794 af22bf7395141db5",
		FP16SplitCtx:    "583+59910 4a98bb3df4fd76da",
		FP16SplitZstd19: "27+70603 c350591ee2599e77",
		FP16SplitXZ9:    "27+76018 3f3e12b385b3b158",

		BF16SplitPretrained: "27+66184 eb50be6fbf69a9e6",
		BF16SplitMixture:    "27+66184 6a01504a31c7ffb2",
		Zstd19Dict:          "20+72897 b2721aaae3b96d0a",
	}
	for m := range want {
		elem, ok := elemOfSplit(m)
		if !ok {
			elem = BF16
		}
		enc, err := newTestEncoder(m, 0).Encode(coarseMantissas(100_000), elem, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprintf("%d+%d %016x", len(enc.Header), len(enc.Payload), xxh3.Hash(slices.Concat(enc.Header, enc.Payload)))
		if got != want[m] {
			t.Errorf("%v: %q, want %q", m, got, want[m])
		}
	}
}
