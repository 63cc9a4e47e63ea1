// Package plot draws the plots of reports as SVG: points, stacked bars and
// columns, in colours that follow the reader's light or dark theme, at a width
// that a phone shows without zooming. It knows nothing of what the figures mean.
package plot

import (
	"bytes"
	"fmt"
	"regexp"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A plot is width units wide and shown as wide as there is room, so the narrow
// screen of a phone makes its letters little smaller.
const (
	width      vg.Length = 480
	margin     vg.Length = 8
	titleSize  vg.Length = 14
	textSize   vg.Length = 11
	swatchSize vg.Length = 9
	lineHeight           = textSize * 1.5

	// Readers' fonts may be wider than the one that is measured here.
	wider = 1.12
)

// key is an entry of the legend.
type key struct {
	name string
	at   int // its place among the colours
}

// newPlot is a plot without title and legend, which render adds.
func newPlot(xLabel, yLabel string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = paper
	p.X.Label.Text, p.Y.Label.Text = xLabel, yLabel
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color, axis.Tick.Color = ink, ink
		axis.Label.TextStyle.Font, axis.Label.TextStyle.Color = textFont(textSize), ink
		axis.Tick.Label.Font, axis.Tick.Label.Color = textFont(textSize), ink
		axis.Tick.Length = 3
	}
	return p
}

func textFont(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

func textStyle(size vg.Length) text.Style {
	return text.Style{Color: ink, Font: textFont(size), Handler: plot.DefaultTextHandler, YAlign: draw.YTop}
}

// render draws p below title and legend, height units in all.
func render(p *plot.Plot, title string, keys []key, height vg.Length) []byte {
	canvas := vgsvg.New(width, height)
	c := draw.New(canvas)
	c.SetColor(paper)
	c.Fill(c.Rectangle.Path())
	c = draw.Crop(c, margin, -margin, margin, -margin)
	c.FillText(textStyle(titleSize), vg.Point{X: c.Min.X, Y: c.Max.Y}, title)
	top := drawLegend(c, keys, c.Max.Y-titleSize*1.5)
	p.Draw(draw.Crop(c, 0, 0, 0, top-c.Max.Y))
	var out bytes.Buffer
	canvas.WriteTo(&out) // a buffer takes all that is written
	return finish(out.Bytes(), title)
}

// drawLegend writes the keys in rows from y downwards, and says where they end.
func drawLegend(c draw.Canvas, keys []key, y vg.Length) vg.Length {
	style := textStyle(textSize)
	x := c.Min.X
	for i, k := range keys {
		w := swatchSize + 4 + style.Width(k.name)*wider
		if i > 0 && x+w > c.Max.X {
			x, y = c.Min.X, y-lineHeight
		}
		swatch := vg.Rectangle{Min: vg.Point{X: x, Y: y - swatchSize - 1}, Max: vg.Point{X: x + swatchSize, Y: y - 1}}
		c.SetColor(colour(k.at))
		c.Fill(swatch.Path())
		c.FillText(style, vg.Point{X: x + swatchSize + 4, Y: y}, k.name)
		x += w + 12
	}
	if len(keys) > 0 {
		y -= lineHeight
	}
	return y
}

var (
	svgStart   = regexp.MustCompile(`(?s)^.*?<svg [^>]*?(viewBox="[^"]*")[^>]*>`)
	svgFont    = regexp.MustCompile(`font-family:[^;"]*`)
	svgDefault = regexp.MustCompile(`font-(variant|weight|style):(none|normal);?`)
)

// finish makes what the library drew scale with the page, follow its theme, and
// stand alone or in a page of HTML.
func finish(svg []byte, title string) []byte {
	start := svgStart.FindSubmatch(svg)
	body := svg[len(start[0]):]
	body = svgFont.ReplaceAll(body, []byte("font-family:system-ui,sans-serif"))
	body = svgDefault.ReplaceAll(body, nil)
	var out bytes.Buffer
	fmt.Fprintf(&out, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" role=\"img\" aria-label=\"%s\" %s>\n%s", escape(title), start[1], styleSheet)
	out.Write(themed(body))
	return out.Bytes()
}
