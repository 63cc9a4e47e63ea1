package atlas

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/scapefs/scapefs/internal/plot"
)

//go:embed page.html.tmpl
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// WriteHTML writes a page about files that needs nothing beside it: summaries, the
// methods, and plots that follow the reader's light or dark theme.
func WriteHTML(w io.Writer, files []*File) error {
	data := pageData{Methods: methodRows(files)}
	for _, f := range files {
		data.Files = append(data.Files, f.summary())
	}
	for _, p := range []drawable{speedPlot(data.Methods), depthPlot(files), kindPlot(files), exponentPlot(files), gapPlot(files)} {
		if p.empty {
			continue
		}
		svg, err := p.draw()
		if err != nil {
			return err
		}
		data.Plots = append(data.Plots, template.HTML(svg)) // #nosec G203 -- it escapes the names in it
	}
	return page.Execute(w, data)
}

type pageData struct {
	Files   []fileSummary
	Methods []methodRow
	Plots   []template.HTML
}

// fileSummary is a line of the first table.
type fileSummary struct {
	Path, Size, DTypes string
	Tensors            int
	Floor, Ceiling     string
	Best, Ratio        string // the method with the smallest archive, and its ratio
	Oracle             string
}

func (f *File) summary() fileSummary {
	s := fileSummary{Path: f.Path, Size: humanize.IBytes(uint64(f.Size)), Tensors: len(f.Tensors)}
	var names []string
	for _, t := range f.Totals {
		names = append(names, t.DType)
	}
	s.DTypes = strings.Join(names, ", ")
	if len(f.Totals) > 0 {
		s.Floor = fmt.Sprintf("%.3f", f.Totals[0].Floor)
		s.Ceiling = fmt.Sprintf("%.4f", f.Totals[0].Entropy.Ceiling)
	}
	best := 0.0
	for _, r := range f.Methods {
		if r.Ratio > best {
			best, s.Best, s.Ratio = r.Ratio, r.Name, fmt.Sprintf("%.4f", r.Ratio)
		}
	}
	if o := f.Oracle; o != nil {
		s.Oracle = fmt.Sprintf("%.3f %% less than %s for all; auto %.3f %% less", 100*o.Gain, o.Single, 100*(1-o.Auto/o.Stored))
	}
	return s
}

// methodRow is a method over all files.
type methodRow struct {
	Name         string
	Median, Mean float64 // of the ratios; the geometric mean
	Encode       float64 // 10^6 bytes a second
	Decode       float64
	Profile      int // bytes, the most
}

// methodRows lists the methods that every file was coded by, the best first.
func methodRows(files []*File) (rows []methodRow) {
	if len(files) == 0 {
		return nil
	}
	for _, first := range files[0].Methods {
		row := methodRow{Name: first.Name}
		var ratios []float64
		var bytes, encode, decode, logs float64
		for _, f := range files {
			i := slices.IndexFunc(f.Methods, func(r Result) bool { return r.Name == first.Name })
			if i < 0 {
				continue
			}
			r := f.Methods[i]
			ratios = append(ratios, r.Ratio)
			logs += math.Log(r.Ratio)
			bytes += float64(r.Original)
			encode += float64(r.Original) / r.Encode
			decode += float64(r.Original) / r.Decode
			row.Profile = max(row.Profile, r.Profile)
		}
		if len(ratios) < len(files) {
			continue
		}
		slices.Sort(ratios)
		row.Median = (ratios[(len(ratios)-1)/2] + ratios[len(ratios)/2]) / 2
		row.Mean = math.Exp(logs / float64(len(ratios)))
		row.Encode, row.Decode = bytes/encode, bytes/decode
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(a, b methodRow) int {
		switch {
		case a.Median > b.Median:
			return -1
		case a.Median < b.Median:
			return 1
		}
		return 0
	})
	return rows
}

// drawable is a plot of the page, left out if there is nothing to draw.
type drawable struct {
	empty bool
	draw  func() ([]byte, error)
}

// speedPlot leaves out what does not compress.
func speedPlot(rows []methodRow) drawable {
	var points []plot.Point
	for _, r := range rows {
		if r.Decode > 0 && r.Median > 1 && !math.IsInf(r.Decode, 0) {
			points = append(points, plot.Point{X: r.Decode / 1e3, Y: r.Median, Label: r.Name})
		}
	}
	s := plot.Scatter{Title: "Ratio and speed", XLabel: "decode, GB/s on one core", YLabel: "ratio", LogX: true, Frontier: true,
		Series: []plot.Series{{Name: "methods", Points: points}}}
	return drawable{len(points) == 0, s.SVG}
}

// shownBy is the method whose ratios of tensors are drawn.
const shownBy = "scape"

// smallest is of how many weights on a tensor is drawn: those below share tables.
const smallest = 4096

// eachRatio calls do for the tensors that are drawn. Tensors come in the order of the
// file, which is roughly that of the layers.
func eachRatio(files []*File, do func(file, at int, t *Tensor, ratio float64)) {
	for k, f := range files {
		for i, t := range f.Tensors {
			if stored := t.Stored[shownBy]; stored > 0 && t.Weights >= smallest {
				do(k, i, t, float64(t.Bytes)/stored)
			}
		}
	}
}

func depthPlot(files []*File) drawable {
	series := make([]plot.Series, len(kinds))
	for i, k := range kinds {
		series[i].Name = k.name
	}
	any := false
	eachRatio(files, func(file, at int, t *Tensor, ratio float64) {
		depth := (float64(at) + 0.5) / float64(len(files[file].Tensors))
		k := kindOf(t)
		series[k].Points = append(series[k].Points, plot.Point{X: depth, Y: ratio})
		any = true
	})
	s := plot.Scatter{Title: "Ratio of tensors by " + shownBy, XLabel: "place in the file, from 0 to 1", YLabel: "ratio", Series: series}
	return drawable{!any, s.SVG}
}

// kindPlot shows the ratio of all tensors of a kind together.
func kindPlot(files []*File) drawable {
	original, stored := make([]float64, len(kinds)), make([]float64, len(kinds))
	eachRatio(files, func(_, _ int, t *Tensor, _ float64) {
		k := kindOf(t)
		original[k] += float64(t.Bytes)
		stored[k] += t.Stored[shownBy]
	})
	b := plot.Bars{Title: "Ratio by kind of tensor, by " + shownBy, ValueLabel: "ratio", From: 1, Parts: []plot.Part{{Name: shownBy}}}
	for k, kind := range kinds {
		if stored[k] > 0 {
			b.Names = append(b.Names, kind.name)
			b.Parts[0].Values = append(b.Parts[0].Values, original[k]/stored[k])
		}
	}
	return drawable{len(b.Names) == 0, b.SVG}
}

// exponentPlot shows the exponents between the first and last of some weight.
func exponentPlot(files []*File) drawable {
	var counts [256]float64
	total := 0.0
	for _, f := range files {
		for i, n := range f.Exponents {
			counts[i] += float64(n)
			total += float64(n)
		}
	}
	first, last := -1, -1
	for i, n := range counts {
		counts[i] /= max(total, 1)
		if n > 1e-4*total {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return drawable{empty: true}
	}
	c := plot.Columns{Title: "Exponents", XLabel: "biased exponent (127 is 1.0 to 2.0)", YLabel: "share of weights", First: first, Values: counts[first : last+1]}
	return drawable{false, c.SVG}
}

// gapPlot stacks the parts of the gaps; of several files, those of the weighted mean.
func gapPlot(files []*File) drawable {
	names, _ := Gap{}.Parts()
	b := plot.Bars{Title: "From the entropy to the archive", ValueLabel: "bits a weight; below 0 is saved"}
	for _, name := range names {
		b.Parts = append(b.Parts, plot.Part{Name: name})
	}
	for _, method := range []string{"bf16_split", "fp16_split", shownBy} {
		sums := make([]float64, len(names))
		weights := 0.0
		for _, f := range files {
			for _, t := range f.Tensors {
				if g, ok := t.Gaps[method]; ok {
					_, parts := g.Parts()
					for i, v := range parts {
						sums[i] += v * float64(t.Weights)
					}
					weights += float64(t.Weights)
				}
			}
		}
		if weights == 0 {
			continue
		}
		b.Names = append(b.Names, method)
		for i := range sums {
			b.Parts[i].Values = append(b.Parts[i].Values, sums[i]/weights)
		}
	}
	return drawable{len(b.Names) == 0, b.SVG}
}
