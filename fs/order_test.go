package fs

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/safetensors"
)

// layers gives n tensors of size bytes each, in the order of their numbers.
func layers(n int, size int64) []safetensors.Tensor {
	tensors := make([]safetensors.Tensor, n)
	for i := range tensors {
		begin := 1000 + int64(i)*size
		tensors[i] = safetensors.Tensor{Name: fmt.Sprintf("layers.%d.weight", i), Begin: begin, End: begin + size}
	}
	return tensors
}

// byName gives the tensors as a loader reads them.
func byName(tensors []safetensors.Tensor) []safetensors.Tensor {
	tensors = slices.Clone(tensors)
	slices.SortFunc(tensors, func(a, b safetensors.Tensor) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return tensors
}

// asked are the spans that were asked for.
type asked []span

func (a asked) has(off int64) bool {
	return slices.ContainsFunc(a, func(s span) bool { return s.off <= off && off < s.end })
}

func TestReadersByNameAreReadAhead(t *testing.T) {
	const size = 16*mib + 12
	for _, overrun := range []int64{0, 4 * mib} { // of the kernel
		tensors := layers(30, size)
		s := newStreams(tensors[len(tensors)-1].End, 64*mib, 1024*mib)
		s.setOrder(newOrder(tensors))
		var all asked
		foreseen, hops := 0, 0
		for i, tensor := range byName(tensors) {
			if i > 0 && tensor.Begin != byName(tensors)[i-1].End {
				hops++
				if all.has(tensor.Begin) && all.has(tensor.Begin+4*mib) {
					foreseen++
				}
			}
			for off := tensor.Begin &^ 4095; off < tensor.End+overrun && off < s.size; off += mib {
				all = append(all, s.read(off, min(off+mib, s.size), byByte)...)
			}
		}
		// Of the first hop nobody can know that the reader hops.
		if foreseen < hops-2 {
			t.Errorf("overrun %d: %d of %d hops foreseen", overrun, foreseen, hops)
		}
		var bytes int64
		for _, a := range all {
			bytes += a.end - a.off
		}
		if bytes > 2*s.size {
			t.Errorf("overrun %d: asked for %d bytes of a file of %d", overrun, bytes, s.size)
		}
	}
}

// A reader from start to end does not care about names.
func TestSequentialReadersIgnoreNames(t *testing.T) {
	tensors := layers(30, 3*mib)
	size := tensors[len(tensors)-1].End
	plain, ordered := newStreams(size, 64*mib, 1024*mib), newStreams(size, 64*mib, 1024*mib)
	ordered.setOrder(newOrder(tensors))
	for off := int64(0); off < size; off += mib {
		a, _ := readOne(plain, off, min(off+mib, size))
		b, _ := readOne(ordered, off, min(off+mib, size))
		if a.off != b.off || a.end != b.end {
			t.Fatalf("at %d: asks for [%d, %d), without names for [%d, %d)", off, b.off, b.end, a.off, a.end)
		}
	}
}

func TestOrder(t *testing.T) {
	if newOrder(layers(10, mib)) != nil { // 0 to 9 are sorted
		t.Error("an order for tensors that lie in the order of their names")
	}
	o := newOrder(layers(12, 100)) // 0 1 10 11 2 ...
	parts := o.parts(150, 450)
	want := []extent{{begin: 1150, end: 1200}, {begin: 2000, end: 2100}, {begin: 2100, end: 2200}, {begin: 1200, end: 1250}}
	if !slices.Equal(parts, want) {
		t.Errorf("parts %+v, want %+v", parts, want)
	}
	if parts := o.parts(1150, 5000); len(parts) != 1 || parts[0].end != 2000 {
		t.Errorf("at the end: %+v", parts)
	}
}

// The order comes from the header, unless that is too long, or none.
func TestOrderIsLearned(t *testing.T) {
	fs := newFilesystem(Options{CacheSize: MinCacheSize, Readahead: -1, Jobs: 1, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(fs.close)
	for name, tt := range map[string]struct {
		data  []byte
		order bool
	}{
		"twelve layers":     {twelveLayers(t, 0), true},
		"a long header":     {twelveLayers(t, maxOrderHeader), false},
		"no header":         {[]byte("123456"), false},
		"another kind":      {weights(1<<20, 1), false},
		"a header too long": {binary.LittleEndian.AppendUint64(nil, 100), false},
	} {
		n := nodeOf(t, fs, tt.data, archive.PackOptions{})
		if err := n.learnOrder(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := n.streams.order != nil; got != tt.order {
			t.Errorf("%s: order learned: %v", name, got)
		}
	}
}

// nodeOf packs data and gives the archive's node, without a mount.
func nodeOf(t *testing.T, fs *filesystem, data []byte, opt archive.PackOptions) *archiveNode {
	t.Helper()
	r := &rig{t: t, folder: t.TempDir()}
	r.source = r.folder
	r.add("model.scape", data, opt)
	path := filepath.Join(r.source, "model.scape")
	st, err := lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	n, err := fs.newArchiveNode(t.Context(), path, st)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// twelveLayers gives a safetensors file whose header has so much padding.
func twelveLayers(t *testing.T, padding int) []byte {
	header := make(map[string]any)
	for i := range 12 {
		header[fmt.Sprintf("layers.%d.weight", i)] = map[string]any{
			"dtype": "BF16", "shape": []int{8}, "data_offsets": []int{16 * i, 16 * (i + 1)},
		}
	}
	b, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, bytes.Repeat([]byte(" "), padding+(8-len(b)%8)%8)...)
	return slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(b))), b, weights(12*16, 1))
}
