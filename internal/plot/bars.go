package plot

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Part is what one colour stands for, with its share of each bar.
type Part struct {
	Name   string
	Values []float64
}

// Bars is horizontal bars, the first on top. What parts are above 0 stacks to
// the right of 0, what is below to the left.
type Bars struct {
	Title, ValueLabel string
	Names             []string
	Parts             []Part
	From              float64 // where the axis begins at the latest; 0 if all bars are to be seen whole
}

const (
	barHeight vg.Length = 12
	barGap    vg.Length = 8
)

// SVG draws the bars.
func (b Bars) SVG() ([]byte, error) {
	if len(b.Names) == 0 || len(b.Parts) == 0 {
		return nil, ErrEmpty
	}
	p := newPlot(b.ValueLabel, "")
	names := make([]string, len(b.Names))
	for i, name := range b.Names {
		names[len(names)-1-i] = name
	}
	lines := plotter.NewGrid()
	lines.Vertical.Color, lines.Horizontal.Color = grid, nil
	p.Add(lines, stacked(b))
	p.NominalY(names...)
	p.X.Tick.Marker = plainTicks{}
	var keys []key
	for i, part := range b.Parts {
		if len(b.Parts) > 1 {
			keys = append(keys, key{part.Name, i})
		}
	}
	rows := vg.Length(len(b.Names)) * (barHeight + barGap)
	return render(p, b.Title, keys, rows+90+lineHeight*vg.Length(len(keys)+2)/3), nil
}

// stacked draws the bars from the parts.
type stacked Bars

// spans calls f for every part of every bar, with the ends of its rectangle.
func (b stacked) spans(f func(row, part int, from, to float64)) {
	for i := range b.Names {
		var left, right float64
		for k, part := range b.Parts {
			if i >= len(part.Values) || part.Values[i] == 0 || math.IsNaN(part.Values[i]) {
				continue
			}
			end := &right
			if part.Values[i] < 0 {
				end = &left
			}
			from := *end
			*end += part.Values[i]
			f(len(b.Names)-1-i, k, min(from, *end), max(from, *end))
		}
	}
}

func (b stacked) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	b.spans(func(row, part int, from, to float64) {
		at := y(float64(row))
		r := vg.Rectangle{
			Min: vg.Point{X: max(x(from), c.Min.X), Y: at - barHeight/2},
			Max: vg.Point{X: min(x(to), c.Max.X), Y: at + barHeight/2},
		}
		if r.Max.X > r.Min.X {
			c.SetColor(colour(part))
			c.Fill(r.Path())
		}
	})
}

func (b stacked) DataRange() (xmin, xmax, ymin, ymax float64) {
	b.spans(func(_, _ int, from, to float64) { xmin, xmax = min(xmin, from), max(xmax, to) })
	if b.From > 0 && xmin == 0 {
		xmin = b.From
	}
	return xmin, xmax, -0.5, float64(len(b.Names)) - 0.5
}
