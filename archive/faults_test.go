package archive

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/scapefs/scapefs/internal/disk"
)

// badReader fails from its nth read on, as a disk does.
type badReader struct {
	io.ReaderAt
	reads *atomic.Int64
	nth   int64
	err   error // io.EOF: half of what is asked for is there
}

func (r badReader) ReadAt(p []byte, off int64) (int, error) {
	if r.reads.Add(1) < r.nth {
		return r.ReaderAt.ReadAt(p, off)
	}
	if r.err == io.EOF {
		n, _ := r.ReaderAt.ReadAt(p[:len(p)/2], off)
		return n, io.EOF
	}
	return 0, r.err
}

// TestFaultsWhilePacking lets the disk fail at every step of packing: the error tells, the source is as it was, what is there is whole,
// and another run finishes.
func TestFaultsWhilePacking(t *testing.T) {
	data := noise(1, 40_000)
	type fault struct {
		name string
		opt  PackOptions
		want error
	}
	var faults []fault
	for _, err := range []error{syscall.ENOSPC, syscall.EIO, syscall.EDQUOT} {
		for _, op := range []disk.Op{disk.OpCreate, disk.OpWrite, disk.OpAttr, disk.OpSync, disk.OpRename, disk.OpFolder} {
			for nth := range 6 {
				if op == disk.OpWrite || nth == 0 {
					faults = append(faults, fault{string(op), PackOptions{fault: failNth(op, nth, err)}, err})
				}
			}
		}
	}
	for nth := range int64(5) {
		for err, want := range map[error]error{syscall.EIO: syscall.EIO, io.EOF: ErrChanged} {
			var reads atomic.Int64
			faults = append(faults, fault{"read", PackOptions{reads: func(f io.ReaderAt) io.ReaderAt {
				return badReader{f, &reads, nth + 1, err}
			}}, want})
		}
	}
	for _, f := range faults {
		src := writeFile(t, "x.bin", data)
		dst := filepath.Join(t.TempDir(), "x.scape")
		f.opt.ChunkLen, f.opt.Jobs = 8<<10, 2
		if _, err := Pack(t.Context(), dst, src, f.opt); !errors.Is(err, f.want) {
			t.Errorf("%s fails by %v: got %v", f.name, f.want, err)
		}
		if got, err := os.ReadFile(src); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%s: the source is not what it was: %v", f.name, err)
		}
		checkWholeOrNothing(t, f.name, dst)
		if _, err := Pack(t.Context(), dst, src, PackOptions{Overwrite: true}); err != nil {
			t.Errorf("%s: the next run: %v", f.name, err)
		}
	}
}

// TestFaultsWhileUnpacking: as with packing, nothing is left but what is whole.
func TestFaultsWhileUnpacking(t *testing.T) {
	b := packed(t, noise(1, 40_000), PackOptions{ChunkLen: 8 << 10})
	for _, op := range []disk.Op{disk.OpCreate, disk.OpWrite, disk.OpAttr, disk.OpSync, disk.OpRename} {
		dir := t.TempDir()
		err := Unpack(t.Context(), filepath.Join(dir, "x"), openBytes(t, b), UnpackOptions{fault: failNth(op, 0, syscall.EIO)})
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: %v", op, err)
		}
		if names := filesIn(t, dir); len(names) != 0 {
			t.Errorf("%s: left %v", op, names)
		}
	}
}

// failNth fails the nth step of a kind, and those of the kind after it.
func failNth(op disk.Op, nth int, err error) func(disk.Op) error {
	var seen int
	return func(at disk.Op) error {
		if at != op {
			return nil
		}
		if seen++; seen > nth {
			return err
		}
		return nil
	}
}

func checkWholeOrNothing(t *testing.T, name, dst string) {
	t.Helper()
	left := filesIn(t, filepath.Dir(dst))
	if len(left) == 0 {
		return
	}
	if len(left) != 1 || left[0] != filepath.Base(dst) {
		t.Fatalf("%s: left %v", name, left)
	}
	if err := Verify(t.Context(), openPath(t, dst), VerifyOptions{}); err != nil {
		t.Errorf("%s: what is there is not whole: %v", name, err)
	}
}
