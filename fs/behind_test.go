package fs

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/scapefs/scapefs/internal/pagecache"
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
			kept, err := pagecache.Resident(filepath.Join(r.source, "model.scape"))
			if err != nil || kept < c.least || kept > c.most {
				t.Errorf("%d bytes are in memory, want %d to %d: %v", kept, c.least, c.most, err)
			}
		})
	}
}
