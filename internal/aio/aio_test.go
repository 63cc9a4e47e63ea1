package aio

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const page = 4096

// aligned is memory that a disk can read into.
func aligned(t *testing.T, n int) []byte {
	t.Helper()
	mem, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(mem) })
	return mem
}

// file makes a file of n random bytes and opens it with flags, in the working
// folder's file system, as one in memory need not know O_DIRECT.
func file(t *testing.T, n, flags int) (*os.File, []byte) {
	t.Helper()
	dir, err := os.MkdirTemp(".", "testfile")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	want := make([]byte, n)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(want)
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, want, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, want
}

func queue(t *testing.T, depth int) *Queue {
	t.Helper()
	q, err := New(depth)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	return q
}

// Many reads at once, past the page cache and through it, each give their bytes.
func TestReadAt(t *testing.T) {
	for name, flags := range map[string]int{"direct": unix.O_DIRECT, "buffered": 0} {
		t.Run(name, func(t *testing.T) {
			f, want := file(t, 1<<20+page, flags)
			q := queue(t, 64)
			var readers sync.WaitGroup
			for i := range 16 {
				buf := aligned(t, 64<<10)
				readers.Go(func() {
					for j := range 8 {
						off := (i*8 + j) * page
						n, err := q.ReadAt(int(f.Fd()), buf, int64(off))
						if err != nil || n != len(buf) || !bytes.Equal(buf, want[off:off+n]) {
							t.Errorf("offset %d: %d bytes, %v", off, n, err)
						}
					}
				})
			}
			readers.Wait()
		})
	}
}

func TestReadAtTheEnd(t *testing.T) {
	f, want := file(t, 3*page+100, unix.O_DIRECT)
	q := queue(t, 1)
	buf := aligned(t, 4*page)
	for _, c := range []struct{ off, n int }{{0, 3*page + 100}, {2 * page, page + 100}, {4 * page, 0}} {
		n, err := q.ReadAt(int(f.Fd()), buf, int64(c.off))
		if err != nil || n != c.n || n > 0 && !bytes.Equal(buf[:n], want[c.off:]) {
			t.Errorf("offset %d: %d bytes, want %d: %v", c.off, n, c.n, err)
		}
	}
	if n, err := q.ReadAt(int(f.Fd()), nil, 0); n != 0 || err != nil {
		t.Errorf("no bytes: %d, %v", n, err)
	}
}

func TestErrors(t *testing.T) {
	f, _ := file(t, 2*page, unix.O_DIRECT)
	q := queue(t, 1)
	buf := aligned(t, page)
	if _, err := q.ReadAt(int(f.Fd()), buf, 1); !errors.Is(err, unix.EINVAL) {
		t.Errorf("an odd offset: %v", err)
	}
	if _, err := q.ReadAt(-1, buf, 0); !errors.Is(err, unix.EBADF) {
		t.Errorf("no file: %v", err)
	}
	if len(q.reads) != 0 {
		t.Errorf("%d reads are left", len(q.reads))
	}
	if _, err := New(1 << 30); err == nil {
		t.Error("a queue without bounds")
	}
}
