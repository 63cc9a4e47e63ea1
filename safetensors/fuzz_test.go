package safetensors

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checkCovers checks what every header that Parse accepts has to hold, for a
// file of size bytes.
func checkCovers(t *testing.T, h *Header, size int64) {
	t.Helper()
	end := h.DataStart
	names := make(map[string]bool)
	for i, ts := range h.Tensors {
		if ts.Begin != end || ts.End < ts.Begin {
			t.Fatalf("tensor %d, %q: [%d,%d) after one that ends at %d", i, ts.Name, ts.Begin, ts.End, end)
		}
		end = ts.End
		if names[ts.Name] || ts.Name == metadataKey {
			t.Fatalf("tensor %d: name %q is taken", i, ts.Name)
		}
		names[ts.Name] = true
		checkShape(t, ts)
		if i == 0 {
			continue
		}
		if p := h.Tensors[i-1]; p.Begin == ts.Begin && p.End == ts.End && p.Name >= ts.Name {
			t.Fatalf("tensor %q stands before %q", p.Name, ts.Name)
		}
	}
	if end != size {
		t.Fatalf("tensors end at %d, file at %d", end, size)
	}
}

func checkShape(t *testing.T, ts Tensor) {
	t.Helper()
	n := int64(1)
	for _, d := range ts.Shape {
		if d < 0 {
			t.Fatalf("tensor %q: shape %v", ts.Name, ts.Shape)
		}
		n *= d // wraps where the dtype is unknown, and is not used then
	}
	if bits, known := ts.DType.Bits(); known && (ts.End-ts.Begin)*8 != n*int64(bits) {
		t.Fatalf("tensor %q: %d bytes for %v of %s", ts.Name, ts.End-ts.Begin, ts.Shape, ts.DType)
	}
}

// marshal writes h's header back as JSON.
func marshal(t *testing.T, h *Header) string {
	t.Helper()
	m := make(map[string]any)
	if h.Metadata != nil {
		m[metadataKey] = h.Metadata
	}
	for _, ts := range h.Tensors {
		m[ts.Name] = map[string]any{
			"dtype":        ts.DType,
			"shape":        ts.Shape,
			"data_offsets": []int64{ts.Begin - h.DataStart, ts.End - h.DataStart},
		}
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// relative gives a copy of h with offsets that count from the data area.
func relative(h *Header) *Header {
	r := &Header{Metadata: h.Metadata}
	for _, ts := range h.Tensors {
		ts.Begin -= h.DataStart
		ts.End -= h.DataStart
		r.Tensors = append(r.Tensors, ts)
	}
	return r
}

func FuzzParse(f *testing.F) {
	for _, s := range []struct {
		header  string
		dataLen uint32
	}{
		{`{}`, 0},
		{`{"__metadata__":{"format":"pt","k":"\ud83d\ude00"}}   `, 0},
		{entry(`"BF16"`, `[2,3]`, `[0,12]`), 12},
		{entry(`"F4"`, `[3,2]`, `[0,3]`), 3},
		{entry(`"F6_E2M3"`, `[0,4]`, `[0,0]`), 0},
		{entry(`"NEW"`, `[]`, `[0,5]`), 5},
		{entry(`"U8"`, `[4294967296,4294967296,0]`, `[0,0]`), 0},
		{entry(`"U8"`, `[-1]`, `[1e3,9223372036854775808]`), 1},
		{`{"b":{"dtype":"I8","shape":[2],"data_offsets":[1,3]},"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]},` +
			`"c":{"dtype":"F64","shape":[0],"data_offsets":[1,1]}}`, 3},
		{`{"a":{"dtype":"U8","dtype":"U8","shape":[[1]],"data_offsets":[0]},"a":null}`, 1},
		{`{"\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1},
	} {
		f.Add(s.header, s.dataLen)
	}
	f.Fuzz(func(t *testing.T, header string, dataLen uint32) {
		in := newFile(header, int64(dataLen))
		h, err := in.parse()
		if in.read > int64(len(in.head)) {
			t.Fatalf("read up to byte %d, behind the header's end at %d", in.read, len(in.head))
		}
		if err != nil {
			if h != nil || !errors.Is(err, ErrInvalid) {
				t.Fatalf("header %v, error %v", h, err)
			}
			return
		}
		checkCovers(t, h, in.size)

		// What parses means the same to a lenient reader, and marshals to a
		// header that parses to the same.
		if !json.Valid([]byte(header)) {
			t.Fatalf("accepted what is no JSON: %q", header)
		}
		again, err := newFile(marshal(t, h), int64(dataLen)).parse()
		if err != nil {
			t.Fatalf("marshalled header: %v", err)
		}
		if d := cmp.Diff(relative(h), relative(again)); d != "" {
			t.Fatal(d)
		}
	})
}
