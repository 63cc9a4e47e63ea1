package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/index"
	"github.com/zeebo/xxh3"
)

const vectorFolder = "../testdata/corrupt"

// vector is an archive with one fault.
type vector struct {
	name, fault string
	want        error // nil: it is sound
	make        func(t *testing.T, b []byte) []byte
}

// Places in a row, as docs/format.md gives them.
const (
	vectorRow        = 40
	vectorRowOff     = 0
	vectorRowPos     = 8
	vectorRowLen     = 16
	vectorRowHeader  = 20
	vectorRowPayload = 24
)

// Places in the index, and in the trailer.
const (
	vectorSize       = 0
	vectorMode       = 52
	vectorNumRows    = 60
	vectorName       = 66
	vectorTrailerLen = 8
	vectorTrailerSum = 48
)

var vectors = []vector{
	{"sound", "none", nil, func(_ *testing.T, b []byte) []byte { return b }},
	{"empty", "no bytes", ErrNotArchive, func(*testing.T, []byte) []byte { return nil }},
	{"text", "something else", ErrNotArchive, func(*testing.T, []byte) []byte { return bytes.Repeat([]byte("no archive\n"), 20) }},
	{"cut-by-one", "the last byte is missing", ErrCorrupt, func(_ *testing.T, b []byte) []byte { return b[:len(b)-1] }},
	{"cut-in-half", "the second half is missing", ErrCorrupt, func(_ *testing.T, b []byte) []byte { return b[:len(b)/2] }},
	{"magic", "a bit of the magic is wrong", ErrCorrupt, func(_ *testing.T, b []byte) []byte { b[1] ^= 1; return b }},
	{"payload-bit", "a bit of a payload is wrong", ErrCorrupt, func(t *testing.T, b []byte) []byte {
		b[rowsOf(t, b)[1].PayloadPos()+7] ^= 4
		return b
	}},
	{"chunk-header-bit", "a bit of a chunk header is wrong", ErrCorrupt, func(t *testing.T, b []byte) []byte {
		b[rowsOf(t, b)[1].Pos+1] ^= 4
		return b
	}},
	{"index-bit", "a bit of the index is wrong", ErrCorrupt, func(_ *testing.T, b []byte) []byte {
		b[len(b)-index.TrailerLen-9] ^= 1
		return b
	}},
	{"trailer-bit", "a bit of the trailer is wrong", ErrCorrupt, func(_ *testing.T, b []byte) []byte {
		b[len(b)-index.TrailerLen+2] ^= 1
		return b
	}},
	{"burst", "64 bytes in a row are zero", ErrCorrupt, func(t *testing.T, b []byte) []byte {
		clear(b[rowsOf(t, b)[1].PayloadPos()+100:][:64])
		return b
	}},
	{"swapped-chunks", "two chunks stand in each other's place, with their sums", ErrCorrupt, func(t *testing.T, b []byte) []byte {
		idx := *openBytes(t, b).Index()
		x, y := idx.Rows[1], idx.Rows[2]
		first := bytes.Clone(b[x.Pos:x.RecordEnd()])
		copy(b[x.Pos:], b[y.Pos:y.RecordEnd()])
		copy(b[y.Pos:], first)
		idx.Rows[1].HeaderSum, idx.Rows[2].HeaderSum = y.HeaderSum, x.HeaderSum
		return rebuild(t, b, &idx)
	}},
	{"foreign-chunk", "a chunk of another archive, with its sum", ErrCorrupt, func(t *testing.T, b []byte) []byte {
		other := packed(t, vectorContent(9), vectorOptions)
		idx := *openBytes(t, b).Index()
		row := rowsOf(t, other)[1]
		copy(b[idx.Rows[1].Pos:], other[row.Pos:row.RecordEnd()])
		idx.Rows[1].HeaderSum = row.HeaderSum
		return rebuild(t, b, &idx)
	}},
	{"foreign-record", "a chunk of another archive, without its sum", ErrCorrupt, func(t *testing.T, b []byte) []byte {
		other := packed(t, vectorContent(9), vectorOptions)
		row := rowsOf(t, other)[1]
		copy(b[rowsOf(t, b)[1].Pos:], other[row.Pos:row.RecordEnd()])
		return b
	}},
	{"foreign-index", "index and trailer of another archive", ErrCorrupt, func(t *testing.T, b []byte) []byte {
		at := openBytes(t, b).indexPos
		return append(b[:at:at], packed(t, vectorContent(9), vectorOptions)[at:]...)
	}},
	{"rows-out-of-order", "two rows are exchanged", ErrCorrupt, changeRows(func(rows []byte) {
		first := bytes.Clone(rows[:vectorRow])
		copy(rows, rows[vectorRow:2*vectorRow])
		copy(rows[vectorRow:], first)
	})},
	{"rows-overlap", "a row begins before the one before it ends", ErrCorrupt, changeRows(func(rows []byte) {
		put64(rows[vectorRow+vectorRowOff:], 4095)
	})},
	{"records-overlap", "a record begins within the one before it", ErrCorrupt, changeRows(func(rows []byte) {
		pos := binary.LittleEndian.Uint64(rows[vectorRow+vectorRowPos:])
		put64(rows[vectorRow+vectorRowPos:], pos-8)
	})},
	{"record-outside", "a record stands behind the end of the archive", ErrCorrupt, changeRows(func(rows []byte) {
		put64(rows[vectorRow+vectorRowPos:], 1<<40)
	})},
	{"trailer-elsewhere", "the trailer points before the index, with a right sum", ErrCorrupt, func(t *testing.T, b []byte) []byte {
		end := int64(len(b)) - index.TrailerLen
		at := openBytes(t, b).indexPos - 64
		return append(b[:end:end], index.NewTrailer(at, b[at:end]).Marshal()...)
	}},
	{"zeros-at-end", "the last 4096 bytes are zero", ErrCorrupt, func(_ *testing.T, b []byte) []byte {
		clear(b[len(b)-4096:])
		return b
	}},
	{"more-at-end", "something follows the trailer", ErrCorrupt, func(_ *testing.T, b []byte) []byte { return append(b, "more"...) }},
	{"twice", "the archive is there twice", ErrCorrupt, func(_ *testing.T, b []byte) []byte { return append(b, b...) }},
	{"name-outside", "the original's name leads out of its folder", ErrCorrupt, changeIndex(func(x []byte) { copy(x[vectorName:], "../") })},
	{"mode-setuid", "the original is said to be setuid", ErrCorrupt, changeIndex(func(x []byte) {
		put32(x[vectorMode:], 0o4755)
	})},
	{"bomb-original", "the original is said to have 8 EiB", ErrCorrupt, changeIndex(func(x []byte) { put64(x[vectorSize:], 1<<63-1) })},
	{"bomb-rows", "there are said to be 4 billion rows", ErrCorrupt, changeIndex(func(x []byte) { put32(x[vectorNumRows:], 1<<32-1) })},
	{"bomb-index", "the index is said to have 1 TiB", ErrCorrupt, func(_ *testing.T, b []byte) []byte {
		trailer := b[len(b)-index.TrailerLen:]
		put64(trailer[vectorTrailerLen:], 1<<40)
		put64(trailer[vectorTrailerSum:], xxh3.Hash(trailer[:vectorTrailerSum]))
		return b
	}},
	{"bomb-zstd", "a zstd frame says that it holds 1 TiB", ErrCorrupt, func(t *testing.T, _ []byte) []byte {
		b := packed(t, bytes.Repeat([]byte("weights "), 512), PackOptions{Method: codec.Zstd19, ChunkLen: 4096, BlockLen: 2048})
		frame := b[rowsOf(t, b)[0].PayloadPos():]
		if !bytes.HasPrefix(frame, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
			t.Fatal("no zstd frame")
		}
		const sizeOf8BytesNoWindow = 0xe0
		frame[4] = sizeOf8BytesNoWindow
		put64(frame[5:], 1<<40)
		return b
	}},
	{"bomb-chunk", "a chunk says that it has 4 GiB", ErrCorrupt, changeRows(func(rows []byte) { put32(rows[vectorRowLen:], 1<<32-1) })},
	{"bomb-header", "a chunk header says that it has 4 GiB", ErrCorrupt, changeRows(func(rows []byte) { put32(rows[vectorRowHeader:], 1<<32-1) })},
	{"bomb-payload", "a payload says that it has 4 GiB", ErrCorrupt, changeRows(func(rows []byte) { put32(rows[vectorRowPayload:], 1<<32-1) })},
	{"unknown-coder", "a chunk header is all ones, with a right sum", ErrUnsupported, func(t *testing.T, b []byte) []byte {
		idx := *openBytes(t, b).Index()
		row := &idx.Rows[1]
		header := b[row.Pos:row.PayloadPos()]
		for i := range header[4:] {
			header[4+i] = 0xff
		}
		row.HeaderSum = xxh3.Hash(header)
		return rebuild(t, b, &idx)
	}},
	{"newer-version", "a later version of the format", ErrVersion, func(_ *testing.T, b []byte) []byte {
		b[8] = 2
		return append(b, "a trailer of another kind, and longer than what we know today...."...)
	}},
}

var vectorOptions = PackOptions{Method: codec.Raw, ChunkLen: 4096, BlockLen: 2048}

// vectorContent is three chunks long.
func vectorContent(seed uint64) []byte { return noise(seed, 3*4096) }

func rowsOf(t *testing.T, b []byte) []index.Row { return openBytes(t, b).Index().Rows }

func put64(b []byte, v uint64) { binary.LittleEndian.PutUint64(b, v) }
func put32(b []byte, v uint32) { binary.LittleEndian.PutUint32(b, v) }

// changeIndex changes the index as it is stored, and sets its sum right.
func changeIndex(change func(x []byte)) func(*testing.T, []byte) []byte {
	return func(t *testing.T, b []byte) []byte {
		at, end := openBytes(t, b).indexPos, int64(len(b))-index.TrailerLen
		change(b[at:end])
		return append(b[:end:end], index.NewTrailer(at, b[at:end]).Marshal()...)
	}
}

// changeRows does so to the rows.
func changeRows(change func(rows []byte)) func(*testing.T, []byte) []byte {
	const rows = 3 // of vectorContent
	return changeIndex(func(x []byte) { change(x[len(x)-vectorRow*rows:]) })
}

// TestCorruptVectors verifies the archives in testdata/corrupt, which have one
// fault each; -update writes them anew.
func TestCorruptVectors(t *testing.T) {
	table := new(strings.Builder)
	for _, v := range vectors {
		path := filepath.Join(vectorFolder, v.name+ArchiveSuffix)
		if *update {
			b := v.make(t, packed(t, vectorContent(1), vectorOptions))
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		err := verifyPath(t, path)
		if v.want == nil && err != nil || v.want != nil && !errors.Is(err, v.want) {
			t.Errorf("%s: %v, want %v", v.name, err, v.want)
		}
		fmt.Fprintf(table, "| `%s` | %s | %s |\n", v.name+ArchiveSuffix, v.fault, className(v.want))
	}
	checkVectorTable(t, table.String())
	if *update {
		return
	}
	if files := filesIn(t, vectorFolder); len(files) != len(vectors)+1 {
		t.Errorf("%d files, want a README and %d archives", len(files), len(vectors))
	}
}

func className(err error) string {
	switch err {
	case nil:
		return "none"
	case ErrCorrupt:
		return "corrupt"
	case ErrVersion:
		return "later version"
	case ErrUnsupported:
		return "unsupported"
	}
	return "no archive"
}

func checkVectorTable(t *testing.T, table string) {
	t.Helper()
	path := filepath.Join(vectorFolder, "README.md")
	want := "# Damaged archives\n\nOne fault each. `scapefs verify` and every other reader exit with 3, but for the sound one, and the error is of the\n" +
		"class named. `go test ./archive -run CorruptVectors -update` writes them and this table.\n\n" +
		"| archive | fault | class |\n|---|---|---|\n" + table
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s is not what the test has: run it with -update (%v)", path, err)
	}
}

func verifyPath(t *testing.T, path string) error {
	t.Helper()
	src, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), src)
	if err != nil {
		return err
	}
	defer r.Close()
	return Verify(t.Context(), r, VerifyOptions{Jobs: 2})
}

// TestBombsTakeNoMemory: sizes that an archive of 13 kB declares are refused
// before memory is taken for them.
func TestBombsTakeNoMemory(t *testing.T) {
	const most = 32 << 20
	for _, v := range vectors {
		took := taken(func() { _ = verifyPath(t, filepath.Join(vectorFolder, v.name+ArchiveSuffix)) })
		if took > most {
			t.Errorf("%s: %d bytes taken", v.name, took)
		}
	}
}
