package archive

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/index"
)

// TestOpenReadsTheTailOnce proves which bytes Open reads.
func TestOpenReadsTheTailOnce(t *testing.T) {
	small := packed(t, noise(1, 300_000), PackOptions{})
	many := packed(t, noise(1, 2000*4096), PackOptions{ChunkLen: 4096})
	size := int64(len(many))
	tr, err := index.ParseTrailer(many[size-index.TrailerLen:], size)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		data []byte
		want [][2]int64
	}{
		{"small", small, [][2]int64{{int64(len(small)) - tailLen, tailLen}}},
		// File header, metadata, a name of 17 bytes, padding, trailer.
		{"empty", packed(t, nil, PackOptions{}), [][2]int64{{0, 16 + 66 + 17 + 5 + 64}}},
		{"large index", many, [][2]int64{{size - tailLen, tailLen}, {tr.IndexPos, size - tailLen - tr.IndexPos}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := &memSource{data: c.data}
			r, err := Open(t.Context(), src)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(src.reads, c.want) {
				t.Errorf("reads %v, want %v", src.reads, c.want)
			}
			if err := r.Close(); err != nil || !src.closed {
				t.Errorf("closed %v, %v", src.closed, err)
			}
		})
	}
}

// TestReadsOfABlock proves that a block costs one read, and its chunk header
// one more the first time.
func TestReadsOfABlock(t *testing.T) {
	data := noise(1, 300_000)
	src := &memSource{data: packed(t, data, PackOptions{Method: codec.Raw, BlockLen: 64 << 10})}
	r, err := Open(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	row := r.Index().Rows[0]
	src.reads = nil
	c, err := r.Chunk(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var want [][2]int64
	want = append(want, [2]int64{row.Pos, int64(row.HeaderLen)})
	for _, b := range []int{2, 0} {
		block := c.Block(b)
		dst := make([]byte, block.Len)
		if err := r.DecodeBlock(t.Context(), 0, b, dst); err != nil || !bytes.Equal(dst, data[block.Off:][:block.Len]) {
			t.Fatalf("block %d: %v", b, err)
		}
		want = append(want, [2]int64{row.PayloadPos() + int64(block.StoredOff), int64(block.StoredLen)})
	}
	if !slices.Equal(src.reads, want) {
		t.Errorf("reads %v, want %v", src.reads, want)
	}
}

// A header that somebody else has read is checked, kept, and not held on to.
func TestParseChunk(t *testing.T) {
	data := packed(t, bf16s(1, 200_000), PackOptions{Method: codec.Raw})
	src := &memSource{data: data}
	r, err := Open(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	row := r.Index().Rows[0]
	header := bytes.Clone(data[row.Pos:][:row.HeaderLen])
	if _, err := r.ParseChunk(1, header); err == nil {
		t.Error("there is a second chunk")
	}
	if _, err := r.ParseChunk(0, header[1:]); err == nil || errors.Is(err, ErrCorrupt) {
		t.Errorf("a part of a header: %v", err)
	}
	header[0] ^= 1
	if _, err := r.ParseChunk(0, header); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a damaged header: %v", err)
	}
	header[0] ^= 1
	c, err := r.ParseChunk(0, header)
	if err != nil {
		t.Fatal(err)
	}
	clear(header)
	src.reads = nil
	if again, err := r.Chunk(t.Context(), 0); again != c || err != nil || len(src.reads) > 0 {
		t.Errorf("it is read again: %v, %v", src.reads, err)
	}
	if again, err := r.ParseChunk(0, nil); again != c || err != nil {
		t.Errorf("it is parsed again: %v", err)
	}
	if err := r.DecodeBlock(t.Context(), 0, 0, make([]byte, c.Block(0).Len)); err != nil {
		t.Error(err)
	}
}

func TestReadPayload(t *testing.T) {
	data := bf16s(1, 200_000)
	r := openBytes(t, packed(t, data, PackOptions{Method: codec.Raw, BlockLen: 64 << 10}))
	c, err := r.Chunk(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	last := c.NumBlocks()
	buf := make([]byte, 0, 1<<20)
	for from := range last {
		for to := from + 1; to <= last; to++ {
			p, err := r.ReadPayload(t.Context(), 0, from, to, buf)
			if err != nil {
				t.Fatal(err)
			}
			if cap(p) < len(p)+codec.Padding || &p[0] != &buf[:1][0] {
				t.Errorf("blocks [%d, %d): capacity %d of %d, or buf not used", from, to, cap(p), len(p))
			}
			for b := from; b < to; b++ {
				block := c.Block(b)
				dst := make([]byte, block.Len)
				if err := r.DecodeFrom(t.Context(), c, 0, b, p, from, dst); err != nil || !bytes.Equal(dst, data[block.Off:][:block.Len]) {
					t.Fatalf("block %d of [%d, %d): %v", b, from, to, err)
				}
			}
		}
	}
	p, err := r.ReadPayload(t.Context(), 0, 0, last, nil)
	if err != nil || cap(p) < len(p)+codec.Padding {
		t.Errorf("without buf: capacity %d of %d, %v", cap(p), len(p), err)
	}
	tight := make([]byte, 0, len(p))
	if p, err = r.ReadPayload(t.Context(), 0, 0, last, tight); err != nil || cap(p) < len(p)+codec.Padding {
		t.Errorf("with a tight buf: capacity %d of %d, %v", cap(p), len(p), err)
	}
}

// TestWrongUse: what the caller gets wrong is an error, and no corruption.
func TestWrongUse(t *testing.T) {
	r := openBytes(t, packed(t, noise(1, 300_000), PackOptions{BlockLen: 64 << 10}))
	ctx := t.Context()
	c, err := r.Chunk(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.ReadPayload(ctx, 0, 1, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := c.NumBlocks()
	dst := make([]byte, c.Block(1).Len)
	payload := func(n, from, to int) error { _, err := r.ReadPayload(ctx, n, from, to, nil); return err }
	chunk := func(n int) error { _, err := r.Chunk(ctx, n); return err }
	for name, err := range map[string]error{
		"chunk -1":             chunk(-1),
		"chunk 1":              chunk(1),
		"no blocks":            payload(0, 1, 1),
		"blocks from -1":       payload(0, -1, 1),
		"blocks past the end":  payload(0, 0, n+1),
		"payload of chunk 1":   payload(1, 0, 1),
		"block before payload": r.DecodeFrom(t.Context(), c, 0, 0, p, 1, dst),
		"block after payload":  r.DecodeFrom(t.Context(), c, 0, 3, p, 1, dst),
		"block past the end":   r.DecodeFrom(t.Context(), c, 0, n, p, 1, dst),
		"from -1":              r.DecodeFrom(t.Context(), c, 0, 1, p, -1, dst),
		"decode of chunk 1":    r.DecodeFrom(t.Context(), c, 1, 1, p, 1, dst),
		"dst short":            r.DecodeFrom(t.Context(), c, 0, 1, p, 1, dst[1:]),
		"payload short":        r.DecodeFrom(t.Context(), c, 0, 2, p[:len(p)-1], 1, dst),
		"no such block":        r.DecodeBlock(ctx, 0, n, dst),
	} {
		if err == nil || errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConcurrentReaders(t *testing.T) {
	data := smallModel(t)
	r := openBytes(t, packed(t, data, PackOptions{Method: codec.Auto, ChunkLen: 8 << 10, BlockLen: 4 << 10}))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got, err := decodeAll(t.Context(), r); err != nil || !bytes.Equal(got, data) {
				t.Errorf("differs, or %v", err)
			}
		})
	}
	wg.Wait()
}

// TestHeaderCacheIsBounded: no more is kept than the limit, and the last used
// stay.
func TestHeaderCacheIsBounded(t *testing.T) {
	r := openBytes(t, packed(t, noise(1, 64<<10), PackOptions{Method: codec.Raw, ChunkLen: 4096}))
	one, err := r.Chunk(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	r.headers = newHeaderCache(3*one.MemSize(), 0)
	for n := range r.Index().Rows {
		if _, err := r.Chunk(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Chunk(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if r.headers.size > r.headers.limit || r.headers.size != r.headers.lru.Len()*one.MemSize() {
			t.Fatalf("%d headers of %d bytes kept, limit %d", r.headers.lru.Len(), r.headers.size, r.headers.limit)
		}
	}
	for n, row := range r.Index().Rows {
		want := n == 0 || n >= 14
		if got := r.headers.get(row.Pos) != nil; got != want {
			t.Errorf("header %d kept: %v, want %v", n, got, want)
		}
	}
	r.headers = newHeaderCache(one.MemSize()-1, one.MemSize()-1)
	if _, err := r.Chunk(t.Context(), 0); err != nil || r.headers.lru.Len() != 0 || r.headers.size != 0 {
		t.Errorf("a header over the limit: %d kept, %v", r.headers.lru.Len(), err)
	}
}

// TestSourceErrors fails every read in turn; the source's error comes through
// and is no corruption.
func TestSourceErrors(t *testing.T) {
	b := packed(t, smallModel(t), PackOptions{Method: codec.Auto, ChunkLen: 8 << 10})
	all := &memSource{data: b}
	r, err := Open(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(t.Context(), r, VerifyOptions{Jobs: 1}); err != nil {
		t.Fatal(err)
	}
	for k := range all.reads {
		count := 0
		src := &memSource{data: b, fail: func(int64, int) error {
			if count++; count > k {
				return syscall.EIO
			}
			return nil
		}}
		r, err := Open(t.Context(), src)
		if err == nil {
			err = Verify(t.Context(), r, VerifyOptions{Jobs: 2})
		} else if !src.closed {
			t.Error("Open failed and left the source open")
		}
		if !errors.Is(err, syscall.EIO) || errors.Is(err, ErrCorrupt) {
			t.Errorf("read %d fails: %v", k, err)
		}
	}
}

func TestCanceledContext(t *testing.T) {
	r := openBytes(t, packed(t, noise(1, 1000), PackOptions{}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Chunk(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := Open(ctx, &memSource{data: make([]byte, 100)}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestArchiveChangesInPlace: what is wrong because somebody wrote to the file
// is ErrChanged, and no corruption.
func TestArchiveChangesInPlace(t *testing.T) {
	b := packed(t, noise(1, 300_000), PackOptions{Method: codec.Raw})
	for name, change := range map[string]func(path string) error{
		"cut": func(path string) error { return os.Truncate(path, 50) },
		"rewritten": func(path string) error {
			c := bytes.Clone(b)
			for i := range c {
				c[i] ^= 0x55
			}
			return errors.Join(os.WriteFile(path, c, 0o600), os.Chtimes(path, time.Time{}, time.Unix(1, 0)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeFile(t, "x.scape", b)
			r := openPath(t, path)
			if err := change(path); err != nil {
				t.Fatal(err)
			}
			err := Verify(t.Context(), r, VerifyOptions{})
			if !errors.Is(err, ErrChanged) || errors.Is(err, ErrCorrupt) {
				t.Errorf("Verify: %v", err)
			}
			if _, err := r.Chunk(t.Context(), 0); !errors.Is(err, ErrChanged) {
				t.Errorf("Chunk: %v", err)
			}
		})
	}
	t.Run("replaced", func(t *testing.T) {
		path := writeFile(t, "x.scape", b)
		r := openPath(t, path)
		if err := errors.Join(os.WriteFile(path+".new", nil, 0o600), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
		if err := Verify(t.Context(), r, VerifyOptions{}); err != nil {
			t.Errorf("the open file is what it was, but %v", err)
		}
	})
}

func TestOpenFile(t *testing.T) {
	if _, err := OpenFile(t.TempDir()); err == nil {
		t.Error("opened a folder")
	}
	if _, err := OpenFile("/no/such/file"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	path := writeFile(t, "x", []byte("0123456789"))
	s, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Size() != 10 || s.Name() != path {
		t.Errorf("%d, %s", s.Size(), s.Name())
	}
	p := make([]byte, 4)
	for _, c := range []struct {
		off int64
		ok  bool
	}{{0, true}, {6, true}, {7, false}, {10, false}, {-1, false}} {
		n, err := s.ReadAt(t.Context(), p, c.off)
		if (err == nil) != c.ok || c.ok && string(p[:n]) != "0123456789"[c.off:c.off+4] {
			t.Errorf("at %d: %q, %v", c.off, p[:n], err)
		}
	}
}
