package plot

import (
	"fmt"
	"html"
	"image/color"
	"regexp"
	"strings"
)

// The library draws in colours that stand for variables of the style sheet:
// 0xF0 in red and green, the variable's number in blue.
var (
	paper = standIn(0)
	ink   = standIn(1)
	grid  = standIn(2)
)

const firstColour = 3

// themes are the colours of the variables, light and dark: paper, ink, grid, then those of
// series, told apart also by those who see few colours.
var themes = [2][]string{
	{"#ffffff", "#1c2733", "#dfe4e9", "#1f66c1", "#c7690a", "#2f8f4e", "#9340b5", "#c2373f", "#0b8c96", "#8a7400", "#6b7783"},
	{"#0d1117", "#e6edf3", "#30363d", "#6cb0ff", "#f0a04b", "#56d07d", "#cf92f2", "#ff8589", "#4fd0d8", "#dcc64a", "#9aa6b2"},
}

// Colours is how many series have a colour of their own.
var Colours = len(themes[0]) - firstColour

// colour is that of series i; they repeat after Colours.
func colour(i int) color.Color { return standIn(firstColour + i%Colours) }

func standIn(i int) color.Color { return color.RGBA{R: 0xF0, G: 0xF0, B: byte(i), A: 0xFF} }

var standIns = regexp.MustCompile(`#[fF]0[fF]0([0-9A-Fa-f]{2})`)

func themed(svg []byte) []byte { return standIns.ReplaceAll(svg, []byte("var(--plot-$1)")) }

var styleSheet = func() string {
	var b strings.Builder
	for i, theme := range themes {
		rule := ".plot {"
		for k, value := range theme {
			rule += fmt.Sprintf(" --plot-%02X: %s;", k, value)
		}
		rule += " }"
		if i == 1 {
			rule = "@media (prefers-color-scheme: dark) { " + rule + " }"
		}
		b.WriteString(rule + "\n")
	}
	return "<style>\n" + b.String() + "</style>\n"
}()

func escape(s string) string { return html.EscapeString(s) }
