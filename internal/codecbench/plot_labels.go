package main

import "slices"

// box is where a point or a label is.
type box struct{ x0, y0, x1, y1 float64 }

func (b box) overlaps(c box) bool { return b.x0 < c.x1 && c.x0 < b.x1 && b.y0 < c.y1 && c.y0 < b.y1 }

// placeLabels puts each label beside its point, where it covers no other point
// or label if there is such a place.
func placeLabels(points []*plotPoint) {
	var taken []box
	for _, p := range points {
		taken = append(taken, box{p.X - 5, p.Y - 5, p.X + 5, p.Y + 5})
	}
	frame := box{plotLeft, plotTop - labelHeight, plotWidth, plotHeight - plotBottom}
	for _, p := range points {
		var at box
		for i, b := range p.places() {
			free := !slices.ContainsFunc(taken, b.overlaps) && b.x0 >= frame.x0 && b.x1 <= frame.x1 && b.y0 >= frame.y0 && b.y1 <= frame.y1
			if i == 0 || free {
				at = b
			}
			if free {
				break
			}
		}
		taken = append(taken, at)
		p.Label.X, p.Label.Y = at.x0, at.y1-4
	}
}

// places lists where the label of p may be, the best first: to its right, its
// left, above and below, then ever further up and down.
func (p *plotPoint) places() (list []box) {
	width := labelPerGlyph * float64(len(p.Name))
	add := func(x, y float64) { list = append(list, box{x, y, x + width, y + labelHeight}) }
	for _, dy := range []float64{0, -labelHeight, labelHeight, -2 * labelHeight, 2 * labelHeight} {
		add(p.X+9, p.Y-labelHeight/2+dy)
		add(p.X-9-width, p.Y-labelHeight/2+dy)
		add(p.X-width/2, p.Y-labelHeight-6+dy)
		add(p.X-width/2, p.Y+6+dy)
	}
	return list
}
