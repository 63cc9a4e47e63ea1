//go:build unix

package codec

import (
	"bytes"
	"slices"
	"testing"
)

// Contexts of every kind, in blocks around every border, between guard pages.
func TestContexts(t *testing.T) {
	s := split{kind: splitTop, width: 2, raw: 6, sign: signRaw, natural: true}
	signed := split{kind: splitTop, width: 2, raw: 5, sign: signSymbol, natural: true}
	ramp := func(n, limit int) []byte {
		class := make([]byte, n)
		for i := range class {
			class[i] = byte(i % limit)
		}
		return class
	}
	places := func(floor byte, axes ...placeAxis) context {
		return context{kind: contextPlace, classes: 4, floor: floor, axes: axes}
	}
	neighbour := func(lag int, segmented bool) context {
		return context{kind: contextNeighbour, classes: 4, lag: lag, segmented: segmented, first: 3}
	}
	for name, c := range map[string]struct {
		context context
		split   split
	}{
		"columns":          {places(0, placeAxis{1, 5, ramp(37, 4)}), s},
		"rows":             {places(0, placeAxis{100, 1234, ramp(50, 4)}), s},
		"rows and columns": {places(2, placeAxis{100, 0, ramp(50, 7)}, placeAxis{1, 99, ramp(100, 5)}), s},
		"above":            {neighbour(100, false), s},
		"just above":       {neighbour(64, false), signed},
		"beside":           {neighbour(1, true), signed},
		"near":             {neighbour(3, true), s},
	} {
		t.Run(name, func(t *testing.T) {
			eachBackend(t, func(t *testing.T) {
				for _, n := range []int{130, 1000, 4096, 8191, 9000, 140000} {
					data := scaledBF16(n/100+1, 100, true)[:2*n]
					codeByContext(t, c.context, c.split, data)
				}
			})
		})
	}
}

// codeByContext codes data in two blocks by a model with that context, and
// decodes the second, then the first.
func codeByContext(t *testing.T, c context, s split, data []byte) {
	t.Helper()
	e := NewEncoder(Scape, 0)
	a, ok := newAlphabet(e.count.count(data, 2).fold(s.sign, s.raw).present(), 1<<s.valueBits())
	if !ok {
		t.Fatal("no alphabet")
	}
	s.alpha = a
	if c.kind == contextNeighbour {
		c.thresholds = middleSymbols(&s, 2)
	}
	m := newModel(s)
	m.streams[1].coder = coderBits
	cut := len(data) / 5 * 2 &^ 1
	e.reset()
	e.chooseContexts(m, &contextChoice{split: s, context: c}, data, len(data))
	c = *m.streams[0].context
	// The frequencies of one block serve two, if every symbol has one.
	m.streams[0].freqs = nil
	for range c.classes {
		var counts [256]uint32
		countBytes(&counts, ramp256())
		f, _, _ := chooseFrequencies(counts[:])
		m.streams[0].freqs = append(m.streams[0].freqs, f)
	}
	e.apart.setRank(&m.split)
	first := guarded(t, e.appendBlock(nil, m, data[:cut], 0))
	second := guarded(t, e.appendBlock(nil, m, data[cut:], cut))
	d := NewDecoder()
	dst := guarded(t, make([]byte, len(data)-cut))
	if err := d.decode(m, dst, second, cut); err != nil || !bytes.Equal(dst, data[cut:]) {
		t.Fatalf("%d elements, second block: %v, equal %v", len(data)/2, err, bytes.Equal(dst, data[cut:]))
	}
	dst = guarded(t, make([]byte, cut))
	if err := d.decode(m, dst, first, 0); err != nil || !bytes.Equal(dst, data[:cut]) {
		t.Fatalf("%d elements, first block: %v, equal %v", len(data)/2, err, bytes.Equal(dst, data[:cut]))
	}
}

func ramp256() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// middleSymbols gives n symbols whose values rise.
func middleSymbols(s *split, n int) []byte {
	key := s.symbolKey(0)
	symbols := ramp256()
	slices.SortStableFunc(symbols, func(a, b byte) int { return key(int(a)) - key(int(b)) })
	symbols = slices.CompactFunc(symbols, func(a, b byte) bool { return key(int(a)) == key(int(b)) })
	var list []byte
	for i := range n {
		list = append(list, symbols[(i+1)*len(symbols)/(n+1)])
	}
	return list
}

// Each kind of structure is found, and none where there is none.
func TestFindContext(t *testing.T) {
	find := func(data []byte, shape ...int64) (contextChoice, choice, bool) {
		e := NewEncoder(Scape, 0)
		e.top.init(BF16, false)
		m := e.top.choose(e.count.count(data, 2))
		if !m.ok {
			t.Fatal("no split")
		}
		base := m.choice
		c, ok := e.finder.find(data, BF16, Part{Shape: shape}, base, Small, contextBlockLen)
		return c, base, ok
	}
	if c, _, ok := find(gaussianBF16(512<<10), 512, 512); ok {
		t.Errorf("noise: found %+v", c.context)
	}
	c, base, ok := find(scaledBF16(512, 512, false), 512, 512)
	if !ok || c.context.kind != contextPlace || c.context.axes[0].stride != 1 || len(c.context.axes[0].class) != 512 {
		t.Errorf("columns of their own scale: %v %+v", ok, c.context)
	}
	if c.cost > 0.97*base.cost {
		t.Errorf("columns of their own scale: %.0f bits of %.0f", c.cost, base.cost)
	}
	c, base, ok = find(scaledBF16(512, 512, true), 512, 512)
	if !ok || c.context.kind != contextNeighbour || c.context.lag != 512 {
		t.Errorf("rows like those above: %v %+v", ok, c.context)
	}
	if c.cost > 0.92*base.cost {
		t.Errorf("rows like those above: %.0f bits of %.0f", c.cost, base.cost)
	}
}

// Parts of tensors, with contexts, in all widths.
func TestRoundTripOfShapes(t *testing.T) {
	wide := func(b []byte, width int) []byte { // as the upper bytes of wider elements
		out := make([]byte, len(b)/2*width)
		for i := 0; i < len(b); i += 2 {
			copy(out[i/2*width+width-2:], b[i:i+2])
			out[i/2*width] = byte(i)
		}
		return out
	}
	for _, smooth := range []bool{false, true} {
		plain := scaledBF16(300, 100, smooth)
		for _, level := range Levels() {
			e := NewEncoder(Scape, 32<<10)
			e.SetLevel(level)
			for name, c := range map[string]struct {
				elem Elem
				data []byte
			}{"bf16": {BF16, plain}, "f32": {F32, wide(plain, 4)}, "f64": {F64, wide(plain, 8)}, "f16": {F16, plain}} {
				width := int(c.elem.Width)
				parts := []Part{{Off: 16 * width, Shape: []int64{100, 100}, Skip: 777}, {Off: 10000 * width, Shape: []int64{400, 100}}}
				enc, err := e.Encode(c.data, c.elem, parts)
				if err != nil {
					t.Fatal(err)
				}
				got, err := decodeChunk(t, enc, len(c.data))
				if err != nil || !bytes.Equal(got, c.data) {
					t.Errorf("%s, smooth %v, %v: %v, equal %v", name, smooth, level, err, bytes.Equal(got, c.data))
				}
			}
		}
	}
}

func TestSegments(t *testing.T) {
	for _, n := range []int{0, 63, 64, 65, 640, 1000, 5000} {
		src := make([]byte, n)
		for i := range src {
			src[i] = byte(i * 7)
		}
		coded, back := make([]byte, n), make([]byte, n)
		cutSegments(coded, src)
		joinSegments(back, coded)
		if !bytes.Equal(back, src) {
			t.Errorf("%d symbols differ", n)
		}
		if length := n / vectorLen; length > 1 && coded[1] != src[length] {
			t.Errorf("%d symbols: the second is %d, want %d", n, coded[1], src[length])
		}
	}
}

// The sum of two places, less the floor, is brought into the classes.
func TestClampPlaces(t *testing.T) {
	for floor := range byte(32) {
		for _, last := range []byte{1, 7, 15} {
			for _, n := range []int{31, 8, 3} {
				got := ramp256()[31-n : 31]
				clampPlaces(got, floor, last)
				for i, v := range got {
					if want := min(max(31-n+i-int(floor), 0), int(last)); int(v) != want {
						t.Fatalf("%d less %d, up to %d: %d, want %d", 31-n+i, floor, last, v, want)
					}
				}
			}
		}
	}
}

func FuzzContext(f *testing.F) {
	for _, c := range []context{
		{kind: contextPlace, classes: 3, axes: []placeAxis{{1, 0, []byte{0, 1, 2, 0}}}},
		{kind: contextPlace, classes: 16, floor: 3, axes: []placeAxis{{7, 6, []byte{0, 1}}, {1, 0, []byte{15}}}},
		{kind: contextNeighbour, classes: 4, lag: 3, segmented: true, first: 1, thresholds: []byte{1, 2}},
		{kind: contextNeighbour, classes: 2, lag: 64, thresholds: []byte{9}},
	} {
		f.Add(c.marshal(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, rest, err := parseContext(b)
		if err != nil {
			if c != nil || rest != nil {
				t.Fatal("a result beside an error")
			}
			return
		}
		if again := append(c.marshal(nil), rest...); !bytes.Equal(again, b) {
			t.Fatalf("%x parses and marshals to %x", b, again)
		}
		if c.kind == contextPlace {
			classes := make([]byte, 300)
			c.places(classes, 12345)
			if int(slices.Max(classes)) >= c.classes {
				t.Fatalf("class %d of %d", slices.Max(classes), c.classes)
			}
		}
	})
}

// Where the data lies in memory changes no byte: units are read in place where
// they can be.
func TestAlignmentChangesNoByte(t *testing.T) {
	data := scaledBF16(300, 200, false)
	parts := []Part{{Shape: []int64{300, 200}}}
	odd := append(make([]byte, 1, len(data)+1), data...)[1:]
	if _, ok := wordsOf(odd); ok {
		t.Fatal("words at an odd address")
	}
	encode := func(data []byte) []byte {
		e := NewEncoder(Scape, 0)
		e.SetLevel(Small)
		enc, err := e.Encode(data, BF16, parts)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(e.models, func(m *model) bool { return m.streams[0].coder == coderContexts }) {
			t.Fatal("no contexts found")
		}
		return slices.Concat(enc.Header, enc.Payload)
	}
	if !bytes.Equal(encode(data), encode(odd)) {
		t.Error("other bytes from an odd address")
	}
}
