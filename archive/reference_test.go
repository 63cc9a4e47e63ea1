package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/index"
	"github.com/scapefs/scapefs/safetensors"
)

// sharing gives data with the elements of from in some rows or columns of a
// matrix of so many columns.
func sharing(data, from []byte, width, columns int, share func(row, column int) bool) []byte {
	data = slices.Clone(data)
	for i := range len(data) / width {
		if share(i/columns, i%columns) {
			copy(data[i*width:(i+1)*width], from[i*width:])
		}
	}
	return data
}

// signsOf gives zeros of the signs of bf16 values.
func signsOf(values []byte) []byte {
	b := make([]byte, len(values))
	for i := 1; i < len(b); i += 2 {
		b[i] = values[i] & 0x80
	}
	return b
}

// mirrored gives rows whose second half is the first one, backwards: columns
// that are equal to others.
func mirrored(rows, columns int) []byte {
	b := bf16s(9, rows*columns)
	for i := range rows {
		for j := range columns / 2 {
			copy(b[2*(i*columns+columns-1-j):], b[2*(i*columns+j):][:2])
		}
	}
	return b
}

// alikeModel has tensors that are partly, or all, equal to the first one of
// their shape, in the same chunk and in others, tensors with rows and columns of
// zeros, and a matrix to be transposed.
func alikeModel(t testing.TB) []byte {
	const rows, columns = 100, 140
	const largeRows, largeColumns = 600, 1000
	shape, large := []int64{rows, columns}, []int64{largeRows, largeColumns}
	weights := func(seed uint64) []byte { return bf16s(seed, rows*columns) }
	many := func(seed uint64) []byte { return bf16s(seed, largeRows*largeColumns) }
	some := func(_, column int) bool { return column%3 > 0 }
	zero := make([]byte, 2*rows*columns)
	return makeSafetensors(t,
		tensor{"first", "BF16", shape, weights(1)},
		tensor{"columns", "BF16", shape, sharing(weights(2), weights(1), 2, columns, some)},
		tensor{"rows", "BF16", shape, sharing(weights(3), weights(1), 2, columns, func(row, _ int) bool { return row > 20 })},
		tensor{"ids.1", "I32", []int64{50, 60}, noise(1, 12000)},
		tensor{"ids.2", "I32", []int64{50, 60}, sharing(noise(2, 12000), noise(1, 12000), 4, 60, some)},
		tensor{"large.1", "BF16", large, many(5)},
		tensor{"large.2", "BF16", large, sharing(many(6), many(5), 2, largeColumns, some)},
		tensor{"all", "BF16", shape, weights(1)},
		tensor{"zero columns", "BF16", shape, sharing(weights(7), zero, 2, columns, some)},
		tensor{"signed zeros", "BF16", shape, sharing(weights(9), signsOf(weights(1)), 2, columns, some)},
		tensor{"zero rows", "BF16", shape, sharing(weights(8), zero, 2, columns, func(row, _ int) bool { return row%2 == 0 })},
		tensor{"large.3", "BF16", large, sharing(many(7), many(5), 2, largeColumns, func(row, _ int) bool { return row%10 < 7 })},
		tensor{"mirrored", "BF16", []int64{300, 1, 256}, mirrored(300, 256)},
	)
}

// Chunks and blocks of several lengths: references within a chunk, into others,
// and to tensors that are cut.
var alikeOptions = []PackOptions{
	{Method: codec.Auto},
	{Method: codec.Auto, ChunkLen: 256 << 10},
	{Method: codec.Auto, ChunkLen: 32 << 10, BlockLen: 4 << 10},
	{Method: codec.Scape, ChunkLen: 512 << 10, BlockLen: 30_000},
}

func TestReferences(t *testing.T) {
	data := alikeModel(t)
	for _, opt := range alikeOptions {
		t.Run(fmt.Sprintf("%d-%d", opt.ChunkLen, opt.BlockLen), func(t *testing.T) {
			t.Parallel()
			b := packed(t, data, opt)
			got, notes := decodeBySpec(t, b)
			if !bytes.Equal(got, data) {
				t.Fatal("the decoder by specification gives other bytes")
			}
			for _, want := range []string{"fill: 0", "fill: 1", "fill: 2", "columns: 256"} {
				if !strings.Contains(notes, want) && (want != "columns: 256" || opt.ChunkLen == 0) {
					t.Errorf("the archive has no %q", want)
				}
			}
			r := openBytes(t, b)
			if err := Verify(t.Context(), r, VerifyOptions{}); err != nil {
				t.Error(err)
			}
			readRandomly(t, r, data)
		})
	}
}

// readRandomly decodes blocks in an order of chance by several readers.
func readRandomly(t *testing.T, r *Reader, want []byte) {
	t.Helper()
	var wg sync.WaitGroup
	for seed := range uint64(4) {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 1))
			for range 200 {
				n := rng.IntN(len(r.Index().Rows))
				c, err := r.Chunk(t.Context(), n)
				if err != nil {
					t.Error(err)
					return
				}
				b := rng.IntN(c.NumBlocks())
				block := c.Block(b)
				dst := make([]byte, block.Len)
				err = r.DecodeBlock(t.Context(), n, b, dst)
				if at := r.Index().Rows[n].Off + int64(block.Off); err != nil || !bytes.Equal(dst, want[at:][:block.Len]) {
					t.Errorf("chunk %d, block %d: differs, or %v", n, b, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// What tensors have in common must not be stored twice.
func TestReferencesSave(t *testing.T) {
	columns := func(_, column int) bool { return column%2 > 0 }
	size := func(second []byte) int {
		shape := []int64{200, 300}
		return len(packed(t, makeSafetensors(t, tensor{"a", "BF16", shape, bf16s(1, 60000)}, tensor{"b", "BF16", shape, second}), PackOptions{Method: codec.Auto}))
	}
	other := bf16s(2, 60000)
	plain := size(other)
	for name, c := range map[string]struct {
		second []byte
		most   float64
	}{
		"half": {sharing(other, bf16s(1, 60000), 2, 300, columns), 0.77},
		"all":  {bf16s(1, 60000), 0.51},
	} {
		if n := size(c.second); float64(n) > c.most*float64(plain) {
			t.Errorf("%s: %d bytes, if nothing is shared %d", name, n, plain)
		}
	}
}

func TestReferencesAreDeterministic(t *testing.T) {
	data := alikeModel(t)
	opt := PackOptions{Method: codec.Auto, ChunkLen: 64 << 10, Jobs: 1}
	want := packed(t, data, opt)
	opt.Jobs = 4
	if !bytes.Equal(packed(t, data, opt), want) {
		t.Error("4 jobs make another archive than one")
	}
}

// The first tensor of a kind is offered nothing, the others its place; pieces
// only where they lie in one chunk.
func TestOffer(t *testing.T) {
	none := codec.Reference{}
	data := makeSafetensors(t, bf16Tensor("a", 1, 4096), bf16Tensor("b", 2, 1000), bf16Tensor("c", 3, 4096), bf16Tensor("d", 4, 1000), bf16Tensor("tiny", 5, 10), bf16Tensor("tiny.2", 6, 10))
	hdr, err := safetensors.Parse(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	spans := Plan(hdr, int64(len(data)), 8192)
	var got []codec.Reference
	for _, s := range spans[1:] {
		for _, p := range s.Parts {
			got = append(got, p.Ref)
		}
	}
	want := []codec.Reference{none, none, {Row: 1, Off: 0, Len: 8192}, {Row: 2, Off: 0, Len: 2000}, none, none}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for i, want := range []bool{false, true, true, false, false} {
		if i < len(spans) && spans[i].Referred != want {
			t.Errorf("chunk %d: referred is %v", i, spans[i].Referred)
		}
	}
}

// A chunk that may be referred to must not share a record that refers, for
// references have a depth of one.
func TestReferredChunkSharesNoReferringRecord(t *testing.T) {
	const n = 1 << 19
	first, other := bf16s(1, n), bf16s(2, n)
	alike := sharing(other, first, 2, 512, func(_, column int) bool { return column%2 > 0 })
	data := makeSafetensors(t,
		tensor{"a", "BF16", []int64{1024, 512}, first},
		tensor{"b", "BF16", []int64{1024, 512}, alike}, // refers to a
		tensor{"c", "BF16", []int64{512, 1024}, alike}, // equal to b, and the first of its shape
		tensor{"d", "BF16", []int64{512, 1024}, sharing(other, alike, 2, 1024, func(row, _ int) bool { return row < 400 })},
		tensor{"e", "BF16", []int64{1024, 512}, alike}, // equal to b and c
	)
	src := writeFile(t, "x.safetensors", data)
	res, dst := roundTrip(t, src, PackOptions{Method: codec.Auto})
	r := openPath(t, dst)
	refers := func(n int) bool {
		c, err := r.Chunk(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		_, ok := c.Reference(0)
		return ok
	}
	if !refers(2) || refers(3) || !refers(4) {
		t.Errorf("chunks refer: %v, %v, %v; want true, false, true", refers(2), refers(3), refers(4))
	}
	if rows := r.Index().Rows; res.Records != 5 || rows[5].Pos != rows[3].Pos {
		t.Errorf("%d records of %d chunks", res.Records, res.Chunks)
	}
}

// referring gives an archive whose chunks 1 to 4 are tensors: chunks 2 and 3
// refer to chunk 1, chunk 4 to itself; and its rows.
func referring(t *testing.T) (archive, original []byte) {
	const n = 1 << 19
	shape := []int64{1024, 512}
	first := bf16s(1, n)
	columns := func(_, column int) bool { return column%2 > 0 }
	small := bf16s(4, 5000)
	original = makeSafetensors(t,
		tensor{"a", "BF16", shape, first},
		tensor{"b", "BF16", shape, sharing(bf16s(2, n), first, 2, 512, columns)},
		tensor{"c", "BF16", shape, sharing(bf16s(3, n), first, 2, 512, columns)},
		tensor{"small.1", "BF16", []int64{50, 100}, small},
		tensor{"small.2", "BF16", []int64{50, 100}, small},
	)
	return packed(t, original, PackOptions{Method: codec.Auto}), original
}

// withHeader replaces, in the header of chunk n, bytes by others of the same
// length, and sets the sums right.
func withHeader(t *testing.T, b []byte, n int, old, new []byte) []byte {
	t.Helper()
	row := openBytes(t, b).Index().Rows[n]
	header := b[row.Pos:row.PayloadPos()]
	if bytes.Count(header, old) != 1 || len(old) != len(new) {
		t.Fatalf("chunk %d: %d places for %x in the header", n, bytes.Count(header, old), old)
	}
	bad := bytes.Clone(b)
	copy(bad[row.Pos:], bytes.Replace(header, old, new, 1))
	return reseal(bad)
}

func TestCorruptReferences(t *testing.T) {
	b, original := referring(t)
	r := openBytes(t, b)
	if err := Verify(t.Context(), r, VerifyOptions{}); err != nil {
		t.Fatal(err)
	}
	readRandomly(t, r, original)
	// Split, width, fill, row, offset.
	to := func(row, off byte) []byte { return []byte{3, 2, 1, row, off} }
	first := []byte{3, 2, 1, 4, 0, 0x88, 0x27} // of 5000 elements, as one index
	for name, c := range map[string]struct {
		chunk    int
		old, new []byte
		message  string
	}{
		"later chunk":          {2, to(1, 0), to(3, 0), "later chunk"},
		"no such chunk":        {2, to(1, 0), to(99, 0), "later chunk"},
		"itself":               {2, to(1, 0), to(2, 0), "where it may have"},
		"past the end":         {2, to(1, 0), to(1, 2), "bytes"},
		"a referring block":    {3, to(1, 0), to(2, 0), "needs a reference itself"},
		"other chunk":          {3, to(1, 0), to(0, 0), "bytes"},
		"same chunk, too late": {4, first, []byte{3, 2, 1, 4, 1, 0x88, 0x27}, "may have 10000"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := openBytes(t, withHeader(t, b, c.chunk, c.old, c.new))
			h, err := bad.Chunk(t.Context(), c.chunk)
			if err != nil {
				t.Fatal(err)
			}
			last := h.NumBlocks() - 1
			got := corruptErrors(bad.DecodeBlock(t.Context(), c.chunk, last, make([]byte, h.Block(last).Len)))
			if len(corruptErrors(Verify(t.Context(), bad, VerifyOptions{}))) != 1 {
				t.Error("Verify finds nothing, or more")
			}
			if len(got) != 1 || got[0].Chunk != c.chunk || !strings.Contains(got[0].Error(), c.message) {
				t.Fatalf("got %v", got)
			}
		})
	}
}

// What is wrong with the bytes referred to is wrong with all that refer to
// them, and with nothing else.
func TestDamagedReference(t *testing.T) {
	b, original := referring(t)
	rows := openBytes(t, b).Index().Rows
	bad := bytes.Clone(b)
	bad[rows[1].PayloadPos()+100] ^= 1 // in the first block
	r := openBytes(t, bad)
	got := corruptErrors(Verify(t.Context(), r, VerifyOptions{}))
	if len(got) != 3 {
		t.Fatalf("got %v", got)
	}
	for i, e := range got {
		if e.Chunk != i+1 {
			t.Errorf("place %d has chunk %d", i, e.Chunk)
		}
		if named := fmt.Sprintf("chunk 1 at offset %d", rows[1].PayloadPos()); !strings.Contains(e.Error(), named) {
			t.Errorf("%v does not name %s", e, named)
		}
	}
	c, err := r.Chunk(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	last := c.NumBlocks() - 1
	block := c.Block(last)
	dst := make([]byte, block.Len)
	if err := r.DecodeBlock(t.Context(), 2, last, dst); err != nil || !bytes.Equal(dst, original[rows[2].Off+int64(block.Off):][:block.Len]) {
		t.Errorf("a block that refers to sound ones: %v", err)
	}
}

// A reference's header or payload that cannot be read is the source's error, and
// so is a context that has ended.
func TestReferenceSourceErrors(t *testing.T) {
	b, _ := referring(t)
	src := &memSource{data: b}
	r, err := Open(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.Chunk(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := r.ReadPayload(t.Context(), 2, 0, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, c.Block(0).Len)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.DecodeFrom(ctx, c, 2, 0, payload, 0, dst); !errors.Is(err, context.Canceled) || errors.Is(err, ErrCorrupt) {
		t.Errorf("cancelled: %v", err)
	}
	gone := errors.New("gone")
	src.fail = func(int64, int) error { return gone }
	for range 2 { // the header, then a payload
		if err := r.DecodeFrom(t.Context(), c, 2, 0, payload, 0, dst); !errors.Is(err, gone) || errors.Is(err, ErrCorrupt) {
			t.Errorf("the source fails: %v", err)
		}
		src.fail = nil
		if _, err := r.Chunk(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		src.fail = func(int64, int) error { return gone }
	}
}

// TestSharedRecordRefers: two rows with one record that refers to a third, or
// to itself.
func TestSharedRecordRefers(t *testing.T) {
	const n = 1 << 19
	first := bf16s(1, n)
	alike := sharing(bf16s(2, n), first, 2, 512, func(_, column int) bool { return column%2 > 0 })
	shape := []int64{1024, 512}
	data := makeSafetensors(t, tensor{"a", "BF16", shape, first}, tensor{"b", "BF16", shape, alike}, tensor{"c", "BF16", shape, alike}, tensor{"d", "BF16", shape, first})
	res, dst := roundTrip(t, writeFile(t, "x.safetensors", data), PackOptions{Method: codec.Auto})
	r := openPath(t, dst)
	if res.Records != 3 || r.Index().Rows[2].Pos != r.Index().Rows[3].Pos {
		t.Errorf("%d records", res.Records)
	}
	readRandomly(t, r, data)
	small := bf16s(4, 5000)
	both := slices.Concat(small, small)
	data = makeSafetensors(t, tensor{"a", "BF16", []int64{50, 100}, small}, tensor{"b", "BF16", []int64{50, 100}, small}, tensor{"x", "I16", []int64{2}, noise(1, 4)}, tensor{"c", "BF16", []int64{10000}, both})
	_, dst = roundTrip(t, writeFile(t, "x.safetensors", data), PackOptions{Method: codec.Auto, ChunkLen: 20480})
	r = openPath(t, dst)
	if rows := r.Index().Rows; rows[1].Pos != rows[3].Pos || index.DTypeName(rows[3].DType) != "BF16" {
		t.Errorf("rows %v", rows)
	}
}
