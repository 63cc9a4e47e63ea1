package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"text/template"
)

// A plot is horizontal bars, groups of them, with the spread of the rounds. It
// follows the reader's choice of light or dark.
const (
	plotWidth, plotLeft, plotRight = 640, 190, 60
	barHeight, groupGap, plotTop   = 18, 30, 44
)

var plotTemplate = template.Must(template.New("plot").Parse(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{.Width}} {{.Height}}" font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="{{.Title}}">
<style>
.bg { fill: #ffffff } text { fill: #1c2733 } .spread { stroke: #1c2733 }
.scapefs { fill: #1f66c1 } .plain { fill: #2f8f4e } .other { fill: #98a3ae }
@media (prefers-color-scheme: dark) {
.bg { fill: #0d1117 } text { fill: #e6edf3 } .spread { stroke: #e6edf3 }
.scapefs { fill: #6cb0ff } .plain { fill: #56d07d } .other { fill: #6b7783 }
}
</style>
<rect class="bg" width="{{.Width}}" height="{{.Height}}"/>
<text x="12" y="24" font-size="15" font-weight="600">{{.Title}}</text>
{{range .Groups}}<text x="12" y="{{.Y}}" font-weight="600">{{.Name}}</text>
{{end}}{{range .Bars}}<text x="{{$.Left}}" dx="-8" y="{{.TextY}}" text-anchor="end">{{.Name}}</text><rect class="{{.Class}}" x="{{$.Left}}" y="{{.Y}}" width="{{.Width}}" height="{{.Height}}"/><path class="spread" d="M{{.From}} {{.Middle}}H{{.To}}"/><text x="{{.To}}" dx="6" y="{{.TextY}}">{{.Value}}</text>
{{end}}</svg>
`))

type plotGroup struct {
	Name string
	Y    float64
}

type plotBar struct {
	Class, Name, Value             string
	Y, TextY, Middle               float64
	Width, Height, From, To, value float64
}

// plots gives the plots by the names of their files.
func (r *result) plots() map[string][]byte {
	all := map[string][]byte{}
	for name, p := range map[string]struct {
		title     string
		workloads []string
	}{
		"performance-read.svg": {"Whole model, cold, GB/s (line: the rounds' spread)", []string{"read", "mmap", "names", "shards4"}},
		"performance-load.svg": {"As loaders read, GB/s", []string{"faults32", "direct16", "uring8m", "uring128k"}},
		"performance-disk.svg": {"From slow disks, GB/s", []string{"read 200 MB/s", "read 500 MB/s", "names 500 MB/s", "read 1000 MB/s"}},
	} {
		if svg := r.plot(p.title, p.workloads); svg != nil {
			all[name] = svg
		}
	}
	return all
}

// plot is nil if nothing of it was measured.
func (r *result) plot(title string, names []string) []byte {
	var groups []plotGroup
	var bars []*plotBar
	y, most := float64(plotTop), 0.0
	for _, name := range names {
		i := slices.IndexFunc(workloads, func(w workload) bool { return w.Name == name })
		y += groupGap
		group := plotGroup{name, round1(y - 8)}
		before := len(bars)
		for _, s := range workloads[i].subjects {
			c := r.find(name, s.name)
			if c == nil || s.warm { // memory would dwarf the rest
				continue
			}
			bars = append(bars, newBar(c, y))
			y += barHeight + 4
			most = max(most, slices.Max(c.all(speedOf)))
		}
		if len(bars) > before {
			groups = append(groups, group)
		} else {
			y -= groupGap
		}
	}
	if len(bars) == 0 {
		return nil
	}
	scale := (plotWidth - plotLeft - plotRight) / most
	for _, b := range bars {
		b.Width = round1(b.value * scale)
		b.From, b.To = round1(plotLeft+b.From*scale), round1(plotLeft+b.To*scale)
	}
	var out bytes.Buffer
	err := plotTemplate.Execute(&out, map[string]any{"Title": title, "Width": plotWidth, "Height": math.Ceil(y + 12),
		"Left": plotLeft, "Groups": groups, "Bars": bars})
	if err != nil {
		panic(err) // the template and what it is given are constant
	}
	return out.Bytes()
}

func newBar(c *cell, y float64) *plotBar {
	speeds := c.all(speedOf)
	b := &plotBar{Class: "other", Name: c.Subject, value: median(speeds), Y: y, Height: barHeight,
		TextY: y + barHeight - 5, Middle: y + barHeight/2, From: slices.Min(speeds), To: slices.Max(speeds)}
	b.Value = fmt.Sprintf("%.2f", b.value)
	for _, class := range []string{"scapefs", "plain"} {
		if strings.HasPrefix(c.Subject, class) {
			b.Class = class
		}
	}
	return b
}

func round1(v float64) float64 { return math.Round(v*10) / 10 }
