package plot

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Columns is a histogram: a column for each value, the first at X = First, then
// one at each whole number above.
type Columns struct {
	Title, XLabel, YLabel string
	First                 int
	Values                []float64
}

const columnsHeight vg.Length = 260

// SVG draws the columns.
func (b Columns) SVG() ([]byte, error) {
	if len(b.Values) == 0 {
		return nil, ErrEmpty
	}
	p := newPlot(b.XLabel, b.YLabel)
	lines := plotter.NewGrid()
	lines.Vertical.Color, lines.Horizontal.Color = nil, grid
	p.Add(lines, standing(b))
	p.X.Tick.Marker, p.Y.Tick.Marker = wholeTicks{}, plainTicks{}
	return render(p, b.Title, nil, columnsHeight), nil
}

// wholeTicks are at whole numbers, some ten at most.
type wholeTicks struct{}

func (wholeTicks) Ticks(lo, hi float64) (ticks []plot.Tick) {
	step := 1
	for (hi-lo)/float64(step) > 10 {
		step *= 2
	}
	for v := int(math.Ceil(lo)); float64(v) <= hi; v++ {
		if v%step == 0 {
			ticks = append(ticks, plot.Tick{Value: float64(v), Label: strconv.Itoa(v)})
		}
	}
	return ticks
}

// standing draws the columns.
type standing Columns

func (b standing) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	c.SetColor(colour(0))
	for i, v := range b.Values {
		at := float64(b.First + i)
		r := vg.Rectangle{Min: vg.Point{X: x(at - 0.45), Y: y(0)}, Max: vg.Point{X: x(at + 0.45), Y: y(v)}}
		if v > 0 {
			c.Fill(r.Path())
		}
	}
}

func (b standing) DataRange() (xmin, xmax, ymin, ymax float64) {
	for _, v := range b.Values {
		ymax = max(ymax, v)
	}
	return float64(b.First) - 0.5, float64(b.First+len(b.Values)) - 0.5, 0, max(ymax, 1e-12)
}
