package plot

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func scatter() Scatter {
	s := Scatter{Title: "Ratio & speed", XLabel: "decode, GB/s", YLabel: "ratio", LogX: true, Frontier: true}
	for i, name := range []string{"scape", "others"} {
		series := Series{Name: name, Line: i == 0}
		for k := range 6 {
			series.Points = append(series.Points, Point{X: 0.1 * math.Pow(2, float64(k+i)), Y: 1.5 - 0.03*float64(k) - 0.1*float64(i), Label: fmt.Sprintf("%s <%d>", name, k)})
		}
		s.Series = append(s.Series, series)
	}
	return s
}

func bars() Bars {
	return Bars{
		Title: "The gap", ValueLabel: "bits a weight", Names: []string{"bf16_split", "scape"},
		Parts: []Part{{"quantisation", []float64{0.16, 0.003}}, {"tables", []float64{0.01, 0.01}}, {"contexts", []float64{0, -0.04}}},
	}
}

func columns() Columns {
	return Columns{Title: "Exponents", XLabel: "exponent", YLabel: "share", First: 110, Values: []float64{0, 0.1, 0.3, 0.6}}
}

// Every plot is XML that stands alone, has no colour but those of the themes, and
// is the same each time. With SCAPEFS_PLOTS=DIR they are written there, to look at.
func TestSVG(t *testing.T) {
	for name, draw := range map[string]func() ([]byte, error){
		"scatter": func() ([]byte, error) { return scatter().SVG() },
		"bars":    func() ([]byte, error) { return bars().SVG() },
		"columns": func() ([]byte, error) { return columns().SVG() },
	} {
		svg, err := draw()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		wantXML(t, name, svg)
		_, drawn, _ := strings.Cut(string(svg), "</style>")
		if strings.Contains(drawn, "#") || !strings.Contains(drawn, "var(--plot-03)") {
			t.Errorf("%s: colours that follow no theme", name)
		}
		for _, other := range []string{"http:", "url(", "<script", "xlink"} {
			if strings.Contains(strings.Replace(string(svg), `xmlns="http://www.w3.org/2000/svg"`, "", 1), other) {
				t.Errorf("%s: has %q", name, other)
			}
		}
		if again, err := draw(); err != nil || !slices.Equal(svg, again) {
			t.Errorf("%s: another plot the second time (%v)", name, err)
		}
		if dir := os.Getenv("SCAPEFS_PLOTS"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, name+".svg"), svg, 0o644); err != nil {
				t.Error(err)
			}
		}
	}
}

func wantXML(t *testing.T, name string, svg []byte) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(string(svg))); ; {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
	}
}

func TestNames(t *testing.T) {
	svg, err := scatter().SVG()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Ratio &amp; speed", "scape &lt;0&gt;", "others &lt;5&gt;", "decode, GB/s"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("no %q", want)
		}
	}
}

func TestNothingToDraw(t *testing.T) {
	for _, draw := range []func() ([]byte, error){Scatter{}.SVG, Bars{}.SVG, Columns{}.SVG} {
		if _, err := draw(); !errors.Is(err, ErrEmpty) {
			t.Errorf("got %v", err)
		}
	}
	for _, x := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		s := Scatter{LogX: true, Series: []Series{{Points: []Point{{X: x, Y: 1}}}}}
		if _, err := s.SVG(); err == nil {
			t.Errorf("a point at %v is drawn", x)
		}
	}
}

// One value has a place too.
func TestSingleValues(t *testing.T) {
	s := Scatter{Series: []Series{{Points: []Point{{X: 3, Y: 1.5, Label: "only"}}}}}
	if svg, err := s.SVG(); err != nil || strings.Contains(string(svg), "NaN") {
		t.Errorf("scatter: %v", err)
	}
	if svg, err := (Columns{Values: []float64{0}}).SVG(); err != nil || strings.Contains(string(svg), "NaN") {
		t.Errorf("columns: %v", err)
	}
}

func TestFrontier(t *testing.T) {
	got := frontier([]Point{{X: 1, Y: 5}, {X: 2, Y: 3}, {X: 2, Y: 4}, {X: 3, Y: 1}, {X: 2.5, Y: 0}, {X: 0.5, Y: 5}})
	want := []Point{{X: 1, Y: 5}, {X: 2, Y: 4}, {X: 3, Y: 1}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// What is below 0 stacks to the left, what is above to the right.
func TestStacks(t *testing.T) {
	var got [][2]float64
	stacked(Bars{Names: []string{"a"}, Parts: []Part{{Values: []float64{2}}, {Values: []float64{-1}}, {Values: []float64{3}}, {}}}).spans(
		func(_, _ int, from, to float64) { got = append(got, [2]float64{from, to}) })
	if want := [][2]float64{{0, 2}, {-1, 0}, {2, 5}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
