package fs

import (
	"bytes"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scapefs/scapefs/archive"
)

// reading is an archive's node that READs are put to, without a mount.
type reading struct {
	t    *testing.T
	n    *archiveNode
	r    *archive.Reader
	data []byte
}

func newReading(t *testing.T, data []byte) *reading {
	t.Helper()
	fs := newFilesystem(Options{CacheSize: MinCacheSize, Readahead: -1, Jobs: 1, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(fs.close)
	n := nodeOf(t, fs, data, raw)
	opened, err := n.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.release)
	return &reading{t, n, opened, data}
}

// read is a READ of [off, end), checked and answered.
func (r *reading) read(off, end int, direct bool) {
	r.t.Helper()
	res, err := r.n.readAt(r.t.Context(), r.r, nil, span{off: int64(off), end: int64(end)}, direct)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Done()
	if got, _ := res.Bytes(nil); !bytes.Equal(got, r.data[off:end]) {
		r.t.Errorf("[%d, %d): wrong bytes", off, end)
	}
}

// ahead decodes the first chunk ahead, and gives how many bytes that were.
func (r *reading) ahead() uint64 {
	before := r.n.fs.stats.aheadBytes.Load()
	r.n.decodeAhead(0, span{0, r.r.Index().Rows[0].End(), new(feed)})
	return r.n.fs.stats.aheadBytes.Load() - before
}

func (r *reading) resident() int64 { return r.n.fs.cache.Stats().Resident }

func TestBlocksGivenToTheKernelAreNotKept(t *testing.T) {
	const size = 4 * mib // a chunk
	r := newReading(t, weights(size, 1))
	for off := 0; off < size; { // no READ ends with a block but the last
		end := min(off+600<<10, size)
		r.read(off, end, false)
		off = end
	}
	if got := r.n.fs.stats.demandBytes.Load(); got != size || r.resident() != 0 {
		t.Errorf("%d bytes decoded, %d kept", got, r.resident())
	}
	if got := r.ahead(); got != 0 {
		t.Errorf("%d bytes decoded again ahead of nobody", got)
	}

	// The kernel asks again: it may have dropped everything.
	r.read(mib, mib+4<<10, false)
	if r.resident() != 256<<10 {
		t.Errorf("%d bytes kept of a block that was given in part", r.resident())
	}
	if got := r.ahead(); got != size-256<<10 {
		t.Errorf("%d bytes decoded ahead", got)
	}
}

func TestDirectReadsAreKept(t *testing.T) {
	const size = 4 * mib
	r := newReading(t, weights(size, 1))
	for range 2 {
		r.read(0, mib, true)
		r.read(0, mib, true)
	}
	if got := r.n.fs.stats.demandBytes.Load(); got != mib || r.resident() != mib {
		t.Errorf("%d bytes decoded, %d kept", got, r.resident())
	}
}

// A reader from start to end leaves nothing in the cache, nor does one that
// comes after the kernel has dropped the file.
func TestReadersThroughThePageCacheLeaveNoBlocks(t *testing.T) {
	r := newRig(t)
	const size = 32 << 20
	original := r.add("model.scape", weights(size, 1), raw)
	r.mount(Options{})
	shown := filepath.Join(r.point, "model.safetensors")
	for i := range 2 {
		if out := shell(t, fmt.Sprintf("cmp %s %s", shown, original)); out != "" {
			t.Error(out)
		}
		eventually(t, "nearly all blocks are given", func() bool { return r.server.Stats().Cache.Resident <= 2*mib })
		s := r.server.Stats()
		if got := s.DemandBytes + s.AheadBytes; got > uint64(i+1)*(size+2*mib) {
			t.Errorf("%d bytes decoded after %d rounds", got, i+1)
		}
		if out := shell(t, "dd if="+shown+" iflag=nocache count=0 2>&1"); strings.Contains(out, "failed") {
			t.Error(out)
		}
	}
}
