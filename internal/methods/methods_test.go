package main

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A page that was just written passes its check, and fails it when a size, the
// page or a plot is another.
func TestCheck(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	corpus, docs := t.TempDir(), t.TempDir()
	// Two families: each is coded by what was learned of the other.
	for _, name := range []string{"stories260k.bf16.safetensors", "silero-vad-16k.bf16.safetensors"} {
		b, err := os.ReadFile(filepath.Join("../../testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(corpus, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	opt := options{corpus: corpus, peers: "../../scripts/peers/corpus.tsv", docs: docs}
	if err := run(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	opt.check = true
	if err := run(t.Context(), opt); err != nil {
		t.Errorf("what was just written: %v", err)
	}
	page, err := os.ReadFile(filepath.Join(docs, "methods.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| `bf16_split_mixture` |", "| `zstd_19_dict` |", "| bytewise ceiling |", "| OpenZL, trained |", "| stories260k.bf16 | 524536 |"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, name := range []string{resultFile, "methods.md", "methods-speed.svg"} {
		path := filepath.Join(docs, name)
		was, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(was, ' ', '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := check(docs, map[string][]byte{name: was}); !errors.Is(err, errOutOfDate) {
			t.Errorf("with another %s: %v", name, err)
		}
	}
}

func TestDifferences(t *testing.T) {
	file := func(change func(*fileResult)) *fileResult {
		f := &fileResult{Name: "a", Bytes: 2 * quickLen, Stored: map[string]int64{"scape": 7}, Profile: map[string]int{}}
		change(f)
		return f
	}
	opt := options{check: true}
	for name, test := range map[string]struct {
		old  func(*fileResult)
		want int
	}{
		"the same":      {func(*fileResult) {}, 0},
		"left out":      {func(f *fileResult) { f.Stored["zstd_19"] = 8 }, 0},
		"another size":  {func(f *fileResult) { f.Stored["scape"] = 8 }, 1},
		"a method less": {func(f *fileResult) { delete(f.Stored, "scape") }, 1},
		"a method more": {func(f *fileResult) { f.Stored["raw"] = 8 }, 1},
		"another name":  {func(f *fileResult) { f.Name = "b" }, 1},
	} {
		f, old := file(func(*fileResult) {}), file(test.old)
		if got := f.differences(old, opt); len(got) != test.want {
			t.Errorf("%s: %v", name, got)
		}
		if test.want == 0 && !maps.Equal(f.Stored, old.Stored) {
			t.Errorf("%s: %v, want %v", name, f.Stored, old.Stored)
		}
	}
}

func TestNoCorpus(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		if err := run(context.Background(), options{corpus: dir, docs: t.TempDir()}); err == nil {
			t.Errorf("corpus %q: no error", dir)
		}
	}
}

// Nothing is coded by what was learned of its own family.
func TestFamilies(t *testing.T) {
	for name, want := range map[string]string{"magika-fast-v2-1.bf16": "magika", "kwt1.bf16": "kwt1", "x": "x"} {
		if got := family(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestMeans(t *testing.T) {
	if got := median([]float64{3, 1, 2}); got != 2 {
		t.Errorf("median %v", got)
	}
	if got := median([]float64{4, 1, 2, 3}); got != 2.5 {
		t.Errorf("median %v", got)
	}
	if got := rounded(geometricMean([]float64{1, 4})); got != 2 {
		t.Errorf("geometric mean %v", got)
	}
}
