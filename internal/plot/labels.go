package plot

import (
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const labelSize vg.Length = 9

// labels writes the labels of points beside them, where they cover no point and
// no other label if there is such a place.
type labels struct{ series []Series }

func (l labels) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	var taken []vg.Rectangle
	for _, s := range l.series {
		for _, pt := range s.Points {
			at := vg.Point{X: x(pt.X), Y: y(pt.Y)}
			taken = append(taken, around(at, 4, 4))
		}
	}
	style := textStyle(labelSize)
	style.YAlign = draw.YCenter
	for _, s := range l.series {
		for _, pt := range s.Points {
			if pt.Label == "" {
				continue
			}
			box := free(candidates(vg.Point{X: x(pt.X), Y: y(pt.Y)}, style, pt.Label), taken, c.Rectangle)
			taken = append(taken, box)
			c.FillText(style, vg.Point{X: box.Min.X, Y: (box.Min.Y + box.Max.Y) / 2}, pt.Label)
		}
	}
}

// candidates are the places for a label of the point at, the best first: beside
// it, above and below, then further away.
func candidates(at vg.Point, style text.Style, label string) (list []vg.Rectangle) {
	w, h := style.Width(label)*wider/2, labelSize/2+1
	side := w + 7
	for _, dy := range []vg.Length{0, h, 2 * h, 4 * h, 6 * h} {
		for _, d := range []vg.Point{{X: side, Y: dy}, {X: side, Y: -dy}, {X: -side, Y: dy}, {X: -side, Y: -dy}, {Y: dy + h + 5}, {Y: -dy - h - 5}} {
			list = append(list, around(at.Add(d), w, h))
		}
	}
	return list
}

func around(at vg.Point, w, h vg.Length) vg.Rectangle {
	d := vg.Point{X: w, Y: h}
	return vg.Rectangle{Min: at.Sub(d), Max: at.Add(d)}
}

// free gives the first of the boxes that lies within frame and on none that is
// taken; if there is none, the first.
func free(boxes, taken []vg.Rectangle, frame vg.Rectangle) vg.Rectangle {
	for _, b := range boxes {
		if within(b, frame) && !slices.ContainsFunc(taken, func(t vg.Rectangle) bool { return overlap(t, b) }) {
			return b
		}
	}
	return boxes[0]
}

func overlap(a, b vg.Rectangle) bool {
	return a.Min.X < b.Max.X && b.Min.X < a.Max.X && a.Min.Y < b.Max.Y && b.Min.Y < a.Max.Y
}

func within(a, b vg.Rectangle) bool {
	return a.Min.X >= b.Min.X && a.Max.X <= b.Max.X && a.Min.Y >= b.Min.Y && a.Max.Y <= b.Max.Y
}
