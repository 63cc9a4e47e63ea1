package archive

import (
	"bytes"
	"crypto/sha256"
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

// sound tells whether an error belongs to what bad bytes may give.
func sound(err error) bool {
	for _, target := range []error{ErrCorrupt, ErrNotArchive, ErrVersion, ErrUnsupported} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// flipArchive is small, but has shared records, several blocks and tensors.
func flipArchive(t *testing.T, m codec.Method) (data, archive []byte) {
	tied := bytes.Repeat(bf16s(1, 64), 32)
	data = makeSafetensors(t, tensor{"a", "BF16", []int64{2048}, tied}, tensor{"b", "BF16", []int64{2048}, tied}, bf16Tensor("c", 2, 200),
		tensor{"d", "F32", []int64{2}, []byte{0, 1, 2, 3, 4, 5, 6, 7}})
	return data, packed(t, data, PackOptions{Method: m, ChunkLen: 4096, BlockLen: 2048})
}

// flipReferring is small, and has a chunk that refers to another.
func flipReferring(t *testing.T, m codec.Method) (data, archive []byte) {
	shape, first := []int64{30, 40}, bf16s(1, 1200)
	data = makeSafetensors(t, tensor{"a", "BF16", shape, first}, tensor{"i", "I16", []int64{1}, []byte{1, 2}},
		tensor{"b", "BF16", shape, sharing(bf16s(2, 1200), first, 2, 40, func(_, column int) bool { return column > 9 })})
	return data, packed(t, data, PackOptions{Method: m, ChunkLen: 4096, BlockLen: 2048})
}

// TestBitFlips: whichever bit of an archive is wrong, every answer is an error
// or exact.
func TestBitFlips(t *testing.T) {
	for _, m := range testMethods {
		t.Run(m.String(), func(t *testing.T) {
			want, b := flipArchive(t, m)
			flipAll(t, want, b)
		})
	}
	t.Run("profile", func(t *testing.T) {
		want, b := flipArchive(t, codec.BF16SplitPretrained)
		if len(openBytes(t, b).Index().Profile) == 0 {
			t.Fatal("there is no profile")
		}
		flipAll(t, want, b)
	})
	t.Run("references", func(t *testing.T) {
		want, b := flipReferring(t, codec.Auto)
		c, err := openBytes(t, b).Chunk(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := c.Reference(0); !ok {
			t.Fatal("nothing refers")
		}
		flipAll(t, want, b)
	})
}

// A profile that the index holds, and that is none, is corrupt where it stands;
// one of a later version is not.
func TestBadProfile(t *testing.T) {
	b := packed(t, makeSafetensors(t, bf16Tensor("a", 1, 2000)), PackOptions{Method: codec.BF16SplitPretrained})
	open := func(change func(profile []byte) []byte) error {
		idx := *openBytes(t, b).Index()
		idx.Profile = change(bytes.Clone(idx.Profile))
		_, err := Open(t.Context(), &memSource{data: rebuild(t, b, &idx)})
		return err
	}
	var ce *CorruptError
	err := open(func(p []byte) []byte { p[len(p)-1] ^= 1; return p })
	if at := int64(len(b)) - index.TrailerLen - int64(len(openBytes(t, b).Index().Profile)); !errors.As(err, &ce) || ce.Offset != at {
		t.Errorf("a changed profile: %v, want it corrupt at %d", err, at)
	}
	err = open(func(p []byte) []byte {
		p[4]++
		return binary.LittleEndian.AppendUint64(p[:len(p)-8], xxh3.Hash(p[:len(p)-8]))
	})
	if !errors.Is(err, ErrUnsupported) || errors.Is(err, ErrCorrupt) {
		t.Errorf("a later profile: %v", err)
	}
	idx := *openBytes(t, b).Index()
	idx.Profile = nil
	r := openBytes(t, rebuild(t, b, &idx))
	if _, err := r.Chunk(t.Context(), 1); !errors.As(err, &ce) || ce.Chunk != 1 {
		t.Errorf("a chunk without its profile: %v", err)
	}
}

func flipAll(t *testing.T, want, b []byte) {
	for bit := range 8 * len(b) {
		b[bit/8] ^= 1 << (bit % 8)
		checkFlipped(t, bit, b, want)
		b[bit/8] ^= 1 << (bit % 8)
	}
}

func checkFlipped(t *testing.T, bit int, b, want []byte) {
	t.Helper()
	r, err := Open(t.Context(), &memSource{data: b})
	if err != nil {
		if !sound(err) {
			t.Errorf("bit %d: Open: %v", bit, err)
		}
		return
	}
	err = decodeRecordAt(t, r, int64(bit/8), want)
	if err == nil || bit%16 == 0 { // Verify takes long, and decodes as we just did
		verifyErr := Verify(t.Context(), r, VerifyOptions{Jobs: 1})
		if (err != nil) != (verifyErr != nil) && bit >= 8*index.HeaderLen {
			t.Errorf("bit %d: decoding gives %v, Verify %v", bit, err, verifyErr)
		}
		err = verifyErr
	}
	if err != nil && !sound(err) {
		t.Errorf("bit %d: %v", bit, err)
	}
	// What stands outside of payloads is covered by checksums.
	inPayload := false
	for _, row := range r.Index().Rows {
		inPayload = inPayload || int64(bit/8) >= row.PayloadPos() && int64(bit/8) < row.RecordEnd()
	}
	if err == nil && !inPayload {
		t.Errorf("bit %d: not noticed", bit)
	}
}

// decodeRecordAt decodes the blocks of all chunks stored around pos, and
// compares those that decode with the original.
func decodeRecordAt(t *testing.T, r *Reader, pos int64, want []byte) error {
	t.Helper()
	var errs []error
	for n, row := range r.Index().Rows {
		if pos < row.Pos || pos >= row.RecordEnd() {
			continue
		}
		c, err := r.Chunk(t.Context(), n)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for b := range c.NumBlocks() {
			block := c.Block(b)
			dst := make([]byte, block.Len)
			if err := r.DecodeBlock(t.Context(), n, b, dst); err != nil {
				errs = append(errs, err)
			} else if !bytes.Equal(dst, want[row.Off+int64(block.Off):][:block.Len]) {
				t.Errorf("chunk %d, block %d: wrong bytes", n, b)
			}
		}
	}
	return errors.Join(errs...)
}

func TestNotArchive(t *testing.T) {
	for _, b := range [][]byte{nil, {1}, noise(1, 63), noise(1, 64), noise(1, 200_000), smallModel(t)} {
		if _, err := Open(t.Context(), &memSource{data: b}); !errors.Is(err, ErrNotArchive) || errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
}

// TestNewerVersion: a later version is named, whether or not its trailer is one
// we can read.
func TestNewerVersion(t *testing.T) {
	_, b := flipArchive(t, codec.Raw)
	b[8] = 2
	b = append(b, "a trailer of another kind, and longer than what we know today...."...)
	_, err := Open(t.Context(), &memSource{data: b})
	if !errors.Is(err, ErrVersion) || errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("got %v", err)
	}
}

// TestUnsupportedMethod: a method that is not known is named, and no
// corruption.
func TestUnsupportedMethod(t *testing.T) {
	r := openBytes(t, packed(t, noise(1, 100), PackOptions{Method: codec.Raw}))
	err := r.chunkError(0, 16, fmt.Errorf("method 77: %w", codec.ErrUnsupported))
	if !errors.Is(err, ErrUnsupported) || errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "method 77") {
		t.Errorf("got %v", err)
	}
}

// TestSwappedChunks exchanges two whole chunks of equal length, with every
// checksum of theirs: only the SHA-256 can tell.
func TestSwappedChunks(t *testing.T) {
	data := noise(1, 2*4096)
	b := packed(t, data, PackOptions{Method: codec.Raw, ChunkLen: 4096})
	r := openBytes(t, b)
	rows := r.Index().Rows
	x, y := rows[0], rows[1]
	if x.RecordLen() != y.RecordLen() {
		t.Fatalf("records of %d and %d bytes", x.RecordLen(), y.RecordLen())
	}
	swapped := bytes.Clone(b)
	copy(swapped[x.Pos:], b[y.Pos:y.RecordEnd()])
	copy(swapped[y.Pos:], b[x.Pos:x.RecordEnd()])
	err := Verify(t.Context(), openBytes(t, swapped), VerifyOptions{})
	if c := corruptErrors(err); len(c) != 2 || c[0].Chunk != 0 || c[0].Offset != x.Pos || c[1].Chunk != 1 || c[1].Offset != y.Pos {
		t.Errorf("swapped bytes: %v", err)
	}
	idx := *r.Index()
	idx.Rows[0].HeaderSum, idx.Rows[1].HeaderSum = y.HeaderSum, x.HeaderSum
	swapped = rebuild(t, swapped, &idx)
	err = Verify(t.Context(), openBytes(t, swapped), VerifyOptions{})
	if c := corruptErrors(err); len(c) != 1 || c[0].Chunk != -1 || c[0].Offset != y.RecordEnd()+index.SHA256Offset {
		t.Errorf("swapped chunks: %v", err)
	}
	dir := t.TempDir()
	if err := Unpack(t.Context(), filepath.Join(dir, "x"), openBytes(t, swapped), UnpackOptions{}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Unpack: %v", err)
	}
	if names := filesIn(t, dir); len(names) != 0 {
		t.Errorf("left: %v", names)
	}
}

// corruptErrors gives the corruptions that err holds.
func corruptErrors(err error) []*CorruptError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*CorruptError
		for _, e := range joined.Unwrap() {
			all = append(all, corruptErrors(e)...)
		}
		return all
	}
	var c *CorruptError
	if errors.As(err, &c) {
		return []*CorruptError{c}
	}
	return nil
}

// TestCorruptErrorsNamePlaces breaks one thing at a time and looks at the
// place that is named.
func TestCorruptErrorsNamePlaces(t *testing.T) {
	b := packed(t, noise(1, 128<<10), PackOptions{Method: codec.Raw, ChunkLen: 32 << 10, BlockLen: 8 << 10})
	row := openBytes(t, b).Index().Rows[1]
	size := int64(len(b))
	for _, c := range []struct {
		name   string
		at     int64 // the byte broken
		chunk  int
		offset int64 // named
	}{
		{"file header", 3, -1, 0},
		{"file header, reserved", 13, -1, 13},
		{"chunk header", row.Pos + 1, 1, row.Pos},
		{"first block", row.PayloadPos(), 1, row.PayloadPos()},
		{"second block", row.PayloadPos() + 8<<10 + 5, 1, row.PayloadPos() + 8<<10},
		{"index", size - index.TrailerLen - 1, -1, openBytes(t, b).indexPos},
		{"trailer", size - 20, -1, size - index.TrailerLen},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := bytes.Clone(b)
			bad[c.at] ^= 1
			src, err := OpenFile(writeFile(t, "bad.scape", bad))
			if err != nil {
				t.Fatal(err)
			}
			r, err := Open(t.Context(), src)
			if err == nil {
				err = Verify(t.Context(), r, VerifyOptions{})
				r.Close()
			}
			got := corruptErrors(err)
			if len(got) != 1 || got[0].Chunk != c.chunk || got[0].Offset != c.offset || got[0].Path != src.Name() {
				t.Fatalf("got %v, want chunk %d, offset %d", err, c.chunk, c.offset)
			}
			if !strings.Contains(err.Error(), fmt.Sprintf("offset %d", c.offset)) || !strings.Contains(err.Error(), src.Name()) {
				t.Errorf("the message names no place: %v", err)
			}
		})
	}
}

// TestVerifyListsCorruptChunks: all of them, in order, up to the bound.
func TestVerifyListsCorruptChunks(t *testing.T) {
	b := packed(t, noise(1, (maxReports+20)*4096), PackOptions{Method: codec.Raw, ChunkLen: 4096})
	rows := openBytes(t, b).Index().Rows
	for _, bad := range []int{1, 2, maxReports - 1, maxReports, maxReports + 1} {
		c := bytes.Clone(b)
		for i := range bad {
			c[rows[i+5].PayloadPos()] ^= 1
		}
		err := Verify(t.Context(), openBytes(t, c), VerifyOptions{Jobs: 3})
		got := corruptErrors(err)
		if len(got) != min(bad, maxReports) {
			t.Fatalf("%d corrupt chunks: %d listed", bad, len(got))
		}
		for i, e := range got {
			if e.Chunk != i+5 {
				t.Errorf("%d corrupt chunks: place %d has chunk %d", bad, i, e.Chunk)
			}
		}
		if stopped := strings.Contains(err.Error(), "stopped"); stopped != (bad >= maxReports) {
			t.Errorf("%d corrupt chunks: stopped is %v", bad, stopped)
		}
	}
}

// TestUnpackLeavesNothing: a corrupt chunk anywhere, and no file appears nor is
// one replaced.
func TestUnpackLeavesNothing(t *testing.T) {
	b := packed(t, noise(1, 100_000), PackOptions{Method: codec.Raw, ChunkLen: 32 << 10})
	for i, row := range openBytes(t, b).Index().Rows {
		bad := bytes.Clone(b)
		bad[row.PayloadPos()] ^= 1
		dst := writeFile(t, "dst", []byte("mine"))
		err := Unpack(t.Context(), dst, openBytes(t, bad), UnpackOptions{Overwrite: true})
		var c *CorruptError
		if !errors.As(err, &c) || c.Chunk != i {
			t.Errorf("chunk %d: %v", i, err)
		}
		if got, _ := os.ReadFile(dst); string(got) != "mine" {
			t.Errorf("chunk %d: the file was replaced", i)
		}
		if names := filesIn(t, filepath.Dir(dst)); len(names) != 1 {
			t.Errorf("chunk %d left %v", i, names)
		}
	}
}

// TestRowsOfAnotherChunk: an index that is sound by itself, but does not fit
// the chunk headers, is corrupt.
func TestRowsOfAnotherChunk(t *testing.T) {
	b := packed(t, noise(1, 8192), PackOptions{Method: codec.Raw, ChunkLen: 4096})
	for name, change := range map[string]func(idx *index.Index){
		"method": func(idx *index.Index) { idx.Rows[0].Method = uint8(codec.Zstd19) },
		"lengths": func(idx *index.Index) {
			idx.Rows[0].Len--
			idx.Rows[1].Len++
			idx.Rows[1].Off--
			idx.Meta.ChunkSize++
		},
		"payload": func(idx *index.Index) { idx.Rows[0].PayloadLen--; idx.Rows[1].Pos--; idx.Rows[1].PayloadLen++ },
	} {
		t.Run(name, func(t *testing.T) {
			idx := *openBytes(t, b).Index()
			change(&idx)
			r := openBytes(t, rebuild(t, b, &idx))
			if _, err := r.Chunk(t.Context(), 0); !errors.Is(err, ErrCorrupt) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// FuzzOpen: whatever the bytes, there is an error or an original whose SHA-256
// is right; nothing panics, and who reads chunks and who reads blocks agree.
// Checksums over headers and index are set right, so that what stands behind
// them is reached.
func FuzzOpen(f *testing.F) {
	for _, data := range [][]byte{nil, noise(1, 50), makeSafetensors(f, bf16Tensor("a", 1, 300))} {
		f.Add(packed(f, data, PackOptions{Method: codec.Auto}))
	}
	f.Add(packed(f, alikeModel(f), PackOptions{Method: codec.Auto, ChunkLen: 64 << 10}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Open(t.Context(), &memSource{data: reseal(b)})
		if err != nil {
			if r != nil || !sound(err) {
				t.Fatalf("%v, %v", r, err)
			}
			return
		}
		verified := Verify(t.Context(), r, VerifyOptions{Jobs: 1})
		if verified != nil && !sound(verified) {
			t.Fatal(verified)
		}
		if r.Size() > 1<<20 {
			return // many chunks of one record would take much memory
		}
		got, err := decodeAll(t.Context(), r)
		if err != nil && (verified == nil || !sound(err)) {
			t.Fatalf("by blocks: %v; by chunks: %v", err, verified)
		}
		if verified == nil && sha256.Sum256(got) != r.Index().Meta.SHA256 {
			t.Fatal("by blocks: other bytes")
		}
	})
}

// reseal sets the sums of chunk headers, index and trailer right, as far as
// what they cover can be found.
func reseal(b []byte) []byte {
	pos := int64(len(b)) - index.TrailerLen
	if pos < index.HeaderLen {
		return b
	}
	at := int64(binary.LittleEndian.Uint64(b[pos:]))
	if at < index.HeaderLen || at > pos {
		return b
	}
	b = bytes.Clone(b)
	idx, err := index.Parse(b[at:pos], int64(len(b)))
	if err == nil {
		for i, row := range idx.Rows {
			idx.Rows[i].HeaderSum = xxh3.Hash(b[row.Pos:row.PayloadPos()])
		}
		if x, err := idx.Marshal(); err == nil {
			copy(b[at:], x)
		}
	}
	copy(b[pos:], index.NewTrailer(at, b[at:pos]).Marshal())
	return b
}
