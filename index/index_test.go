package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

// sample is an index of three chunks, the last of which shares the record of
// the first.
func sample() *Index {
	idx := &Index{Meta: Meta{
		Name:      "model.safetensors",
		Size:      250,
		MTime:     time.Unix(1700000000, 123456789).UTC(),
		Mode:      0o640,
		ChunkSize: 100,
	}}
	for i := range idx.Meta.SHA256 {
		idx.Meta.SHA256[i] = byte(i)
	}
	idx.Rows = []Row{
		{Off: 0, Pos: 16, Len: 100, HeaderLen: 10, PayloadLen: 60, Method: 4, DType: 11, HeaderSum: 1},
		{Off: 100, Pos: 86, Len: 50, HeaderLen: 7, PayloadLen: 0, Method: 1, DType: 2, HeaderSum: 2},
		{Off: 150, Pos: 16, Len: 100, HeaderLen: 10, PayloadLen: 60, Method: 4, DType: 10, HeaderSum: 1},
	}
	return idx
}

const sampleRecordsEnd = 93

func mustMarshal(t testing.TB, idx *Index) []byte {
	t.Helper()
	b, err := idx.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// archiveSize is the size of an archive of the sample's records and index b.
func archiveSize(b []byte) int64 { return sampleRecordsEnd + int64(len(b)) + TrailerLen }

func TestRowIs40Bytes(t *testing.T) {
	if n := unsafe.Sizeof(Row{}); n != rowLen {
		t.Fatalf("a row takes %d bytes of memory, want %d", n, rowLen)
	}
}

func TestRoundTrip(t *testing.T) {
	empty := &Index{Meta: Meta{Name: "e", ChunkSize: 1, MTime: time.Time{}}, Rows: []Row{}}
	long := sample()
	long.Meta.Name = strings.Repeat("n", MaxNameLen)
	profiled := sample()
	profiled.Profile = []byte("learned")
	for _, want := range []*Index{sample(), empty, long, profiled} {
		b := mustMarshal(t, want)
		end := int64(HeaderLen)
		if len(want.Rows) > 0 {
			end = sampleRecordsEnd
		}
		got, err := Parse(b, end+int64(len(b))+TrailerLen)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("parsed index differs (-want +got):\n%s", d)
		}
	}
}

func TestLayout(t *testing.T) {
	b := mustMarshal(t, sample())
	if want := 88 + 3*rowLen; len(b) != want { // 66 + 17 bytes of name, padded to 88
		t.Fatalf("index has %d bytes, want %d", len(b), want)
	}
	le := binary.LittleEndian
	for _, c := range []struct {
		what      string
		got, want uint64
	}{
		{"size", le.Uint64(b), 250},
		{"sha256[1]", uint64(b[9]), 1},
		{"mtime sec", le.Uint64(b[40:]), 1700000000},
		{"mtime nsec", uint64(le.Uint32(b[48:])), 123456789},
		{"mode", uint64(le.Uint32(b[52:])), 0o640},
		{"chunk size", uint64(le.Uint32(b[56:])), 100},
		{"rows", uint64(le.Uint32(b[60:])), 3},
		{"name length", uint64(le.Uint16(b[64:])), 17},
		{"row 1 off", le.Uint64(b[128:]), 100},
		{"row 1 pos", le.Uint64(b[136:]), 86},
		{"row 1 len", uint64(le.Uint32(b[144:])), 50},
		{"row 1 header", uint64(le.Uint32(b[148:])), 7},
		{"row 1 payload", uint64(le.Uint32(b[152:])), 0},
		{"row 1 method", uint64(b[156]), 1},
		{"row 1 dtype", uint64(b[157]), 2},
		{"row 1 sum", le.Uint64(b[160:]), 2},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.what, c.got, c.want)
		}
	}
	if string(b[66:83]) != "model.safetensors" {
		t.Errorf("name: %q", b[66:83])
	}
}

// TestBounds changes one thing in a valid index at a time: at the bound it is
// accepted, over it refused, by Marshal as by Parse.
func TestBounds(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Index)
		ok     bool
	}{
		{"as it is", func(*Index) {}, true},
		{"name empty", func(x *Index) { x.Meta.Name = "" }, false},
		{"name .", func(x *Index) { x.Meta.Name = "." }, false},
		{"name ..", func(x *Index) { x.Meta.Name = ".." }, false},
		{"name ...", func(x *Index) { x.Meta.Name = "..." }, true},
		{"name with slash", func(x *Index) { x.Meta.Name = "a/b" }, false},
		{"name with NUL", func(x *Index) { x.Meta.Name = "a\x00b" }, false},
		{"name longest", func(x *Index) { x.Meta.Name = strings.Repeat("x", 255) }, true},
		{"name too long", func(x *Index) { x.Meta.Name = strings.Repeat("x", 256) }, false},
		{"mode all", func(x *Index) { x.Meta.Mode = 0o777 }, true},
		{"mode setuid", func(x *Index) { x.Meta.Mode = fs.ModeSetuid | 0o755 }, false},
		{"mode bit over", func(x *Index) { x.Meta.Mode = 0o1000 }, false},
		{"mtime first", func(x *Index) { x.Meta.MTime = time.Unix(minMTime, 0).UTC() }, true},
		{"mtime too early", func(x *Index) { x.Meta.MTime = time.Unix(minMTime-1, 0).UTC() }, false},
		{"mtime last", func(x *Index) { x.Meta.MTime = time.Unix(maxMTime, 999999999).UTC() }, true},
		{"mtime too late", func(x *Index) { x.Meta.MTime = time.Unix(maxMTime+1, 0).UTC() }, false},
		{"chunk size 0", func(x *Index) { x.Meta.ChunkSize = 0 }, false},
		{"chunk size below a row", func(x *Index) { x.Meta.ChunkSize = 99 }, false},
		{"chunk size most", func(x *Index) { x.Meta.ChunkSize = MaxChunkLen }, true},
		{"chunk size over", func(x *Index) { x.Meta.ChunkSize = MaxChunkLen + 1 }, false},
		{"size less", func(x *Index) { x.Meta.Size-- }, false},
		{"size more", func(x *Index) { x.Meta.Size++ }, false},
		{"size negative", func(x *Index) { x.Meta.Size = -1 }, false},
		{"no rows", func(x *Index) { x.Rows = nil }, false},
		{"gap", func(x *Index) { x.Rows[1].Off++; x.Rows[1].Len-- }, false},
		{"overlap", func(x *Index) { x.Rows[1].Off--; x.Rows[1].Len++ }, false},
		{"first row late", func(x *Index) { x.Rows[0].Off = 1 }, false},
		{"row empty", func(x *Index) { x.Rows[1].Len = 0; x.Rows[2].Off = 100; x.Meta.Size = 200 }, false},
		{"chunk header empty", func(x *Index) { x.Rows[1].HeaderLen = 0 }, false},
		{"chunk header most", func(x *Index) { x.Rows[1].HeaderLen = MaxChunkHeaderLen }, true},
		{"chunk header over", func(x *Index) { x.Rows[1].HeaderLen = MaxChunkHeaderLen + 1 }, false},
		{"payload most", func(x *Index) { x.Rows[1].PayloadLen = MaxPayloadLen }, true},
		{"payload over", func(x *Index) { x.Rows[1].PayloadLen = MaxPayloadLen + 1 }, false},
		{"flags", func(x *Index) { x.Rows[1].Flags = 1 }, false},
		{"pos in file header", func(x *Index) { x.Rows[0].Pos = 15; x.Rows[2].Pos = 15 }, false},
		{"pos negative", func(x *Index) { x.Rows[1].Pos = math.MinInt64 }, false},
		{"pos far", func(x *Index) { x.Rows[1].Pos = math.MaxInt64 }, false},
		{"records apart", func(x *Index) { x.Rows[1].Pos++ }, false},
		{"records overlap", func(x *Index) { x.Rows[1].Pos-- }, false},
		{"shared inside a record", func(x *Index) { x.Rows[2].Pos = 17 }, false},
		{"shared, other len", func(x *Index) { x.Rows[2].Len--; x.Meta.Size-- }, false},
		{"shared, other header", func(x *Index) { x.Rows[2].HeaderLen++; x.Rows[2].PayloadLen-- }, false},
		{"shared, other payload", func(x *Index) { x.Rows[2].PayloadLen++ }, false},
		{"shared, other method", func(x *Index) { x.Rows[2].Method++ }, false},
		{"shared, other sum", func(x *Index) { x.Rows[2].HeaderSum++ }, false},
		{"shared, other dtype", func(x *Index) { x.Rows[2].DType++ }, true},
		{"profile longest", func(x *Index) { x.Profile = make([]byte, MaxProfileLen) }, true},
		{"profile too long", func(x *Index) { x.Profile = make([]byte, MaxProfileLen+1) }, false},
		{"dtype unknown", func(x *Index) { x.Rows[1].DType = 255 }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			idx := sample()
			c.change(idx)
			if _, err := idx.Marshal(); (err == nil) != c.ok {
				t.Errorf("Marshal: %v, want ok=%v", err, c.ok)
			} else if err != nil && !errors.Is(err, ErrCorrupt) {
				t.Errorf("Marshal: %v is not ErrCorrupt", err)
			}
			b := marshalUnchecked(idx)
			end := int64(HeaderLen)
			for _, r := range idx.Rows {
				end = max(end, r.RecordEnd())
			}
			got, err := Parse(b, end+int64(len(b))+TrailerLen)
			if (err == nil) != c.ok {
				t.Fatalf("Parse: %v, want ok=%v", err, c.ok)
			}
			if err != nil && (got != nil || !errors.Is(err, ErrCorrupt)) {
				t.Errorf("Parse: %v, %v: want nil and ErrCorrupt", got, err)
			}
		})
	}
}

func marshalUnchecked(idx *Index) []byte {
	start := rowsOffset(len(idx.Meta.Name))
	b := make([]byte, start+len(idx.Rows)*rowLen)
	idx.putMeta(b)
	for i, r := range idx.Rows {
		putRow(b[start+i*rowLen:], r)
	}
	return append(b, idx.Profile...)
}

// TestParseNamesOffset checks that the offset in an error is where the fault
// is.
func TestParseNamesOffset(t *testing.T) {
	good := mustMarshal(t, sample())
	for _, c := range []struct {
		name   string
		at     int // inside the index
		v      byte
		offset int // that the error should name
	}{
		{"mtime nanoseconds", 51, 0xff, 40},
		{"mode", 53, 0xff, 52},
		{"chunk size", 59, 0xff, 56},
		{"row count", 60, 9, 60},
		{"padding", 86, 1, 86},
		{"row 1 flags", 88 + 40 + 30, 1, 88 + 40 + 30},
		{"row 1 pos", 88 + 40 + 8, 87, 88 + 40 + 8},
		{"row 2 pos", 88 + 80 + 8, 17, 88 + 80 + 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := slices.Clone(good)
			b[c.at] = c.v
			_, err := Parse(b, archiveSize(b))
			var ce *CorruptError
			if !errors.As(err, &ce) || ce.Offset != sampleRecordsEnd+int64(c.offset) {
				t.Errorf("got %v, want one at offset %d", err, sampleRecordsEnd+c.offset)
			}
		})
	}
}

func TestParseTruncated(t *testing.T) {
	b := mustMarshal(t, sample())
	for n := range b {
		if idx, err := Parse(b[:n], sampleRecordsEnd+int64(n)+TrailerLen); idx != nil || !errors.Is(err, ErrCorrupt) {
			t.Errorf("first %d bytes: %v, %v", n, idx, err)
		}
	}
	for _, size := range []int64{math.MinInt64, -1, 0, TrailerLen, TrailerLen + int64(len(b)) + HeaderLen - 1} {
		if idx, err := Parse(b, size); idx != nil || !errors.Is(err, ErrCorrupt) {
			t.Errorf("archive of %d bytes: %v, %v", size, idx, err)
		}
	}
}

func TestFind(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	idx := &Index{}
	for range 100 {
		n := uint32(1 + rng.IntN(20))
		idx.Rows = append(idx.Rows, Row{Off: idx.Meta.Size, Len: n})
		idx.Meta.Size += int64(n)
	}
	for i, r := range idx.Rows {
		for off := r.Off; off < r.End(); off++ {
			if got := idx.Find(off); got != i {
				t.Fatalf("Find(%d) = %d, want %d", off, got, i)
			}
			if got := idx.ChunkEnd(off); got != r.End() {
				t.Fatalf("ChunkEnd(%d) = %d, want %d", off, got, r.End())
			}
		}
	}
	for _, off := range []int64{-1, math.MinInt64, idx.Meta.Size, math.MaxInt64} {
		if got := idx.Find(off); got != -1 {
			t.Errorf("Find(%d) = %d, want -1", off, got)
		}
	}
	if got := (&Index{}).Find(0); got != -1 {
		t.Errorf("Find(0) in an empty file = %d, want -1", got)
	}
}

func TestDTypes(t *testing.T) {
	seen := map[string]bool{}
	for code := 1; code < len(dtypes); code++ {
		name := DTypeName(uint8(code))
		if seen[name] || DTypeCode(name) != uint8(code) {
			t.Errorf("code %d: %q is not its name alone", code, name)
		}
		seen[name] = true
	}
	for _, name := range []string{"", "bytes", "Q7"} {
		if c := DTypeCode(name); c != 0 {
			t.Errorf("DTypeCode(%q) = %d, want 0", name, c)
		}
	}
	for _, code := range []uint8{0, uint8(len(dtypes)), 255} {
		if n := DTypeName(code); n != "bytes" {
			t.Errorf("DTypeName(%d) = %q", code, n)
		}
	}
}

// FuzzParse: what parses marshals back to the same bytes; what does not gives
// nothing but an error.
func FuzzParse(f *testing.F) {
	b := mustMarshal(f, sample())
	f.Add(b, archiveSize(b))
	e := mustMarshal(f, &Index{Meta: Meta{Name: "e", ChunkSize: 1}})
	f.Add(e, int64(HeaderLen+len(e)+TrailerLen))
	f.Add(append(b, "learned"...), archiveSize(b)+7)
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		idx, err := Parse(b, size)
		if err != nil {
			if idx != nil || !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%v, %v", idx, err)
			}
			return
		}
		got, err := idx.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, b) {
			t.Fatalf("marshals to\n%x, parsed from\n%x", got, b)
		}
	})
}
