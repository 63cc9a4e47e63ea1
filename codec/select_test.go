package codec

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// within copies the elements of from under some indices of an axis into a copy
// of data.
func within(data, from []byte, width int, a axis, take func(index int) bool) []byte {
	data = slices.Clone(data)
	for i := range len(data) / width {
		if take((i + a.phase) / a.stride % a.count) {
			copy(data[i*width:(i+1)*width], from[i*width:])
		}
	}
	return data
}

// Selections of every width, fill, axis and phase, with every inner model that
// the encoder has for them, in runs with tails and blocks of all sizes.
func TestSelectionRoundTrip(t *testing.T) {
	elems := []Elem{Bytes, F8E4M3, Int16, BF16, F32, F64}
	r := rand.New(rand.NewPCG(1, 1))
	e := NewEncoder(Scape, 0)
	for n := 1; n < 9000; n += 1 + n {
		for _, elem := range elems {
			w := int(elem.Width)
			data := gaussianBF16(2 * 8 * n)[:n*w]
			ref := testData(n * w)["random"]
			for _, a := range []axis{{1, 1, 0}, {1, 2, 1}, {1, 7, 3}, {3, 5, 14}, {64, 9, 100}, {n, 1, 0}} {
				if a.count > n {
					continue
				}
				s := selection{width: w, stride: a.stride, count: a.count, phase: a.phase, coded: make([]byte, (a.count+7)/8)}
				for j := range a.count {
					s.coded[j/8] |= byte(r.IntN(2)) << (j % 8)
				}
				switch s.fill = fillKind(r.IntN(3)); s.fill {
				case fillReference:
					s.row, s.off = 3, 5
				case fillConstant:
					s.constant = ref[:w]
				case fillSigned:
					s.constant = withoutSigns(ref[:w], w)
				}
				checkSelection(t, e, elem, data, ref, s)
			}
		}
	}
}

func checkSelection(t *testing.T, e *Encoder, elem Elem, data, ref []byte, s selection) {
	t.Helper()
	filler := ref
	if s.fill != fillReference {
		filler = bytes.Repeat(s.constant, len(data)/s.width)
	}
	if s.fill == fillSigned {
		for i := s.width - 1; i < len(data); i += s.width {
			filler[i] |= data[i] & 0x80
		}
	}
	data = within(data, filler, s.width, axis{s.stride, s.count, s.phase}, func(j int) bool { return !s.isCoded(j) })
	chunks := map[int][]byte{3: append(make([]byte, 5), ref...)}
	for _, m := range e.selecting(data, elem, &s) {
		for _, blockLen := range []int{1, 1 << 20} {
			e.reset()
			e.blockLen = blockLen
			e.encodeSelected(m, data)
			enc := Encoded{Header: e.marshal(Scape), Payload: e.payload}
			got, err := decodeReferring(t, enc, len(data), chunks)
			if err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%v, %d bytes, %+v, split %d: %v", elem, len(data), s, m.split.kind, err)
			}
		}
	}
}

// What a tensor shares with its reference, or with itself, must be found,
// wherever the chunk begins in it.
func TestSelectionIsFound(t *testing.T) {
	const rows, columns = 120, 200
	ref, own := gaussianBF16Of(11, 2*rows*columns), gaussianBF16Of(12, 2*rows*columns)
	zero, signed := make([]byte, len(own)), make([]byte, len(own))
	for i := 1; i < len(signed); i += 2 {
		signed[i] = ref[i] & 0x80
	}
	odd := func(j int) bool { return j%2 == 1 }
	for name, c := range map[string]struct {
		filler []byte
		axis   axis
		shape  []int64
		skip   int
	}{
		"columns of the reference":  {ref, axis{1, columns, 0}, []int64{rows, columns}, 0},
		"rows of the reference":     {ref, axis{columns, rows, 0}, []int64{rows, columns}, 0},
		"middle of the reference":   {ref, axis{10, 20, 0}, []int64{rows, 20, 10}, 0},
		"two dimensions, reference": {ref, axis{10, 20, 0}, []int64{rows, 4, 5, 10}, 0},
		"a later part, columns":     {ref, axis{1, columns, 77}, []int64{3 * rows, columns}, 677},
		"a later part, rows":        {ref, axis{columns, rows + 1, 77}, []int64{3 * rows, columns}, 677},
		"zero columns":              {zero, axis{1, columns, 0}, []int64{rows, columns}, 0},
		"zeros of both signs":       {signed, axis{1, columns, 0}, []int64{rows, columns}, 0},
		"zero rows":                 {zero, axis{columns, rows, 0}, []int64{1, rows, columns, 1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			data := within(own, c.filler, 2, c.axis, odd)
			part := Part{Shape: c.shape, Skip: int64(c.skip), Ref: Reference{1, 8, len(ref)}, RefData: ref}
			refers := bytes.Equal(c.filler, ref)
			encodeWithPart(t, data, ref, part, 0.6, refers)
		})
	}
	part := Part{Shape: []int64{rows, columns}, Ref: Reference{1, 8, len(ref)}, RefData: ref}
	encodeWithPart(t, ref, ref, part, 0.01, true)
	encodeWithPart(t, own, ref, part, 1.2, false)
}

// encodeWithPart codes own weights before and after a part that may refer to
// ref, and demands that the part takes no more than share of what it takes
// otherwise.
func encodeWithPart(t *testing.T, data, ref []byte, part Part, share float64, refers bool) {
	t.Helper()
	before, after := gaussianBF16Of(13, 5000), gaussianBF16Of(14, 5000)
	chunk := slices.Concat(before, data, after)
	part.Off = len(before)
	parts := []Part{{}, part, {Off: len(before) + len(data)}}
	e := NewEncoder(Auto, 16<<10)
	size := func(parts []Part) int {
		enc, err := e.Encode(chunk, BF16, parts)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeReferring(t, enc, len(chunk), map[int][]byte{1: append(make([]byte, 8), ref...)})
		if err != nil || !bytes.Equal(got, chunk) {
			t.Fatalf("%v, equal %v", err, bytes.Equal(got, chunk))
		}
		if enc.Refers && !refers {
			t.Error("refers")
		}
		return len(enc.Header) + len(enc.Payload)
	}
	frame, err := e.Encode(slices.Concat(before, after), BF16, nil)
	if err != nil {
		t.Fatal(err)
	}
	around := len(frame.Header) + len(frame.Payload)
	without := size(partsAt(0, part.Off, parts[2].Off)) - around
	with := size(parts) - around
	if float64(with) > share*float64(len(data))*2/3+300 || with > without {
		t.Errorf("%d bytes took %d, otherwise %d", len(data), with, without)
	}
}

func TestTransposedRoundTrip(t *testing.T) {
	e := NewEncoder(Scape, 1000)
	for _, w := range []int{1, 2, 4, 8} {
		for n := 1; n < 9000; n += 1 + n {
			data := testData(n * w)["random"]
			for _, columns := range []int{1, 2, 3, 64, 100, 5000, maxColumns} {
				e.reset()
				e.encodeRun(zstdModel(split{kind: splitPlanes, width: w, columns: columns}), data, 1000)
				got, err := decodeChunk(t, Encoded{Header: e.marshal(Scape), Payload: e.payload}, len(data))
				if err != nil || !bytes.Equal(got, data) {
					t.Fatalf("width %d, %d elements, %d columns: %v", w, n, columns, err)
				}
				m := zstdModel(split{kind: splitPlanes, width: w, columns: columns})
				back := make([]byte, len(data))
				if err := NewDecoder().decode(m, back, e.appendBlock(nil, m, data, 0), 0); err != nil || !bytes.Equal(back, data) {
					t.Fatalf("width %d, %d elements, %d columns: %v", w, n, columns, err)
				}
			}
		}
	}
}

// Equal columns that lie far apart in memory are what transposing is for.
func TestTransposedIsFound(t *testing.T) {
	const rows, columns = 300, 256
	data := gaussianBF16Of(11, 2*rows*columns)
	for i := range rows {
		for j := range columns / 2 {
			copy(data[2*(i*columns+columns-1-j):], data[2*(i*columns+j):][:2])
		}
	}
	size := func(parts []Part) int {
		enc, err := NewEncoder(Auto, 0).Encode(data, BF16, parts)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeChunk(t, enc, len(data)); err != nil || !bytes.Equal(got, data) {
			t.Fatal(err)
		}
		return len(enc.Header) + len(enc.Payload)
	}
	plain, shaped := size(nil), size([]Part{{Shape: []int64{rows, 1, columns}}})
	if float64(shaped) > 0.65*float64(plain) {
		t.Errorf("%d bytes, without a shape %d", shaped, plain)
	}
}

// Shapes are what a file says: none may make the encoder fail.
func TestOddShapes(t *testing.T) {
	const huge = 1 << 62
	data := bytes.Repeat(gaussianBF16(64), 64)
	for _, shape := range [][]int64{{}, {0}, {0, 0}, {1}, {huge}, {huge, huge}, {huge, 2, huge}, {2, huge}, {1 << 26, 1 << 26, 1 << 26}, {1 << 25, 3}, {-1, 5}, {7, 7, 7, 7, 7}} {
		for _, skip := range []int64{0, 1, 1 << 40, huge} {
			part := Part{Shape: shape, Skip: skip, Ref: Reference{0, 0, len(data)}, RefData: data}
			enc, err := NewEncoder(Auto, 0).Encode(data, BF16, []Part{part})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := decodeReferring(t, enc, len(data), map[int][]byte{0: data}); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("shape %v: %v", shape, err)
			}
		}
	}
}

// Headers that no encoder writes are refused before their numbers are used.
func TestCorruptSelections(t *testing.T) {
	block := func(model byte, n byte) []byte { return append([]byte{n, model, 0}, make([]byte, 8)...) }
	inner := []byte{0, 0} // plain, stored
	constant := func(axis ...byte) []byte { return slices.Concat([]byte{3, 1, 0, 0}, axis, inner) }
	for name, c := range map[string]struct {
		models [][]byte
		blocks [][]byte
		want   error
	}{
		"sound":              {[][]byte{constant(1, 3, 0, 7)}, [][]byte{block(0, 8)}, nil},
		"stride 0":           {[][]byte{constant(0, 3, 0, 7)}, [][]byte{block(0, 8)}, ErrCorrupt},
		"count 0":            {[][]byte{constant(1, 0, 0, 7)}, [][]byte{block(0, 8)}, ErrCorrupt},
		"phase too large":    {[][]byte{constant(1, 3, 3, 7)}, [][]byte{block(0, 8)}, ErrCorrupt},
		"padding":            {[][]byte{constant(1, 3, 0, 8)}, [][]byte{block(0, 8)}, ErrCorrupt},
		"count over chunk":   {[][]byte{constant(1, 9, 0, 7, 0)}, [][]byte{block(0, 8)}, ErrCorrupt},
		"huge count":         {[][]byte{constant(1, 0xff, 0xff, 0x7f, 0)}, [][]byte{block(0, 8)}, ErrCorrupt},
		"huge period":        {[][]byte{constant(0xff, 0xff, 0xff, 0x1f, 3, 0, 7)}, [][]byte{block(0, 8)}, ErrCorrupt},
		"width":              {[][]byte{slices.Concat([]byte{3, 3, 0, 0, 0, 0, 1, 1, 0, 0}, inner)}, [][]byte{block(0, 9)}, ErrCorrupt},
		"inner too wide":     {[][]byte{{3, 1, 0, 0, 1, 1, 0, 1, 1, 2, 1, 0, 0}}, [][]byte{block(0, 8)}, ErrCorrupt},
		"inner selects":      {[][]byte{slices.Concat([]byte{3, 1, 0, 0, 1, 1, 0, 1}, constant(1, 3, 0, 7))}, [][]byte{block(0, 8)}, ErrCorrupt},
		"fill":               {[][]byte{slices.Concat([]byte{3, 1, 3, 0, 1, 1, 0, 1}, inner)}, [][]byte{block(0, 8)}, ErrUnsupported},
		"sign twice":         {[][]byte{slices.Concat([]byte{3, 1, 2, 0x80, 1, 1, 0, 1}, inner)}, [][]byte{block(0, 8)}, ErrCorrupt},
		"row":                {[][]byte{slices.Concat([]byte{3, 1, 1, 0xff, 0xff, 0xff, 0x7f, 0, 1, 1, 0, 1}, inner)}, [][]byte{block(0, 8)}, ErrCorrupt},
		"odd length":         {[][]byte{slices.Concat([]byte{3, 2, 0, 0, 0, 1, 1, 0, 1}, inner)}, [][]byte{block(0, 7)}, ErrCorrupt},
		"run in two pieces":  {[][]byte{constant(1, 3, 0, 7), inner}, [][]byte{block(0, 8), block(1, 8), block(0, 8)}, ErrCorrupt},
		"planes, no columns": {[][]byte{{1, 2, 0, 0, 0}}, [][]byte{block(0, 8)}, ErrCorrupt},
	} {
		h := []byte{byte(Scape), byte(len(c.models)), byte(len(c.blocks))}
		h = append(append(h, slices.Concat(c.models...)...), slices.Concat(c.blocks...)...)
		size := 0
		for _, b := range c.blocks {
			size += int(b[0])
		}
		_, err := ParseChunk(h, size)
		if c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A reference of another length is the caller's mistake, coded bytes where
// there are none to be a corruption.
func TestDecodeSelectedBuffers(t *testing.T) {
	s := &selection{width: 1, fill: fillReference, stride: 1, count: 1, coded: []byte{0}}
	data := gaussianBF16(64)
	e := NewEncoder(Scape, 0)
	e.reset()
	m := storedModel()
	m.sel = s
	e.encodeRun(m, data, 64)
	c, err := ParseChunk(e.marshal(Scape), 64)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, 64)
	if err := c.Decode(0, dst, nil, data); err != nil || !bytes.Equal(dst, data) {
		t.Errorf("decoding gives %v", err)
	}
	if err := c.Decode(0, dst, nil, data[:63]); err == nil || errors.Is(err, ErrCorrupt) {
		t.Errorf("a short reference gives %v", err)
	}
	if err := c.Decode(0, dst, nil, dst[:0]); err == nil || errors.Is(err, ErrCorrupt) {
		t.Errorf("no reference gives %v", err)
	}
	if err := c.Decode(0, dst, nil, make([]byte, 64)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("another reference gives %v", err)
	}
	s.fill, s.constant = fillSigned, []byte{1}
	for _, coded := range [][]byte{nil, make([]byte, 7), make([]byte, 9)} {
		c.models[0].sel, c.blocks[0].StoredLen = s, len(coded)
		if err := c.Decode(0, dst, coded, nil); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes of signs: %v", len(coded), err)
		}
	}
	s.fill = fillReference
	c.blocks[0].StoredLen = 1
	if err := c.Decode(0, dst, []byte{0}, data); !errors.Is(err, ErrCorrupt) {
		t.Errorf("coded bytes of nothing give %v", err)
	}
}
