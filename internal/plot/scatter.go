package plot

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// ErrEmpty is given for a plot of nothing.
var ErrEmpty = errors.New("plot: nothing to draw")

// Point is a place in a scatter. Points without a label have none.
type Point struct {
	X, Y  float64
	Label string
}

// Series is points of one colour. A line joins them in their order if Line is
// set.
type Series struct {
	Name   string
	Points []Point
	Line   bool
}

// Scatter is points over two axes. X is logarithmic if LogX is set, and all X
// must then be above 0.
type Scatter struct {
	Title          string
	XLabel, YLabel string
	LogX           bool
	Series         []Series
	Frontier       bool // join the points that no other is right of and above
}

const scatterHeight vg.Length = 400

// SVG draws the scatter.
func (s Scatter) SVG() ([]byte, error) {
	all := s.points()
	if len(all) == 0 {
		return nil, ErrEmpty
	}
	for _, pt := range all {
		if math.IsNaN(pt.X+pt.Y) || math.IsInf(pt.X+pt.Y, 0) || s.LogX && pt.X <= 0 {
			return nil, fmt.Errorf("plot: no place for the point %v, %v", pt.X, pt.Y)
		}
	}
	p := newPlot(s.XLabel, s.YLabel)
	lines := plotter.NewGrid()
	lines.Vertical.Color, lines.Horizontal.Color = grid, grid
	p.Add(lines)
	if s.Frontier {
		p.Add(line(frontier(all), draw.LineStyle{Color: ink, Width: 1, Dashes: []vg.Length{4, 3}}))
	}
	for i, series := range s.Series {
		if series.Line {
			p.Add(line(series.Points, draw.LineStyle{Color: colour(i), Width: 1.5}))
		}
		p.Add(&plotter.Scatter{XYs: places(series.Points), GlyphStyle: draw.GlyphStyle{Color: colour(i), Radius: s.radius(), Shape: draw.CircleGlyph{}}})
	}
	p.Add(labels{s.Series})
	s.scale(p)
	return render(p, s.Title, s.keys(), scatterHeight), nil
}

func (s Scatter) points() (all []Point) {
	for _, series := range s.Series {
		all = append(all, series.Points...)
	}
	return all
}

// radius is smaller where there are many points.
func (s Scatter) radius() vg.Length {
	if len(s.points()) > 60 {
		return 2
	}
	return 3.5
}

// keys has no entry for a single series: the title names it.
func (s Scatter) keys() (keys []key) {
	for i, series := range s.Series {
		if len(s.Series) > 1 && len(series.Points) > 0 {
			keys = append(keys, key{series.Name, i})
		}
	}
	return keys
}

// scale leaves room around the points for labels.
func (s Scatter) scale(p *plot.Plot) {
	p.X.Tick.Marker, p.Y.Tick.Marker = plainTicks{}, plainTicks{}
	p.Y.Min, p.Y.Max = widen(p.Y.Min, p.Y.Max)
	if !s.LogX {
		p.X.Min, p.X.Max = widen(p.X.Min, p.X.Max)
		return
	}
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, logTicks{}
	p.X.Min, p.X.Max = p.X.Min/1.3, p.X.Max*1.6
}

// widen gives some room on both sides, also around a single value.
func widen(lo, hi float64) (float64, float64) {
	by := (hi - lo) / 16
	if by == 0 {
		by = max(math.Abs(lo)/16, 1e-3)
	}
	return lo - by, hi + by
}

func places(points []Point) plotter.XYs {
	xys := make(plotter.XYs, len(points))
	for i, p := range points {
		xys[i] = plotter.XY{X: p.X, Y: p.Y}
	}
	return xys
}

func line(points []Point, style draw.LineStyle) *plotter.Line {
	return &plotter.Line{XYs: places(points), LineStyle: style}
}

// frontier gives the points that no other is right of and above, from left to
// right.
func frontier(points []Point) (best []Point) {
	sorted := slices.Clone(points)
	slices.SortStableFunc(sorted, func(a, b Point) int {
		switch {
		case a.X != b.X && a.X > b.X:
			return -1
		case a.X != b.X:
			return 1
		case a.Y > b.Y:
			return -1
		case a.Y < b.Y:
			return 1
		}
		return 0
	})
	top := math.Inf(-1)
	for _, p := range sorted {
		if p.Y > top {
			best, top = append(best, p), p.Y
		}
	}
	slices.Reverse(best)
	return best
}

// plainTicks are those of the library, with short numbers.
type plainTicks struct{}

func (plainTicks) Ticks(lo, hi float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(lo, hi)
	for i, t := range ticks {
		if t.Label != "" {
			ticks[i].Label = fmt.Sprintf("%.5g", t.Value)
		}
	}
	return ticks
}

// logTicks are at 1, 2 and 5 of every decade.
type logTicks struct{}

func (logTicks) Ticks(lo, hi float64) (ticks []plot.Tick) {
	from, to := math.Floor(math.Log10(lo)), math.Ceil(math.Log10(hi))
	for decade := from; decade <= to; decade++ {
		for _, digit := range []float64{1, 2, 5} {
			v := digit * math.Pow(10, decade)
			if digit == 1 || hi/lo <= 2000 {
				ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%.4g", v)})
			}
		}
	}
	return slices.DeleteFunc(ticks, func(t plot.Tick) bool { return t.Value < lo || t.Value > hi })
}
