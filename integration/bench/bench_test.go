package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scapefs/scapefs/internal/report"
	"golang.org/x/sys/unix"
)

// sampled is a result as a run would leave it.
func sampled() *result {
	r := &result{BlockUS: 50, First: []float64{0.1, 0.5, 0.2}, Model: model{Bytes: 1 << 30, Cache: 256 << 20}}
	for _, w := range workloads {
		for i, s := range w.subjects {
			c := &cell{Workload: w.Name, Subject: s.name}
			for round := range 3 {
				c.Rounds = append(c.Rounds, measurement{Peak: 300 << 20,
					sample: sample{Bytes: 1 << 30, Ops: 1024, Seconds: float64(i + round + 1), P50: 100, P99: 200, Max: 300}})
			}
			r.Cells = append(r.Cells, c)
		}
	}
	r.Targets = targets(r)
	return r
}

func TestTargets(t *testing.T) {
	got := map[string]target{}
	for _, g := range sampled().Targets {
		got[g.What] = g
	}
	for what, want := range map[string]struct {
		got float64
		met bool
	}{
		// The fourth subject takes 4, 5, 6 s, the third 3, 4, 5.
		"read, cold, archive cached, over zeros over FUSE": {4.0 / 5, true},
		"random4k, p50, over decoding one block":           {2, true},
		"peak memory of the daemon beyond its cache, MiB":  {44, true},
		"mount to first byte, 1,000 archives, s":           {0.2, true},
		"read 500 MB/s, cold, over plain":                  {2.0 / 3, false},
	} {
		g, ok := got[what]
		if !ok || math.Abs(g.Got-want.got) > 1e-9 || g.met() != want.met {
			t.Errorf("%s: %+v, met %v; want %v", what, g, g.met(), want)
		}
	}
	if n := len(targets(&result{})); n != 0 {
		t.Errorf("%d targets of a run that measured nothing", n)
	}
}

// Tables and plots show every subject, and plots are well-formed.
func TestShow(t *testing.T) {
	r := sampled()
	var doc bytes.Buffer
	if err := r.print(&doc); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"scapefs, warm", "zstd -d", "**missed**", "erofs"} {
		if !strings.Contains(doc.String(), want) {
			t.Errorf("the tables have no %q", want)
		}
	}
	plots := r.plots()
	if len(plots) != 3 {
		t.Errorf("%d plots", len(plots))
	}
	for name, svg := range plots {
		d := xml.NewDecoder(bytes.NewReader(svg))
		var err error
		for err == nil {
			_, err = d.Token()
		}
		if err != io.EOF {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len((&result{}).plots()); n != 0 {
		t.Errorf("%d plots of nothing", n)
	}
}

func TestWriteDoc(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.md")
	for _, text := range []string{"a\n<!-- bench: begin -->\n<!-- bench: end -->\nb\n", "a\n<!-- bench: begin -->\nof yesterday\n<!-- bench: end -->\nb\n"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := report.Rewrite(path, docName, sampled().print); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(b); !strings.HasPrefix(got, "a\n") || !strings.HasSuffix(got, "\nb\n") ||
			!strings.Contains(got, "### Targets") || strings.Contains(got, "yesterday") {
			t.Errorf("the document is %.300q…", got)
		}
	}
	if err := os.WriteFile(path, []byte("no markers"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := report.Rewrite(path, docName, sampled().print); err == nil {
		t.Error("no error without markers")
	}
}

// Every way of reading reads a whole model, or says what it read.
func TestWays(t *testing.T) {
	dir := t.TempDir()
	if err := writeTensors(filepath.Join(dir, "model", "a.safetensors"), layer(10), 1); err != nil {
		t.Fatal(err)
	}
	if err := makeSmall(filepath.Join(dir, "small")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "model", "a.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	bytesOf := map[string]int64{"names": layerBytes, "faults1": layerBytes, "faults32": layerBytes, "random4k": 250 * 4096, "walk": 0, "small": -1}
	for name, way := range ways {
		c, dir := new(clock), dir
		if name == "stripes32" {
			dir = filepath.Join(dir, "model")
		}
		if err := way(dir, c); err != nil {
			if name == "direct16" && errors.Is(err, unix.EINVAL) {
				t.Logf("SKIPPED: %s: %s has no O_DIRECT", name, dir)
				continue
			}
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, listed := bytesOf[name]
		if !listed {
			want = info.Size()
		}
		s := c.sample(1)
		if want >= 0 && s.Bytes != want || s.Ops == 0 || s.P50 > s.P99 || s.P99 > s.Max {
			t.Errorf("%s: %+v, want %d bytes", name, s, want)
		}
	}
	list, err := tensorsOf(dir)
	if err != nil || len(list) != 7 || list[0].name != "model.layers.10.mlp.down_proj.weight" {
		t.Errorf("%d tensors, %v", len(list), err)
	}
}

func TestFioSample(t *testing.T) {
	s, err := fioSample([]byte(`{"jobs": [{"read": {"io_bytes": 100, "total_ios": 2, "runtime": 500,
		"clat_ns": {"max": 3000, "percentile": {"50.000000": 1000, "99.000000": 2000}}}}]}`))
	if want := (sample{Bytes: 100, Ops: 2, Seconds: 0.5, P50: 1, P99: 2, Max: 3}); err != nil || s != want {
		t.Errorf("%+v, %v", s, err)
	}
	for _, bad := range []string{"", "{}", `{"jobs": [{}]}`} {
		if _, err := fioSample([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
