package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/scapefs/scapefs/atlas"
	"github.com/scapefs/scapefs/internal/plot"
)

//go:embed methods.md.tmpl
var pageText string

var page = template.Must(template.New("methods").Parse(pageText))

// row is a line of the table of methods.
type row struct {
	Name                   string
	Median, Mean, Whole    string // of the ratios; of the files in one
	Encode, Decode         string
	Profile                string
	Reference, ReferenceMB string
}

// reference is the published table: median over 290 tensors, decoded MB/s.
var reference = map[string][2]string{
	"OpenZL, trained":       {"1.5009", "140"},
	"bytewise ceiling":      {"1.4979", ""},
	"bf16_split":            {"1.4886", "14.1"},
	"bf16_split_ctx":        {"1.4885", "19.5"},
	"bf16_split_mixture":    {"1.4763", ""},
	"zstd_19_bytegrouped":   {"1.4521", "409"},
	"bf16_split_xz_9":       {"1.4437", "21.4"},
	"bf16_split_zstd_19":    {"1.4256", "484"},
	"bf16_split_pretrained": {"1.3939", ""},
	"zstd_19":               {"1.2874", ""},
	"zstd_19_dict":          {"1.2780", "563"},
}

// The two ways that OpenZL is trained: on the file, and tensor by tensor.
var openzl = []string{"openzl-trained", "openzl-trained-per-tensor"}

func (f *fileResult) bestOpenZL() float64 { return max(f.Peers[openzl[0]], f.Peers[openzl[1]]) }

// outputs are the files to write, by name.
func (r *result) outputs() (map[string][]byte, error) {
	kept, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := page.Execute(&text, r.data()); err != nil {
		return nil, err
	}
	speed, err := r.speedPlot().SVG()
	if err != nil {
		return nil, err
	}
	gaps, err := r.gapPlot().SVG()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{resultFile: append(kept, '\n'), "methods.md": text.Bytes(), "methods-speed.svg": speed, "methods-gap.svg": gaps}, nil
}

func (r *result) data() map[string]any {
	smaller, files := r.smallerThanOpenZL()
	worst, worstFile := r.autoAgainstBest()
	above, large := 0, 0
	for _, f := range r.Files {
		if f.DType == "bf16" {
			above, large = above+f.Above[0], large+f.Above[1]
		}
	}
	return map[string]any{
		"Rows": r.rows(), "Files": r.fileRows(), "Count": len(r.ratios("bf16", func(*fileResult) float64 { return 1 })),
		"Smaller": smaller, "Compared": files, "Worst": fmt.Sprintf("%+.3f %%", 100*worst), "WorstFile": worstFile,
		"Above": above, "Large": large,
		"Over512":    fmt.Sprintf("%.3f", median(r.ratios("bf16", func(f *fileResult) float64 { return f.Quantised }))),
		"Dense":      fmt.Sprintf("%.3f", median(r.ratios("bf16", func(f *fileResult) float64 { return f.part("bf16_split", 1) }))),
		"LibZstd":    four(median(r.ratios("bf16", func(f *fileResult) float64 { return f.Peers["zstd-19"] }))),
		"LibGrouped": four(median(r.ratios("bf16", func(f *fileResult) float64 { return f.Peers["zstd-19-bytegrouped"] }))),
		"Mixture":    r.mixtureSmaller(),
		"Half16":     r.small("fp16"), "Half32": r.small("fp32"),
	}
}

// mixtureSmaller counts the bf16 files on which more than one distribution pays.
func (r *result) mixtureSmaller() (n int) {
	for _, f := range r.Files {
		if f.DType == "bf16" && f.ratioOr0("bf16_split_mixture") > f.ratioOr0("bf16_split_pretrained") {
			n++
		}
	}
	return n
}

// part is the part of a gap at a place in atlas.Gap.Parts.
func (f *fileResult) part(method string, at int) float64 {
	if g := f.Gaps[method]; at < len(g.Parts) {
		return g.Parts[at]
	}
	return 0
}

// rows are the bf16 methods, the ceiling and OpenZL among them, best median first.
func (r *result) rows() []row {
	type valued struct {
		row
		by float64
	}
	var list []valued
	add := func(name string, of func(*fileResult) float64) {
		ratios := r.ratios("bf16", of)
		if len(ratios) == 0 {
			return
		}
		x := valued{row{Name: name, Median: four(median(ratios)), Mean: four(geometricMean(ratios)), Whole: four(r.whole("bf16", of))}, median(ratios)}
		if s, ok := r.Speeds["bf16"][name]; ok {
			x.Encode, x.Decode = fmt.Sprint(s.Encode), fmt.Sprint(s.Decode)
		}
		if n := r.profileLen(name); n > 0 {
			x.Profile = fmt.Sprint(n)
		}
		x.Reference, x.ReferenceMB = reference[name][0], reference[name][1]
		if slices.Contains(r.Methods, name) {
			x.Name = "`" + name + "`"
		}
		list = append(list, x)
	}
	for _, name := range r.Methods {
		add(name, func(f *fileResult) float64 { return f.ratioOr0(name) })
	}
	add("bytewise ceiling", func(f *fileResult) float64 { return f.Ceiling })
	add("OpenZL, trained", func(f *fileResult) float64 { return f.bestOpenZL() })
	slices.SortStableFunc(list, func(a, b valued) int {
		switch {
		case a.by > b.by:
			return -1
		case a.by < b.by:
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	var rows []row
	for _, x := range list {
		rows = append(rows, x.row)
	}
	return rows
}

func (f *fileResult) ratioOr0(method string) float64 {
	if f.Stored[method] == 0 {
		return 0
	}
	return f.ratio(method)
}

// whole is the ratio of all files of dtype together.
func (r *result) whole(dtype string, of func(*fileResult) float64) float64 {
	var original, stored float64
	for _, f := range r.Files {
		if v := of(f); f.DType == dtype && v > 0 {
			original += float64(f.Bytes)
			stored += float64(f.Bytes) / v
		}
	}
	return original / stored
}

// profileLen is the most bytes that a profile for method has.
func (r *result) profileLen(method string) (most int) {
	for _, f := range r.Files {
		most = max(most, f.Profile[method])
	}
	return most
}

// fileRows is a line a file: ceiling, OpenZL and scape.
func (r *result) fileRows() (rows [][]string) {
	for _, f := range r.Files {
		line := []string{f.Name, fmt.Sprint(f.Bytes), fourOr(f.Ceiling), fourOr(f.bestOpenZL())}
		for _, m := range []string{"scape fast", "scape", "scape small", "auto"} {
			line = append(line, fourOr(f.ratioOr0(m)))
		}
		if f.Above[1] > 0 {
			line = append(line, fmt.Sprintf("%d of %d", f.Above[0], f.Above[1]))
		} else {
			line = append(line, "")
		}
		rows = append(rows, line)
	}
	return rows
}

// small lists the methods of a dtype other than bf16, with median and mean.
func (r *result) small(dtype string) (rows [][]string) {
	for _, name := range r.Methods {
		ratios := r.ratios(dtype, func(f *fileResult) float64 { return f.ratioOr0(name) })
		if len(ratios) == 0 {
			continue
		}
		s := r.Speeds[dtype][name]
		rows = append(rows, []string{name, four(median(ratios)), four(geometricMean(ratios)), fmt.Sprint(s.Encode), fmt.Sprint(s.Decode)})
	}
	return rows
}

// smallerThanOpenZL counts the files that scape makes smaller than OpenZL,
// trained in the better of two ways, does.
func (r *result) smallerThanOpenZL() (smaller, compared int) {
	for _, f := range r.Files {
		if peer := f.bestOpenZL(); peer > 0 {
			compared++
			if f.ratio("scape") > peer {
				smaller++
			}
		}
	}
	return smaller, compared
}

// autoAgainstBest finds the file on which auto is largest beside the smallest
// archive of a single method at the default level.
func (r *result) autoAgainstBest() (worst float64, name string) {
	for i, f := range r.Files {
		best := int64(0)
		for m, stored := range f.Stored {
			if m != "auto" && !strings.Contains(m, " ") && (best == 0 || stored < best) {
				best = stored
			}
		}
		if more := float64(f.Stored["auto"])/float64(best) - 1; i == 0 || more > worst {
			worst, name = more, f.Name
		}
	}
	return worst, name
}

// speedPlot is the median ratio of each method by the speed of its decoding.
func (r *result) speedPlot() plot.Scatter {
	ours, others := plot.Series{Name: "scape and auto"}, plot.Series{Name: "methods of the field"}
	for _, name := range r.Methods {
		s, ok := r.Speeds["bf16"][name]
		if !ok || s.Decode <= 0 || name == "raw" {
			continue
		}
		at := plot.Point{X: s.Decode / 1e3, Y: median(r.ratios("bf16", func(f *fileResult) float64 { return f.ratioOr0(name) })), Label: name}
		if strings.HasPrefix(name, "scape") || strings.HasPrefix(name, "auto") {
			ours.Points = append(ours.Points, at)
		} else {
			others.Points = append(others.Points, at)
		}
	}
	return plot.Scatter{Title: "Ratio and speed on bf16 files", XLabel: "decode, GB/s of original bytes on one core", YLabel: "median ratio",
		LogX: true, Frontier: true, Series: []plot.Series{ours, others}}
}

// gapPlot is the mean over the bf16 files of the parts of each gap. The first bar
// has the quantisation that the reference's alphabet costs.
func (r *result) gapPlot() plot.Bars {
	b := plot.Bars{Title: "From the entropy to the archive", ValueLabel: "bits a weight; below 0 is saved",
		Names: []string{"over 512 symbols", "bf16_split", "scape"}}
	names, _ := atlas.Gap{}.Parts()
	for i, name := range names {
		split := r.meanOf(func(f *fileResult) float64 { return f.part("bf16_split", i) })
		first := split
		if name == "quantisation" {
			first = r.meanOf(func(f *fileResult) float64 { return f.Quantised })
		}
		b.Parts = append(b.Parts, plot.Part{Name: name, Values: []float64{first, split, r.meanOf(func(f *fileResult) float64 { return f.part("scape", i) })}})
	}
	return b
}

// meanOf is the mean over the bf16 files, rounded.
func (r *result) meanOf(of func(*fileResult) float64) float64 {
	sum, n := 0.0, 0
	for _, f := range r.Files {
		if f.DType == "bf16" {
			sum, n = sum+of(f), n+1
		}
	}
	return rounded(sum / float64(max(n, 1)))
}

func four(v float64) string { return fmt.Sprintf("%.4f", v) }

func fourOr(v float64) string {
	if v == 0 {
		return ""
	}
	return four(v)
}
