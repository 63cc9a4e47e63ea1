package fs

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestBehind(t *testing.T) {
	var b behind
	for i, c := range []struct {
		segment int64
		drop    int64 // -1 for none
	}{
		{0, -1}, {1, -1}, {0, -1}, {1, -1}, {2, 0}, {2, -1}, {1, -1}, {3, 1}, // in order
		{9, -1}, {10, 8}, {2, -1}, {3, 1}, // hops
	} {
		drop, left := b.enter(c.segment*segmentLen + 5)
		if want := c.drop >= 0; left != want || left && drop != c.drop*segmentLen {
			t.Errorf("step %d, segment %d: %d, %v", i, c.segment, drop, left)
		}
	}
}

// What a stream has left behind of the archive makes way when memory is short, and
// stays when it is not.
func TestCodedBytesMakeWay(t *testing.T) { forPageCaches(t, testCodedBytesMakeWay) }

func testCodedBytesMakeWay(t *testing.T, pages PageCache) {
	const size = 80 << 20
	for _, c := range []struct {
		leastFree   float64
		least, most int64 // in memory in the end
	}{
		{-1, size, math.MaxInt64},
		{2, 0, size * 2 / 3},
	} {
		t.Run(fmt.Sprint(c.leastFree), func(t *testing.T) {
			r := newRig(t)
			original := r.add("model.scape", weights(size, 1), raw)
			r.mount(Options{PageCache: pages, leastFree: c.leastFree})
			if out := shell(t, "cmp "+original+" "+filepath.Join(r.point, "model.safetensors")); out != "" {
				t.Fatal(out)
			}
			if kept := cachedBytes(t, filepath.Join(r.source, "model.scape")); kept < c.least || kept > c.most {
				t.Errorf("%d bytes are in memory, want %d to %d", kept, c.least, c.most)
			}
		})
	}
}

// cachedBytes is how much of a file is in the page cache.
func cachedBytes(t *testing.T, path string) int64 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st unix.Cachestat_t
	if err := unix.Cachestat(uint(f.Fd()), &unix.CachestatRange{}, &st, 0); err != nil {
		t.Skip("SKIPPED: this kernel does not tell what is in memory: ", err)
	}
	return int64(st.Cache) * int64(os.Getpagesize())
}
