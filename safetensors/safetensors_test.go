package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// file is a safetensors file of which only the header exists: the data area
// cannot be read. It notes how far it was read.
type file struct {
	head []byte // length and header
	size int64
	read int64 // end of the furthest read asked for
}

// newFile gives a file with the given header and dataLen bytes of data.
func newFile(header string, dataLen int64) *file {
	head := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	head = append(head, header...)
	return &file{head: head, size: int64(len(head)) + dataLen}
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.read = max(f.read, off+int64(len(p)))
	if off >= int64(len(f.head)) {
		return 0, io.EOF
	}
	n := copy(p, f.head[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) parse() (*Header, error) { return Parse(f, f.size) }

// entry is a header with one tensor "w" of the given fields.
func entry(dtype, shape, offsets string) string {
	return fmt.Sprintf(`{"w":{"dtype":%s,"shape":%s,"data_offsets":%s}}`, dtype, shape, offsets)
}

func wantInvalid(t *testing.T, h *Header, err error, parts ...string) {
	t.Helper()
	if !errors.Is(err, ErrInvalid) {
		t.Fatalf("error %v does not wrap ErrInvalid", err)
	}
	if h != nil {
		t.Error("header is not nil beside an error")
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}

func TestParse(t *testing.T) {
	const header = `{"b":{"shape":[2,3],"data_offsets":[6,18],"dtype":"BF16"},` +
		`"__metadata__":{"format":"pt","":"\u00e9\ud83d\ude00"},` +
		`"a":{"dtype":"F8_E4M3","shape":[6],"data_offsets":[0,6]},` +
		`"scalar":{"dtype":"F64","shape":[],"data_offsets":[18,26]}}   `
	f := newFile(header, 26)
	start := int64(len(f.head))
	got, err := f.parse()
	if err != nil {
		t.Fatal(err)
	}
	want := &Header{
		Tensors: []Tensor{
			{Name: "a", DType: F8E4M3, Shape: []int64{6}, Begin: start, End: start + 6},
			{Name: "b", DType: BF16, Shape: []int64{2, 3}, Begin: start + 6, End: start + 18},
			{Name: "scalar", DType: F64, Shape: []int64{}, Begin: start + 18, End: start + 26},
		},
		Metadata:  map[string]string{"format": "pt", "": "é😀"},
		DataStart: start,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if f.read != start {
		t.Errorf("read up to byte %d, want %d: the header and nothing else", f.read, start)
	}
}

func TestParseAccepts(t *testing.T) {
	for _, tc := range []struct {
		name, header string
		dataLen      int64
	}{
		{"no tensors", `{}`, 0},
		{"only metadata", `{"__metadata__":{}}`, 0},
		{"padding", `{}` + strings.Repeat(" ", 70), 0},
		{"white space inside", "{\n\t\"w\" : {\"dtype\":\"U8\", \"shape\":[ 3 ],\r\n\"data_offsets\":[0,3]} }", 3},
		{"empty name", `{"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1},
		{"unknown dtype", entry(`"Q3_X"`, `[1000]`, `[0,7]`), 7},
		{"unknown dtype with a huge shape", entry(`"Q3_X"`, `[9223372036854775807,9223372036854775807]`, `[0,7]`), 7},
		{"two of 4 bits", entry(`"F4"`, `[2]`, `[0,1]`), 1},
		{"four of 6 bits", entry(`"F6_E2M3"`, `[2,2]`, `[0,3]`), 3},
		{"zero-sized", entry(`"F32"`, `[0]`, `[0,0]`), 0},
		{"zero before what would overflow", entry(`"F32"`, `[0,9223372036854775807,9223372036854775807]`, `[0,0]`), 0},
		{"largest product", entry(`"U8"`, `[2305843009213693951]`, `[0,2305843009213693951]`), 1<<61 - 1},
		{"largest dimension", entry(`"?"`, `[9223372036854775807]`, `[0,0]`), 0},
		{"high surrogate escaped with its low one", `{"\ud800\udc00":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1},
		{"escaped backslash before a u", `{"\\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1},
		{"U+FFFD itself", `{"` + "\ufffd" + `":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h, err := newFile(tc.header, tc.dataLen).parse()
			if err != nil {
				t.Fatal(err)
			}
			checkCovers(t, h, h.DataStart+tc.dataLen)
		})
	}
}

// Files with one fault each. says: what the error has to tell.
func TestParseRejectsHeader(t *testing.T) {
	const u8 = `{"dtype":"U8","shape":[1],"data_offsets":[0,1]}`
	for _, tc := range []struct {
		name, header string
		dataLen      int64
		says         string
	}{
		{"empty", ``, 0, `'{'`},
		{"array", `[]`, 0, `'{'`},
		{"space in front", ` {}`, 0, `'{'`},
		{"byte order mark", "\ufeff{}", 0, `'{'`},
		{"only padding", `   `, 0, `'{'`},
		{"not closed", `{`, 0, `ends inside`},
		{"closed by a bracket", `{]`, 0, `']'`},
		{"string not closed", `{"w`, 0, `ends inside`},
		{"no colon", `{"w" ` + u8 + `}`, 1, `invalid character`},
		{"comma at the end", `{"w":` + u8 + `,}`, 1, `invalid character`},
		{"two commas", `{"v":` + u8 + `,,"w":` + u8 + `}`, 1, `invalid character`},
		{"comma in front", `{,"w":` + u8 + `}`, 1, `invalid character`},
		{"key without quotes", `{w:` + u8 + `}`, 1, `invalid character`},
		{"number as a key", `{1:` + u8 + `}`, 1, `invalid character`},
		{"control character in a name", "{\"a\nb\":" + u8 + "}", 1, `invalid character`},
		{"unknown escape", `{"\x41":` + u8 + `}`, 1, `invalid character`},
		{"two objects", `{}{}`, 0, `byte 2: only spaces`},
		{"padding of newlines", "{}  \n", 0, `byte 4: only spaces`},
		{"padding of zeros", "{}\x00", 0, `byte 2: only spaces`},

		{"invalid UTF-8 in a name", "{\"\xff\":" + u8 + "}", 1, `UTF-8`},
		{"invalid UTF-8 in metadata", "{\"__metadata__\":{\"a\":\"\xc0\x80\"}}", 0, `UTF-8`},
		{"encoded surrogate", "{\"\xed\xa0\x80\":" + u8 + "}", 1, `UTF-8`},
		{"high surrogate alone", `{"\ud800":` + u8 + `}`, 1, `byte 2: escape`},
		{"low surrogate alone", `{"a\udc00":` + u8 + `}`, 1, `byte 3: escape`},
		{"two high surrogates", `{"\ud800\ud800":` + u8 + `}`, 1, `escape`},
		{"surrogates in the wrong order", `{"\udc00\ud800":` + u8 + `}`, 1, `escape`},
		{"high surrogate before a letter", `{"\ud800\u0041":` + u8 + `}`, 1, `escape`},

		{"duplicate name", `{"w":` + u8 + `,"w":` + u8 + `}`, 1, `"w" appears twice`},
		{"duplicate name, one escaped", `{"w":` + u8 + `,"\u0077":` + u8 + `}`, 1, `"w" appears twice`},
		{"duplicate metadata", `{"__metadata__":{},"__metadata__":{}}`, 0, `"__metadata__" appears twice`},
		{"duplicate metadata key", `{"__metadata__":{"k":"a","k":"a"}}`, 0, `__metadata__: key "k" appears twice`},
		{"metadata null", `{"__metadata__":null}`, 0, `__metadata__: want "{", found null`},
		{"metadata a string", `{"__metadata__":"a"}`, 0, `found "a"`},
		{"metadata number", `{"__metadata__":{"k":1}}`, 0, `__metadata__: key "k": want a string, found "1"`},
		{"metadata null value", `{"__metadata__":{"k":null}}`, 0, `key "k": want a string`},
		{"metadata object", `{"__metadata__":{"k":{}}}`, 0, `key "k": want a string`},

		{"entry null", `{"w":null}`, 0, `tensor "w": want "{", found null`},
		{"entry an array", `{"w":[]}`, 0, `tensor "w": want "{"`},
		{"entry empty", `{"w":{}}`, 0, `tensor "w": has 0 of`},
		{"no dtype", `{"w":{"shape":[1],"data_offsets":[0,1]}}`, 1, `has 2 of`},
		{"no shape", `{"w":{"dtype":"U8","data_offsets":[0,1]}}`, 1, `has 2 of`},
		{"no offsets", `{"w":{"dtype":"U8","shape":[0]}}`, 0, `has 2 of`},
		{"unknown key", `{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}}`, 1, `tensor "w": "x": unknown key`},
		{"key in capitals", `{"w":{"DType":"U8","shape":[1],"data_offsets":[0,1]}}`, 1, `"DType": unknown key`},
		{"duplicate dtype", `{"w":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1, `"dtype" appears twice`},
		{"duplicate shape", `{"w":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}}`, 1, `"shape" appears twice`},
		{"duplicate offsets", `{"w":{"data_offsets":[0,1],"dtype":"U8","data_offsets":[0,1]}}`, 1, `"data_offsets" appears twice`},
		{"dtype a number", entry(`8`, `[1]`, `[0,1]`), 1, `"dtype": want a string`},
		{"dtype null", entry(`null`, `[1]`, `[0,1]`), 1, `"dtype": want a string, found null`},
		{"shape a number", entry(`"U8"`, `1`, `[0,1]`), 1, `"shape": want an array`},
		{"shape null", entry(`"U8"`, `null`, `[0,1]`), 1, `"shape": want an array`},
		{"shape nested", entry(`"U8"`, `[[1]]`, `[0,1]`), 1, `"shape": want whole numbers`},
		{"shape not closed", entry(`"U8"`, `[1`, `[0,1]`), 1, `"shape"`},
		{"shape with a comma at its end", entry(`"U8"`, `[1,]`, `[0,1]`), 1, `"shape"`},
		{"shape without a comma", entry(`"U8"`, `[1 1]`, `[0,1]`), 1, `"shape": behind header byte`},
		{"shape of strings with commas", entry(`"U8"`, `["1,1"]`, `[0,1]`), 1, `"shape": want whole numbers`},
		{"no colon before the shape", `{"w":{"shape" [1],"dtype":"U8","data_offsets":[0,1]}}`, 1, `"shape": behind`},
		{"no comma behind the shape", `{"w":{"shape":[1] "dtype":"U8","data_offsets":[0,1]}}`, 1, `tensor "w": behind`},
		{"shape nested very deep", entry(`"U8"`, strings.Repeat("[", 1<<20), `[0,1]`), 1, `"shape": behind`},
		{"no offset", entry(`"U8"`, `[0]`, `[ ]`), 0, `"data_offsets": want 2 numbers, found 0`},
		{"one offset", entry(`"U8"`, `[1]`, `[1]`), 1, `"data_offsets": want 2 numbers, found 1`},
		{"three offsets", entry(`"U8"`, `[1]`, `[0,1,1]`), 1, `"data_offsets": want at most 2 numbers`},
		{"offsets an object", entry(`"U8"`, `[1]`, `{"0":1}`), 1, `"data_offsets": want an array`},

		{"begin behind end", entry(`"U8"`, `[1]`, `[1,0]`), 1, `tensor "w": data_offsets: begins at 1, behind`},
		{"end outside", entry(`"U8"`, `[2]`, `[0,2]`), 1, `tensor "w": data_offsets: ends at data byte 2`},
		{"largest end", entry(`"U8"`, `[9223372036854775807]`, `[0,9223372036854775807]`), 1, `tensor "w": data_offsets: ends at`},
		{"gap at the start", entry(`"U8"`, `[1]`, `[1,2]`), 2, `tensor "w": begins at data byte 1, leaving a gap from 0`},
		{"data behind the last", entry(`"U8"`, `[1]`, `[0,1]`), 2, `end at data byte 1, but the data area holds 2`},
		{"data without tensors", `{}`, 1, `end at data byte 0`},

		{"one byte short of the shape", entry(`"F32"`, `[2]`, `[0,7]`), 7, `span 7 bytes, but shape and dtype F32 take 8`},
		{"one byte more than the shape", entry(`"F32"`, `[2]`, `[0,9]`), 9, `span 9 bytes`},
		{"scalar without bytes", entry(`"U8"`, `[]`, `[0,0]`), 0, `span 0 bytes`},
		{"half a byte", entry(`"F4"`, `[1]`, `[0,1]`), 1, `whole number of bytes`},
		{"18 bits", entry(`"F6_E3M2"`, `[3]`, `[0,3]`), 3, `whole number of bytes`},
		{"product overflows", entry(`"U8"`, `[4294967296,4294967296]`, `[0,0]`), 0, `overflows`},
		{"product overflows before a zero", entry(`"U8"`, `[4294967296,4294967296,0]`, `[0,0]`), 0, `overflows`},
		{"bits overflow", entry(`"U8"`, `[2305843009213693952]`, `[0,0]`), 0, `overflows`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h, err := newFile(tc.header, tc.dataLen).parse()
			wantInvalid(t, h, err, tc.says)
		})
	}
}

// Every place where a number stands takes digits only, up to 2^63-1.
func TestParseRejectsNumber(t *testing.T) {
	for _, n := range []string{
		"-1", "-0", "+1", "1.0", "1.5", "1e3", "1E0", "01", "0x1", ".1", "1.", "1_0", "NaN",
		"null", "true", `"1"`, "[]", "{}", "9223372036854775808", "18446744073709551616", strings.Repeat("9", 400),
	} {
		for field, header := range map[string]string{
			"shape":  entry(`"?"`, `[1,`+n+`]`, `[0,1]`),
			"offset": entry(`"?"`, `[1]`, `[0,`+n+`]`),
		} {
			t.Run(field+"/"+n[:min(len(n), 20)], func(t *testing.T) {
				h, err := newFile(header, 1).parse()
				wantInvalid(t, h, err, `tensor "w"`)
			})
		}
	}
}

// A second tensor is laid beside one at [0,4) in a data area of 8 bytes.
func TestParseLayout(t *testing.T) {
	for _, tc := range []struct {
		begin, end int64
		says       string // empty: accepted
	}{
		{4, 8, ""},
		{5, 8, "gap from 4"},
		{3, 8, `inside tensor "a"`},
		{0, 8, `inside tensor "a"`},
		{0, 4, `inside tensor "a"`},
		{4, 7, "end at data byte 7"},
		{4, 9, "ends at data byte 9"},
		{8, 8, "gap from 4"},
		{2, 2, `inside tensor "a"`},
	} {
		t.Run(fmt.Sprint(tc.begin, "-", tc.end), func(t *testing.T) {
			header := fmt.Sprintf(`{"b":{"dtype":"U8","shape":[%d],"data_offsets":[%d,%d]},`+
				`"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, tc.end-tc.begin, tc.begin, tc.end)
			h, err := newFile(header, 8).parse()
			if tc.says != "" {
				wantInvalid(t, h, err, tc.says)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkCovers(t, h, h.DataStart+8)
		})
	}
}

// Empty tensors at a border stand between its neighbours, in order of name.
func TestParseOrderOfEmptyTensors(t *testing.T) {
	empty := func(name string, at int) string {
		return fmt.Sprintf(`%q:{"dtype":"U8","shape":[0],"data_offsets":[%d,%d]}`, name, at, at)
	}
	full := func(name string, from, to int) string {
		return fmt.Sprintf(`%q:{"dtype":"U8","shape":[%d],"data_offsets":[%d,%d]}`, name, to-from, from, to)
	}
	header := "{" + strings.Join([]string{
		empty("z", 4), full("b", 4, 8), empty("y", 4), empty("x", 0), full("a", 0, 4), empty("c", 8),
	}, ",") + "}"
	h, err := newFile(header, 8).parse()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, ts := range h.Tensors {
		names = append(names, ts.Name)
	}
	if d := cmp.Diff([]string{"x", "a", "y", "z", "b", "c"}, names); d != "" {
		t.Error(d)
	}
}

func TestParseHeaderLength(t *testing.T) {
	prefix := func(n uint64) *file {
		return &file{head: append(binary.LittleEndian.AppendUint64(nil, n), "{}"...), size: 10}
	}
	for _, n := range []uint64{0, 1, 3, 8, MaxHeaderLen, MaxHeaderLen + 1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			f := prefix(n)
			h, err := f.parse()
			wantInvalid(t, h, err, "header")
			if f.read > f.size {
				t.Errorf("asked for %d bytes of a file of %d", f.read, f.size)
			}
		})
	}
	if _, err := prefix(2).parse(); err != nil {
		t.Errorf("length 2: %v", err)
	}
}

func TestParseFileSize(t *testing.T) {
	f := newFile(`{}`, 0)
	for _, size := range []int64{math.MinInt64, -1, 0, 7, 8, 9, 11} {
		h, err := Parse(f, size)
		if err == nil {
			t.Errorf("size %d accepted", size)
			continue
		}
		wantInvalid(t, h, err)
	}
}

// At the limit a header is parsed, one byte over it none of it is read.
func TestParseHeaderLimit(t *testing.T) {
	f := &file{head: binary.LittleEndian.AppendUint64(nil, MaxHeaderLen+1), size: MaxHeaderLen + 100}
	h, err := f.parse()
	wantInvalid(t, h, err, "limit")
	if f.read != 8 {
		t.Errorf("read up to byte %d of a file with too long a header", f.read)
	}

	h, err = Parse(padded{}, MaxHeaderLen+8)
	if err != nil || len(h.Tensors) != 0 || h.DataStart != MaxHeaderLen+8 {
		t.Errorf("header of %d bytes: %+v, %v", MaxHeaderLen, h, err)
	}
}

// padded is a file without tensors whose header is as long as may be.
type padded struct{}

func (padded) ReadAt(p []byte, off int64) (int, error) {
	if off == 0 {
		binary.LittleEndian.PutUint64(p, MaxHeaderLen)
		return len(p), nil
	}
	n := copy(p, "{}")
	for i := range p[n:] {
		p[n+i] = ' '
	}
	return len(p), nil
}

// A file shorter than its size says is invalid; a failing reader says nothing
// about the file.
func TestParseReadErrors(t *testing.T) {
	f := newFile(`{}`, 0)
	for cut := range f.head {
		short := &file{head: f.head[:cut], size: f.size}
		h, err := short.parse()
		wantInvalid(t, h, err, fmt.Sprintf("file ends at byte %d", cut))
	}

	h, err := Parse(failing{}, 100)
	if !errors.Is(err, iotest.ErrTimeout) || errors.Is(err, ErrInvalid) {
		t.Errorf("reader failed with %v, Parse with %v", iotest.ErrTimeout, err)
	}
	if h != nil {
		t.Error("header is not nil beside an error")
	}
}

type failing struct{}

func (failing) ReadAt([]byte, int64) (int, error) { return 0, iotest.ErrTimeout }

// Whatever a file says, an error about it stays short.
func TestErrorsAreBounded(t *testing.T) {
	long := strings.Repeat("é", 1<<16)
	for _, header := range []string{
		`{"` + long + `":1}`,
		`{"__metadata__":{"` + long + `":1}}`,
		`{"w":{"` + long + `":1}}`,
		entry(`"?"`, `["`+long+`"]`, `[0,0]`),
		entry(`"?"`, `[`+strings.Repeat("9", 1<<16)+`]`, `[0,0]`),
		`{"` + long + `":{"dtype":"` + long + `","shape":[],"data_offsets":[1,0]}}`,
	} {
		h, err := newFile(header, 0).parse()
		wantInvalid(t, h, err)
		if n := len(err.Error()); n > 500 {
			t.Errorf("error of %d bytes: %.100s...", n, err)
		}
	}
}

func TestBits(t *testing.T) {
	for bits, dtypes := range map[int][]DType{
		4:  {"F4"},
		6:  {"F6_E2M3", "F6_E3M2"},
		8:  {"BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"},
		16: {"I16", "U16", "F16", "BF16"},
		32: {"I32", "U32", "F32"},
		64: {"C64", "F64", "I64", "U64"},
	} {
		for _, d := range dtypes {
			if got, ok := d.Bits(); got != bits || !ok {
				t.Errorf("%s: %d bits, known %v; want %d", d, got, ok, bits)
			}
		}
	}
	for _, d := range []DType{"", "bf16", "BF16 ", "F128", "F8"} {
		if got, ok := d.Bits(); got != 0 || ok {
			t.Errorf("%q: %d bits, known %v; want unknown", d, got, ok)
		}
	}
}
