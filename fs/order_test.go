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

// Chunks are best read whole: what is asked for by name ends with one, or with a tensor.
func TestAsksByNameEndWithChunks(t *testing.T) {
	tensors := layers(30, 9*mib+700<<10)
	s := newStreams(tensors[len(tensors)-1].End, 64*mib, 1024*mib)
	s.setOrder(newOrder(tensors))
	chunkEnd := func(off int64) int64 { return off/(4*mib)*(4*mib) + 4*mib }
	ends := map[int64]bool{}
	for _, tensor := range tensors {
		ends[tensor.End] = true
	}
	asks := 0
	for i, tensor := range byName(tensors) {
		for off := tensor.Begin; off < tensor.End; off += mib {
			for _, a := range s.read(off, min(off+mib, tensor.End), chunkEnd) {
				if i < 3 { // until it is known to go by name, and its window is large
					continue
				}
				asks++
				if !ends[a.end] && a.end != chunkEnd(a.end-1) {
					t.Errorf("in %s: asks for [%d, %d)", tensor.Name, a.off, a.end)
				}
			}
		}
	}
	if asks < 20 {
		t.Errorf("%d asks", asks)
	}
}

// A reader from start to end does not care about names, once it has passed the end of
// the first tensors that another would have gone elsewhere from.
func TestSequentialReadersIgnoreNames(t *testing.T) {
	tensors := layers(30, 3*mib)
	size, leap := tensors[len(tensors)-1].End, tensors[1].End
	plain, ordered := newStreams(size, 64*mib, 1024*mib), newStreams(size, 64*mib, 1024*mib)
	ordered.setOrder(newOrder(tensors))
	var ends [2]int64
	for off := int64(0); off < size; off += mib {
		for i, s := range []*streams{plain, ordered} {
			if a, ok := readOne(s, off, min(off+mib, size)); ok {
				if ends[i] != 0 && a.off != ends[i] {
					t.Fatalf("asks for [%d, %d), before up to %d", a.off, a.end, ends[i])
				}
				ends[i] = a.end
			}
		}
		doubt := leap + 2*maxMargin
		if off+mib <= leap+maxMargin && ends[1] > doubt {
			t.Fatalf("at %d: asked up to %d, beyond %d", off, ends[1], doubt)
		}
		if off+mib <= leap+maxMargin && ends[1] < min(ends[0], doubt) || off > leap+maxMargin && ends[1] < ends[0]-16*mib {
			t.Fatalf("at %d: asked up to %d, without names up to %d", off, ends[1], ends[0])
		}
	}
	if c := ordered.cursors[0]; ends[1] != size || c.hops {
		t.Errorf("asked up to %d of %d; hops %v", ends[1], size, c.hops)
	}
}

// The kernel reads around the faults of a reader, and on behind what it wants. Who
// begins with the first tensor by name goes on by name, and what the kernel adds is
// foreseen.
func TestWhatTheKernelReadsAroundIsForeseen(t *testing.T) {
	const around, on = 1*mib + 512<<10, 2 * mib
	tensors := layers(30, 9*mib)[2:] // the first by name is layers.10
	s := newStreams(tensors[len(tensors)-1].End, 64*mib, 1024*mib)
	s.setOrder(newOrder(tensors))
	var all asked
	order := byName(tensors)
	hops := 0 // the first shows what the kernel adds
	for i, tensor := range order {
		begin, end := tensor.Begin&^4095, tensor.End
		hopped := i == 0 || order[i-1].End != tensor.Begin
		if hopped {
			if i > 0 && !all.has(tensor.Begin) {
				t.Errorf("%s: not foreseen", tensor.Name)
			}
			if hops++; hops > 2 && !all.has(begin-around) {
				t.Errorf("%s: what lies before it is not foreseen", tensor.Name)
			}
			begin -= around
		}
		if i+1 < len(order) && order[i+1].Begin != tensor.End {
			end += on
		}
		for off := max(begin, 0); off < min(end, s.size); off += mib {
			all = append(all, s.read(off, min(off+mib, end, s.size), byByte)...)
		}
		if hops > 2 && !all.has(min(end, s.size)-1) {
			t.Errorf("%s: what lies behind it is not foreseen", tensor.Name)
		}
	}
	if n := len(s.share.streams); n != 1 {
		t.Errorf("taken for %d streams", n)
	}
	for i := range s.cursors[1:] {
		if s.cursors[i+1].feed != nil {
			t.Fatal("taken for several readers")
		}
	}
}

func TestOrder(t *testing.T) {
	if newOrder(layers(10, mib)) != nil { // 0 to 9 are sorted
		t.Error("an order for tensors that lie in the order of their names")
	}
	o := newOrder(layers(12, 100)) // 0 1 10 11 2 ...
	parts := o.parts(150, 450, margin{})
	want := []extent{{begin: 1150, end: 1200}, {begin: 2000, end: 2100}, {begin: 2100, end: 2200}, {begin: 1200, end: 1250}}
	if !slices.Equal(parts, want) {
		t.Errorf("parts %+v, want %+v", parts, want)
	}
	if parts := o.parts(1150, 5000, margin{}); len(parts) != 1 || parts[0].end != 2000 {
		t.Errorf("at the end: %+v", parts)
	}
	parts = o.parts(150, 450, margin{before: 10, behind: 20})
	want = []extent{{begin: 1150, end: 1220}, {begin: 1990, end: 2100}, {begin: 2100, end: 2200}, {begin: 1190, end: 1250}}
	if !slices.Equal(parts, want) {
		t.Errorf("with margins: parts %+v, want %+v", parts, want)
	}
}

// Around small tensors the kernel reads more than they are long, which is not asked for
// without bound.
func TestSmallTensorsByNameAreNotReadFarAhead(t *testing.T) {
	const size, window, around = 64 << 10, 16 * mib, 1 * mib
	var tensors []safetensors.Tensor
	for i := range int64(4096) { // neighbours by name lie far apart
		name := fmt.Sprintf("%02d.%02d", i%64, i/64)
		tensors = append(tensors, safetensors.Tensor{Name: name, Begin: i * size, End: i*size + size})
	}
	s := newStreams(tensors[len(tensors)-1].End, window, 1024*mib)
	s.setOrder(newOrder(tensors))
	var asked, hops int64
	for i, tensor := range byName(tensors)[:1000] {
		begin, end := max(0, tensor.Begin-around), min(tensor.End+around, s.size)
		var foreseen int64
		for _, a := range s.read(begin, end, byByte) {
			foreseen += a.end - a.off
		}
		if i > 16 && foreseen > 2*window+3*maxMargin {
			t.Fatalf("tensor %d: asks for %d bytes", i, foreseen)
		}
		if asked += foreseen; foreseen > 0 {
			hops++
		}
	}
	if most := 1000 * int64(size+4*around); hops < 500 || asked > most {
		t.Errorf("asked %d times, for %d bytes, want %d at most", hops, asked, most)
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
