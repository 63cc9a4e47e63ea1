package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"text/template"
)

// The plot: ratio against the speed of decoding real weights from memory to
// memory, a line a backend and a dot a peer.
const (
	plotWidth, plotHeight      = 760, 540
	plotLeft, plotRight        = 64, 24
	plotTop, plotBottom        = 64, 56
	labelHeight, labelPerGlyph = 14, 6.6
)

var plotTemplate = template.Must(template.New("plot").Parse(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{.Width}} {{.Height}}" font-family="system-ui, sans-serif" font-size="12">
<style>
.bg { fill: #ffffff } text { fill: #1c2733 } .grid { stroke: #dfe4e9 } .line { stroke-width: 1.5 }
.peer { fill: #6b7783 } .go { fill: #2f8f4e } .avx2 { fill: #b8660b } .avx512 { fill: #1f66c1 }
.line.go { fill: none; stroke: #2f8f4e } .line.avx2 { fill: none; stroke: #b8660b } .line.avx512 { fill: none; stroke: #1f66c1 }
@media (prefers-color-scheme: dark) {
.bg { fill: #0d1117 } text { fill: #e6edf3 } .grid { stroke: #30363d }
.peer { fill: #9aa6b2 } .go { fill: #56d07d } .avx2 { fill: #f0a04b } .avx512 { fill: #6cb0ff }
.line.go { stroke: #56d07d } .line.avx2 { stroke: #f0a04b } .line.avx512 { stroke: #6cb0ff }
}
</style>
<rect class="bg" width="{{.Width}}" height="{{.Height}}"/>
<text x="{{.Left}}" y="24" font-size="15" font-weight="600">{{.Title}}</text>
{{range .Legend}}<circle class="{{.Class}}" cx="{{.X}}" cy="42" r="4.5"/><text x="{{.TextX}}" y="46">{{.Text}}</text>
{{end}}{{range .XTicks}}<path class="grid" d="M{{.At}} {{$.Top}}V{{$.Bottom}}"/><text x="{{.At}}" y="{{$.XTickY}}" text-anchor="middle">{{.Text}}</text>
{{end}}{{range .YTicks}}<path class="grid" d="M{{$.Left}} {{.At}}H{{$.Right}}"/><text x="{{$.YTickX}}" y="{{.At}}" dy="4" text-anchor="end">{{.Text}}</text>
{{end}}<text x="{{.Right}}" y="{{.Caption}}" text-anchor="end">decode, GB/s on one core</text>
<text transform="translate(16 {{.Top}}) rotate(-90)" text-anchor="end">ratio</text>
{{range .Lines}}<path class="line {{.Class}}" d="{{.Path}}"/>
{{end}}{{range .Points}}<circle class="{{.Class}}" cx="{{.X}}" cy="{{.Y}}" r="4.5"/>{{with .Label}}<text x="{{.X}}" y="{{.Y}}">{{.Text}}</text>{{end}}
{{end}}</svg>
`))

type plotPoint struct {
	Class, Name string
	X, Y        float64
	Label       *plotLabel
}

// plotLabel begins at X, Y, the left end of its base line.
type plotLabel struct {
	X, Y float64
	Text string
}

type plotTick struct {
	At   float64
	Text string
}

type plotLegend struct {
	Class, Text string
	X, TextX    float64
}

type plotLine struct{ Class, Path string }

func (r *result) plot() ([]byte, error) {
	var real []memorySpeed
	for _, m := range r.Memory {
		if m.Input == "real" {
			real = append(real, m)
		}
	}
	if len(real) == 0 {
		return nil, errors.New("nothing to plot: the result has no real weights")
	}
	x, y := newLogAxis(real), newRatioAxis(real)
	points := plotPoints(real, x, y)
	placeLabels(points)
	data := map[string]any{
		"Width": plotWidth, "Height": plotHeight, "Left": plotLeft, "Right": plotWidth - plotRight,
		"Top": plotTop, "Bottom": plotHeight - plotBottom,
		"XTickY": plotHeight - plotBottom + 18, "YTickX": plotLeft - 8, "Caption": plotHeight - 12,
		"Title":  fmt.Sprintf("Real bf16 weights, %.3g MB, from memory to memory", float64(real[0].Bytes)/1e6),
		"XTicks": x.ticks(), "YTicks": y.ticks(),
		"Lines": plotLines(points), "Points": points, "Legend": r.legend(),
	}
	var out bytes.Buffer
	err := plotTemplate.Execute(&out, data)
	return out.Bytes(), err
}

// axis maps values to pixels.
type axis struct {
	min, max, from, to float64
	log                bool
}

func (a axis) at(v float64) float64 {
	lo, hi := a.min, a.max
	if a.log {
		v, lo, hi = math.Log(v), math.Log(lo), math.Log(hi)
	}
	return math.Round(10*(a.from+(v-lo)/(hi-lo)*(a.to-a.from))) / 10
}

func newLogAxis(list []memorySpeed) axis {
	a := axis{min: math.Inf(1), from: plotLeft, to: plotWidth - plotRight, log: true}
	for _, m := range list {
		a.min, a.max = min(a.min, m.Decode), max(a.max, m.Decode)
	}
	a.min, a.max = a.min/1.2, a.max*1.4 // room for labels
	return a
}

func newRatioAxis(list []memorySpeed) axis {
	a := axis{min: math.Inf(1), from: plotHeight - plotBottom, to: plotTop}
	for _, m := range list {
		a.min, a.max = min(a.min, m.Ratio), max(a.max, m.Ratio)
	}
	a.min, a.max = math.Floor(20*a.min-0.2)/20, math.Ceil(20*a.max+0.2)/20
	return a
}

func (a axis) ticks() (list []plotTick) {
	add := func(v float64) {
		if v >= a.min-1e-9 && v <= a.max+1e-9 {
			list = append(list, plotTick{a.at(v), fmt.Sprintf("%.4g", v)})
		}
	}
	if a.log {
		for decade := 0.01; decade < 1000; decade *= 10 {
			for _, v := range []float64{1, 2, 5} {
				add(v * decade)
			}
		}
		return list
	}
	for k := math.Round(20 * a.min); k <= math.Round(20*a.max); k++ {
		add(k / 20)
	}
	return list
}

func plotPoints(list []memorySpeed, x, y axis) []*plotPoint {
	var points []*plotPoint
	for _, m := range list {
		p := &plotPoint{Class: "peer", Name: peerName(m.Who), X: x.at(m.Decode), Y: y.at(m.Ratio)}
		if m.Backend != "" {
			p.Class, p.Name = m.Backend, strings.TrimPrefix(m.Who, "scape ")
		}
		points = append(points, p)
	}
	return points
}

// peerName is what people call a peer.
func peerName(who string) string {
	switch who {
	case "zipnn":
		return "ZipNN"
	case "openzl-trained":
		return "OpenZL, trained"
	case "zstd-19-bytegrouped":
		return "zstd -19, bytes grouped"
	}
	return strings.Replace(who, "zstd-", "zstd -", 1)
}

// plotLines joins the levels of each backend.
func plotLines(points []*plotPoint) (lines []plotLine) {
	for _, p := range points {
		if p.Class == "peer" {
			continue
		}
		if last := len(lines) - 1; last >= 0 && lines[last].Class == p.Class {
			lines[last].Path += fmt.Sprintf("L%g %g", p.X, p.Y)
		} else {
			lines = append(lines, plotLine{p.Class, fmt.Sprintf("M%g %g", p.X, p.Y)})
		}
	}
	return lines
}

func (r *result) legend() (list []plotLegend) {
	x := float64(plotLeft) + 5
	for _, c := range append(slices.Clone(r.Backends), "peer") {
		text := map[string]string{"go": "scape, portable Go", "avx2": "scape, AVX2", "avx512": "scape, AVX-512", "peer": "others"}[c]
		list = append(list, plotLegend{c, text, x, x + 10})
		x += 40 + labelPerGlyph*float64(len(text))
	}
	return list
}
