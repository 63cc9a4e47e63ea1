package archive

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/index"
)

// cutMemory is the most that opening or decoding a small archive may take,
// however it is cut.
const cutMemory = 8 << 20

// TestTruncation cuts an archive at either end, or adds to it.
func TestTruncation(t *testing.T) {
	_, b := flipArchive(t, codec.Auto)
	for n := range b {
		checkCut(t, n, b[:n])
		if n > 0 {
			if _, err := Open(t.Context(), &memSource{data: b[n:]}); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNotArchive) {
				t.Errorf("without the first %d bytes: %v", n, err)
			}
		}
		if _, err := Open(t.Context(), &memSource{data: append(bytes.Clone(b), b[:n+1]...)}); err == nil {
			t.Errorf("%d bytes more: opened", n+1)
		}
	}
}

// TestEveryMethodCut cuts archives of every method and dtype, closed and open:
// at some lengths, or with SCAPEFS_SWEEP at each.
func TestEveryMethodCut(t *testing.T) { eachArchive(t, cutSome) }

// TestReferencesCut does the same to chunks that refer to others.
func TestReferencesCut(t *testing.T) {
	want, b := flipReferring(t, codec.Auto)
	cutSome(t, want, b)
}

func cutSome(t *testing.T, want, b []byte) {
	tries := 6
	if sweeping {
		tries = len(b)
	}
	t.Logf("%d of %d lengths", tries, len(b))
	path := filepath.Join(t.TempDir(), "cut.scape")
	for i := range tries {
		n := i * len(b) / tries
		checkCut(t, n, b[:n])
		zeros := make([]byte, len(b))
		copy(zeros, b[:n])
		checkCut(t, n, zeros) // as after a crash before all was written
		checkCutWhileOpen(t, path, n, b, want, false)
		checkCutWhileOpen(t, path, n, b, want, true)
	}
}

// checkCut opens what is left of an archive that was cut to n bytes: it is
// refused for want of a trailer, and named no archive only if it cannot be told
// to be one.
func checkCut(t *testing.T, n int, b []byte) {
	t.Helper()
	var err error
	took := taken(func() { _, err = Open(t.Context(), &memSource{data: b}) })
	if n < index.HeaderLen {
		if !errors.Is(err, ErrNotArchive) && !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut to %d of %d bytes: %v", n, len(b), err)
		}
	} else if c := corruptErrors(err); len(c) != 1 || c[0].Chunk != -1 || c[0].Offset != int64(len(b)) || !strings.Contains(err.Error(), "no trailer") {
		t.Errorf("cut to %d of %d bytes: %v", n, len(b), err)
	}
	if took > cutMemory {
		t.Errorf("cut to %d of %d bytes: %d bytes taken", n, len(b), took)
	}
}

// checkCutWhileOpen cuts an archive that is open, and was read before or not:
// blocks that are still there are decoded, of others it is told that the file
// has changed.
func checkCutWhileOpen(t *testing.T, path string, n int, b, want []byte, warm bool) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	r := openPath(t, path)
	defer r.Close()
	if warm {
		if _, err := decodeAll(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(path, int64(n)); err != nil {
		t.Fatal(err)
	}
	var lost bool
	took := taken(func() { lost = decodeCut(t, r, n, want) })
	if took > cutMemory {
		t.Errorf("cut to %d bytes while open: %d bytes taken", n, took)
	}
	if err := Verify(t.Context(), r, VerifyOptions{Jobs: 1}); lost != (err != nil) || lost && !errors.Is(err, ErrChanged) {
		t.Errorf("cut to %d bytes while open: Verify: %v", n, err)
	}
	if lost {
		dst := path + ".out"
		if err := Unpack(t.Context(), dst, r, UnpackOptions{Jobs: 1}); !errors.Is(err, ErrChanged) {
			t.Errorf("cut to %d bytes while open: Unpack: %v", n, err)
		}
		if names := filesIn(t, filepath.Dir(path)); len(names) != 1 {
			t.Errorf("cut to %d bytes while open: Unpack left %v", n, names)
		}
	}
}

// decodeCut decodes all that n bytes of an archive may hold, and tells whether
// anything is lost.
func decodeCut(t *testing.T, r *Reader, n int, want []byte) (lost bool) {
	t.Helper()
	for i, row := range r.Index().Rows {
		whole := row.RecordEnd() <= int64(n)
		lost = lost || !whole
		c, err := r.Chunk(t.Context(), i)
		if err != nil {
			if whole || !errors.Is(err, ErrChanged) {
				t.Errorf("cut to %d bytes: chunk %d: %v", n, i, err)
			}
			continue
		}
		for k := range c.NumBlocks() {
			block := c.Block(k)
			dst := make([]byte, block.Len)
			there := row.PayloadPos()+int64(block.StoredOff+block.StoredLen) <= int64(n)
			err := r.DecodeBlock(t.Context(), i, k, dst)
			switch {
			case there != (err == nil) || err != nil && !errors.Is(err, ErrChanged):
				t.Errorf("cut to %d bytes: chunk %d, block %d: %v", n, i, k, err)
			case err == nil && !bytes.Equal(dst, want[row.Off+int64(block.Off):][:block.Len]):
				t.Errorf("cut to %d bytes: chunk %d, block %d: wrong bytes", n, i, k)
			}
		}
	}
	return lost
}

// taken is how many bytes of memory f takes, given back or not.
func taken(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
