package main

import (
	"math"
	"slices"
)

// box is where a point or a label is.
type box struct{ x0, y0, x1, y1 float64 }

func (b box) overlaps(c box) bool { return b.x0 < c.x1 && c.x0 < b.x1 && b.y0 < c.y1 && c.y0 < b.y1 }

func (b box) within(c box) bool { return b.x0 >= c.x0 && b.x1 <= c.x1 && b.y0 >= c.y0 && b.y1 <= c.y1 }

// placeLabels puts each label beside its point, where it covers no point, line
// or other label if there is such a place. Points of one name that are close to
// each other share that of the last, whose backend is the best.
func placeLabels(points []*plotPoint) {
	taken := obstacles(points)
	frame := box{plotLeft, plotTop - labelHeight, plotWidth, plotHeight - plotBottom}
	for i, p := range slices.Backward(points) {
		if slices.ContainsFunc(points[i+1:], p.sharesLabelOf) {
			continue
		}
		places := p.places()
		at := places[0]
		for _, b := range places {
			if !slices.ContainsFunc(taken, b.overlaps) && b.within(frame) {
				at = b
				break
			}
		}
		taken = append(taken, at)
		p.Label = &plotLabel{at.x0, at.y1 - 4, p.Name}
	}
}

// obstacles are the points, and the lines between those of a backend.
func obstacles(points []*plotPoint) (taken []box) {
	for i, p := range points {
		taken = append(taken, box{p.X - 5, p.Y - 5, p.X + 5, p.Y + 5})
		if i == 0 || p.Class == "peer" || points[i-1].Class != p.Class {
			continue
		}
		q := points[i-1]
		steps := math.Ceil(math.Hypot(p.X-q.X, p.Y-q.Y) / 4)
		for k := range int(steps) {
			share := float64(k) / steps
			x, y := q.X+share*(p.X-q.X), q.Y+share*(p.Y-q.Y)
			taken = append(taken, box{x - 1, y - 1, x + 1, y + 1})
		}
	}
	return taken
}

func (p *plotPoint) sharesLabelOf(q *plotPoint) bool {
	return q.Label != nil && q.Name == p.Name && math.Hypot(p.X-q.X, p.Y-q.Y) < 30
}

// places lists where the label of p may be, the best first: beside it, above and
// below, then ever further up and down.
func (p *plotPoint) places() (list []box) {
	width := labelPerGlyph * float64(len(p.Name))
	add := func(x, y float64) { list = append(list, box{x, y, x + width, y + labelHeight}) }
	for _, dy := range []float64{0, labelHeight / 2, labelHeight, 2 * labelHeight} {
		add(p.X+9, p.Y-labelHeight/2+dy)
		add(p.X-width/2, p.Y-labelHeight-6-dy)
		add(p.X-width/2, p.Y+6+dy)
		add(p.X-9-width, p.Y-labelHeight/2+dy)
		add(p.X+9, p.Y-labelHeight/2-dy)
		add(p.X-9-width, p.Y-labelHeight/2-dy)
	}
	return list
}
