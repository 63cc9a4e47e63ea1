package image

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pattern gives bytes that tell their file and offset; but none from hole on.
type pattern struct {
	file uint32
	hole int64
}

var errHole = errors.New("hole")

func (p pattern) bytes(off int64, n int) []byte {
	b := make([]byte, 0, n+16)
	for at := off &^ 7; at < off+int64(n); at += 8 {
		b = binary.BigEndian.AppendUint64(b, uint64(p.file)<<40|uint64(at))
	}
	return b[off&7:][:n]
}

func (p pattern) ReadImage(_ context.Context, off int64, n int) (Reply, error) {
	if p.hole > 0 && off+int64(n) > p.hole {
		return nil, errHole
	}
	return bytesReply{p.bytes(off, n)}, nil
}

// mount mounts an image, or skips the test, and says so, where that takes root.
func mount(t *testing.T) *Image {
	t.Helper()
	im, err := Mount(1 << 20)
	if err != nil && os.Getenv("SCAPEFS_REQUIRE") == "" {
		t.Skipf("SKIPPED: this machine makes no images, or not for this user: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := im.Close(); err != nil {
			t.Error(err)
		}
	})
	return im
}

func add(t *testing.T, im *Image, size int64, source Source) (*File, *os.File) {
	t.Helper()
	f, err := im.Add(size, source)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opened.Close() })
	return f, opened
}

// Files of all sizes read back, whole and in pieces, by several at once.
func TestFilesReadBack(t *testing.T) {
	im := mount(t)
	var readers sync.WaitGroup
	for i, size := range []int64{0, 1, 4095, 4096, 4097, 1 << 20, 5<<20 + 123} {
		p := pattern{file: uint32(i)}
		_, f := add(t, im, size, p)
		readers.Go(func() {
			all, err := io.ReadAll(io.NewSectionReader(f, 0, size+1))
			if err != nil || !bytes.Equal(all, p.bytes(0, int(size))) {
				t.Errorf("%d bytes: read %d, or others: %v", size, len(all), err)
			}
			info, err := f.Stat()
			if err != nil || info.Size() != size {
				t.Errorf("size %d, %v", info.Size(), err)
			}
			for range 50 {
				if size == 0 {
					break
				}
				off := rand.Int64N(size)
				b := make([]byte, min(size-off, rand.Int64N(300_000)))
				if _, err := f.ReadAt(b, off); err != nil || !bytes.Equal(b, p.bytes(off, len(b))) {
					t.Errorf("%d bytes at %d of %d: %v", len(b), off, size, err)
				}
			}
		})
	}
	readers.Wait()
}

// What cannot be read is an error, before and after which all is well.
func TestErrors(t *testing.T) {
	im := mount(t)
	p := pattern{file: 1, hole: 6 << 20}
	f, opened := add(t, im, 8<<20, p)
	b := make([]byte, 1<<20)
	if _, err := opened.ReadAt(b, 6<<20); !errors.Is(err, syscall.EIO) {
		t.Errorf("where there is nothing: %v", err)
	}
	if _, err := opened.ReadAt(b, 0); err != nil || !bytes.Equal(b, p.bytes(0, len(b))) {
		t.Errorf("before it: %v", err)
	}
	f.SetSource(pattern{file: 1})
	if _, err := opened.ReadAt(b, 6<<20); err != nil || !bytes.Equal(b, p.bytes(6<<20, len(b))) {
		t.Errorf("once it is there: %v", err)
	}
}

// An image that was used can be taken away, and is then gone: Close waits for that.
func TestImageEnds(t *testing.T) {
	for range 5 {
		t.Run("mounted", func(t *testing.T) {
			_, f := add(t, mount(t), 1<<20, pattern{})
			if _, err := io.Copy(io.Discard, io.NewSectionReader(f, 0, 1<<20)); err != nil {
				t.Error(err)
			}
		})
	}
}

// A connection that waits for requests holds no thread, of which Go runs few at
// once.
func TestNoThreadWaitsForRequests(t *testing.T) {
	_, f := add(t, mount(t), 1<<20, pattern{})
	if _, err := f.ReadAt(make([]byte, 1<<20), 0); err != nil {
		t.Fatal(err)
	}
	calls, err := filepath.Glob("/proc/self/task/*/wchan")
	if err != nil || len(calls) == 0 {
		t.Fatalf("threads of this process: %d, %v", len(calls), err)
	}
	for _, path := range calls {
		where, err := os.ReadFile(path)
		if err == nil && bytes.Contains(where, []byte("fuse_dev")) {
			t.Errorf("%s: %s", path, where)
		}
	}
}

func TestImageIsFull(t *testing.T) {
	im := &Image{next: dataBlock}
	im.files.Store(new([]*File))
	if _, err := im.Add(maxBlocks*blockSize, pattern{}); !errors.Is(err, ErrFull) {
		t.Errorf("a file that is too large: %v", err)
	}
	for range maxFiles {
		if _, err := im.Add(1<<20, pattern{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := im.Add(1, pattern{}); !errors.Is(err, ErrFull) {
		t.Errorf("a file too many: %v", err)
	}
}

// No read of the device gives bytes of two files, or none at all.
func TestReadsOfTheDevice(t *testing.T) {
	im := &Image{next: dataBlock}
	im.files.Store(new([]*File))
	a, err := im.Add(5000, pattern{file: 1})
	if err != nil {
		t.Fatal(err)
	}
	b, err := im.Add(5000, pattern{file: 2})
	if err != nil {
		t.Fatal(err)
	}
	read := func(off int64, n int) ([]byte, error) {
		r, err := im.read(t.Context(), off, n)
		if err != nil {
			return nil, err
		}
		defer r.Done()
		parts, _ := r.Slices()
		return bytes.Join(parts, nil), nil
	}
	want := append(pattern{file: 1}.bytes(4096, 904), make([]byte, 4096-904)...)
	if got, err := read(a.begin+4096, 4096); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the end of a file: %v", err)
	}
	if got, err := read(a.begin+6144, 512); err != nil || !bytes.Equal(got, make([]byte, 512)) {
		t.Errorf("beyond the end, in its last block: %v", err)
	}
	for _, at := range [][2]int64{
		{a.begin, b.begin - a.begin + 1}, {b.begin - 1, 2}, {a.begin + 8192, 512}, {b.begin + 8192, 1},
		{-1, 2}, {maxBlocks*blockSize - 1, 2},
	} {
		if _, err := read(at[0], int(at[1])); err == nil {
			t.Errorf("%d bytes at %d could be read", at[1], at[0])
		}
	}
	meta, err := read(0, 2<<20)
	if err != nil || len(meta) != 2<<20 {
		t.Errorf("before the files: %d bytes, %v", len(meta), err)
	}
	if part, err := read(inodeBlock*blockSize+100, 4000); err != nil || !bytes.Equal(part, meta[inodeBlock*blockSize+100:][:4000]) {
		t.Errorf("a part of that: %v", err)
	}
}

// A file is found whatever its number, in the directory of many blocks.
func TestEveryNumberIsFound(t *testing.T) {
	im := mount(t)
	for i := range 300 {
		f, err := im.Add(8, pattern{file: uint32(i)})
		if err != nil {
			t.Fatal(err)
		}
		opened, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		var b [8]byte
		if _, err := unix.Pread(int(opened.Fd()), b[:], 0); err != nil || !bytes.Equal(b[:], pattern{file: uint32(i)}.bytes(0, 8)) {
			t.Errorf("file %d: % x, %v", i, b, err)
		}
		opened.Close()
	}
}
