package fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/internal/pagecache"
)

// A stream leaves the coded bytes of an archive that is on disk out of the page
// cache, and takes those that are in there from there.
func TestArchivesAreReadPastThePageCache(t *testing.T) {
	forPageCaches(t, testArchivesAreReadPastThePageCache)
}

func testArchivesAreReadPastThePageCache(t *testing.T, pages PageCache) {
	const size = 64 << 20
	r := newRig(t)
	original := r.add("model.scape", weights(size, 1), raw)
	stored := filepath.Join(r.source, "model.scape")
	f, err := os.Open(stored)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Evict(f); err != nil {
		t.Fatal(err)
	}
	kept, err := pagecache.Resident(stored)
	if err != nil {
		t.Fatal(err)
	}
	if kept > 0 && os.Getenv("SCAPEFS_REQUIRE") == "" {
		t.Skipf("SKIPPED: the file system of %s keeps all in memory (%d bytes)", stored, kept)
	}
	compare := func() int64 {
		r.mount(Options{PageCache: pages})
		if out := shell(t, "cmp "+original+" "+filepath.Join(r.point, "model.safetensors")); out != "" {
			t.Fatal(out)
		}
		if err := r.server.Unmount(); err != nil {
			t.Fatal(err)
		}
		return int64(r.server.Stats().DirectBytes)
	}
	oneOfThree(t, func() string {
		if err := Evict(f); err != nil {
			t.Fatal(err)
		}
		direct := compare()
		kept, err := pagecache.Resident(stored)
		if err == nil && kept <= size/4 && direct >= size/2 {
			return ""
		}
		return fmt.Sprintf("%d bytes read past the page cache, %d are in there: %v", direct, kept, err)
	})
	oneOfThree(t, func() string {
		shell(t, "cat "+stored+" >/dev/null")
		if direct := compare(); direct > size/16 { // some pages may have had to go
			return fmt.Sprintf("%d bytes read past the page cache, which has all", direct)
		}
		return ""
	})
}

// oneOfThree fails t if try complains three times. Beside other work a reader may
// overtake what is read ahead of it, and then it reads through the page cache.
func oneOfThree(t *testing.T, try func() string) {
	t.Helper()
	var complaint string
	for range 3 {
		if complaint = try(); complaint == "" {
			return
		}
		t.Log(complaint)
	}
	t.Error(complaint)
}

// A disk that cannot be read past the page cache is read through it.
func TestDiskWithoutDirectReads(t *testing.T) {
	const size = 24 << 20
	for _, way := range []string{"", "direct", "reads"} {
		t.Run(way, func(t *testing.T) {
			r := newRig(t)
			folder, disk := r.hangingDisk()
			original := r.add("model.scape", weights(size, 1), raw)
			copyFile(t, filepath.Join(folder, "model.scape"), filepath.Join(r.source, "model.scape"))
			disk.say(way)
			r.mount(Options{})
			child(t, "compare", filepath.Join(r.point, "disk", "model.safetensors"), original)
			s := r.server.Stats()
			if direct := s.DirectBytes > 0; direct != (way == "") {
				t.Errorf("%d bytes read past the page cache", s.DirectBytes)
			}
			if log := r.log.String(); strings.Contains(log, "level=ERROR") {
				t.Error(log)
			}
		})
	}
}

// fetching is a fetch of the first chunk, under way until it is done.
func (r *reading) fetching() *fetch {
	r.t.Helper()
	c, err := r.r.Chunk(r.t.Context(), 0)
	if err != nil {
		r.t.Fatal(err)
	}
	payload, err := r.r.ReadPayload(r.t.Context(), 0, 0, c.NumBlocks(), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	f := &fetch{
		span:  span{0, r.r.Index().Rows[0].End(), new(feed)},
		done:  make(chan struct{}),
		coded: coded{chunk: 0, header: c, payload: payload, to: c.NumBlocks()},
	}
	if !r.n.fetches.begin(f) {
		r.t.Fatal("it is being fetched")
	}
	return f
}

// Who wants a block that is being fetched waits for that, and decodes it from there.
func TestReadersWaitForFetches(t *testing.T) {
	const size = 4 * mib // a chunk
	for name, c := range map[string]struct {
		spoil func(*fetch)
		want  error
	}{
		"fetched": {spoil: func(*fetch) {}},
		"damaged": {spoil: func(f *fetch) { clear(f.payload) }, want: archive.ErrCorrupt},
		"failed":  {spoil: func(f *fetch) { clear(f.payload); f.err = errors.New("a disk fails") }},
		"other blocks": {spoil: func(f *fetch) {
			f.from = 1
			clear(f.payload)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReading(t, weights(size, 1))
			f := r.fetching()
			left, leave := context.WithCancel(t.Context())
			leave()
			if _, err := r.n.readAt(left, r.r, nil, span{off: 0, end: 4096}, false); !errors.Is(err, context.Canceled) {
				t.Errorf("a reader who has left: %v", err)
			}
			errs := make(chan error)
			go func() {
				res, err := r.n.readAt(t.Context(), r.r, nil, span{off: 0, end: 4096}, false)
				if err == nil {
					if got, _ := res.Bytes(nil); !bytes.Equal(got, r.data[:4096]) {
						err = errors.New("wrong bytes")
					}
					res.Done()
				}
				errs <- err
			}()
			select {
			case err := <-errs:
				t.Fatalf("a reader did not wait: %v", err)
			case <-time.After(10 * time.Millisecond):
			}
			c.spoil(f)
			close(f.done)
			if err := <-errs; !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			r.n.fetches.end(f) // waits for its users
			if r.n.fetches.join(0) != nil {
				t.Error("a fetch that has ended is joined")
			}
		})
	}
}

func TestFetchesAreFound(t *testing.T) {
	var s fetches
	f := &fetch{span: span{off: 10, end: 20}, heads: true, done: make(chan struct{}), coded: coded{chunk: 3}}
	if !s.begin(f) {
		t.Fatal("the first fetch is under way already")
	}
	next := &fetch{span: span{off: 20, end: 30}, done: make(chan struct{})}
	if !s.begin(next) {
		t.Fatal("what follows it is under way already")
	}
	for _, c := range []struct{ off, end, from, to int64 }{
		{10, 20, 20, 20}, {12, 18, 18, 18}, {12, 28, 28, 28}, {25, 31, 30, 31}, {12, 31, 30, 31}, {9, 20, 9, 10},
		{9, 25, 9, 10}, {9, 31, 9, 31}, {30, 31, 30, 31}, {9, 10, 9, 10},
	} {
		g := &fetch{span: span{off: c.off, end: c.end}}
		begins := s.begin(g)
		if begins != (c.from < c.to) || g.span.off != c.from || g.span.end != c.to {
			t.Errorf("[%d, %d) begins: %v, as [%d, %d)", c.off, c.end, begins, g.span.off, g.span.end)
		}
		if begins {
			s.end(g)
		}
	}
	s.end(next)
	for off, found := range map[int64]bool{9: false, 10: true, 19: true, 20: false} {
		g := s.join(off)
		if (g == f) != found {
			t.Errorf("offset %d: %v", off, g)
		}
		if g != nil {
			g.users.Done()
		}
	}
	if s.header(3) == nil || s.header(2) != nil {
		t.Error("the fetch of a header is not told from others")
	}
}

// Chunks are fetched with and without their headers at hand, and without a queue for
// direct reads as well.
func TestFetchAhead(t *testing.T) {
	const size = 8 * mib // two chunks
	for _, queue := range []bool{true, false} {
		fs := newFilesystem(Options{CacheSize: MinCacheSize, Readahead: -1, Jobs: 2, Logger: slog.New(slog.DiscardHandler)})
		t.Cleanup(fs.close)
		if fs.reads != nil && !queue {
			if err := fs.reads.Close(); err != nil {
				t.Fatal(err)
			}
			fs.reads = nil
		}
		n := nodeOf(t, fs, weights(size, 1), raw)
		r, err := n.acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer n.release()
		var want uint64
		for _, c := range []struct{ off, end, more int64 }{
			{0, mib, mib}, {0, 2 * mib, mib}, // the header first
			{4 * mib, 7 * mib, 3 * mib}, // with the header
			{4 * mib, 8 * mib, mib},
			{2*mib + 1, 4 * mib, 2*mib - 256<<10}, // not the block that begins before
		} {
			want += uint64(c.more)
			n.fetchAhead(r.Index().Find(c.off), span{c.off, c.end, new(feed)}, 0)
			eventually(t, "it is decoded", func() bool { return fs.stats.aheadBytes.Load() >= want })
			if got := fs.stats.aheadBytes.Load(); got != want {
				t.Fatalf("%d bytes decoded after [%d, %d), want %d", got, c.off, c.end, want)
			}
		}
		var stopped, turned feed
		stopped.stopped.Store(true)
		turned.turned.Store(true)
		n.fetchAhead(0, span{2 * mib, 4 * mib, &stopped}, 0)
		n.fetchAhead(0, span{2 * mib, 4 * mib, &turned}, 0)
		if got := fs.stats.aheadBytes.Load(); got != want {
			t.Errorf("%d bytes decoded for streams that have stopped, or turned", got-want)
		}
	}
}

// What is needed of a chunk may have become more since it was fetched.
func TestNoMoreIsDecodedThanWasFetched(t *testing.T) {
	r := newReading(t, weights(4*mib, 1))
	f := r.fetching()
	c := f.header
	f.from, f.to = 3, 5
	_, skip := r.r.StoredAt(c, 0, 0, f.from)
	_, length := r.r.StoredAt(c, 0, f.from, f.to)
	f.payload = f.payload[skip:][:length]
	r.n.decodeFetched(r.r, f)
	want := c.Block(3).Len + c.Block(4).Len
	if got := r.n.fs.stats.aheadBytes.Load(); got != uint64(want) {
		t.Errorf("%d bytes decoded, want %d", got, want)
	}
	r.n.fetches.end(f)
}

func TestSlabs(t *testing.T) {
	s := slabs{most: 2}
	a, b := s.get(), s.get()
	if a == nil || b == nil || s.get() != nil {
		t.Fatal("there are not two slabs")
	}
	for _, x := range []*slab{a, b} {
		if len(x.mem) != slabLen || uintptr(unsafe.Pointer(&x.mem[0]))%hugePage != 0 {
			t.Errorf("a slab of %d bytes at %p", len(x.mem), &x.mem[0])
		}
		x.mem[0], x.mem[slabLen-1] = 1, 1
	}
	s.put(a)
	s.put(b)
	if got := s.get(); got != b {
		t.Error("not the slab that was used last")
	}
	s.trim()
	if c := s.get(); c == nil || s.get() != nil {
		t.Error("one that was trimmed is not made again")
	} else {
		s.put(c)
	}
	s.put(b)
	s.trim()
	if s.made != 0 {
		t.Errorf("%d are left", s.made)
	}
}
