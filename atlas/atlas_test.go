package atlas

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/internal/trained"
)

func models(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("../testdata/*.safetensors")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no models: %v", err)
	}
	return paths
}

func analyse(t *testing.T, path string) *File {
	t.Helper()
	f, err := Analyse(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What each method is said to take is what pack writes, and the tensors' shares
// add up to it.
func TestSizesAreThoseOfPack(t *testing.T) {
	paths := models(t)
	if testing.Short() {
		paths = []string{"../testdata/stories260k.bf16.safetensors"}
	}
	for _, path := range paths {
		f := analyse(t, path)
		for _, c := range Coders(trained.Profile()) {
			if err := f.Code(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			r := f.Methods[len(f.Methods)-1]
			dst := filepath.Join(t.TempDir(), "x.scape")
			_, err := archive.Pack(t.Context(), dst, path, archive.PackOptions{Method: c.Method, Level: c.Level, Profile: c.Profile})
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(dst)
			if err != nil {
				t.Fatal(err)
			}
			if r.Stored != info.Size() {
				t.Errorf("%s by %s: %d bytes, pack writes %d", path, c.Name(), r.Stored, info.Size())
			}
			sum := 0.0
			for _, x := range f.Tensors {
				sum += x.Stored[c.Name()]
			}
			if math.Abs(sum-float64(r.Stored)) > 1e-3 {
				t.Errorf("%s by %s: tensors have %f bytes of %d", path, c.Name(), sum, r.Stored)
			}
		}
	}
}

// The parts of a gap add up to it, and what is left to explain of bf16_split, over
// all tensors, is no more than how its coder and its tables round.
func TestGapsAddUp(t *testing.T) {
	taken := 0
	for _, path := range models(t) {
		f := analyse(t, path)
		for _, m := range []codec.Method{codec.BF16Split, codec.Scape} {
			c := Coder{Method: m}
			if err := f.Code(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			for _, x := range f.Tensors {
				g, ok := x.Gaps[c.Name()]
				if !ok {
					continue
				}
				taken++
				sum := g.Floor
				_, parts := g.Parts()
				for _, p := range parts {
					sum += p
				}
				if math.Abs(sum-g.Measured) > 1e-9*max(1, g.Measured) || math.Abs(g.Measured-8*x.Stored[c.Name()]/float64(x.Weights)) > 1e-9*max(1, g.Measured) {
					t.Errorf("%s, %s by %v: parts add up to %f, measured %f", path, x.Name, m, sum, g.Measured)
				}
			}
		}
		if g, ok := f.Gaps[codec.BF16Split.String()]; ok {
			if g.Quantised < 0 || g.Reference < g.Quantised+0.1 || g.ChunkFit < 0 {
				t.Errorf("%s: %+v", path, g)
			}
			if math.Abs(g.Residual) > 0.05 {
				t.Errorf("%s: %f bits a weight of bf16_split are not explained", path, g.Residual)
			}
		}
	}
	if taken == 0 {
		t.Fatal("nothing was taken apart")
	}
}

func TestOracle(t *testing.T) {
	f := analyse(t, "../testdata/stories260k.bf16.safetensors")
	var coders []Coder
	for _, c := range Coders(nil) {
		if c.Level == codec.Balanced {
			coders = append(coders, c)
		}
	}
	if err := f.Route(t.Context(), coders); err != nil {
		t.Fatal(err)
	}
	o := f.Oracle
	if o.Routed > o.Stored || o.Gain < 0 || o.Auto < o.Routed || o.Auto > 1.0005*o.Stored {
		t.Errorf("%+v", o)
	}
	wins := 0
	for _, n := range o.Wins {
		wins += n
	}
	if wins != len(f.Tensors) {
		t.Errorf("%d wins of %d tensors", wins, len(f.Tensors))
	}
}
