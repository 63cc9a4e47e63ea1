package integration

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// conformFile opens a file of a mount, with what it must hold.
func conformFile(t *testing.T) (f *os.File, want []byte) {
	t.Helper()
	point, original := conformTree(t)
	want, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	if f, err = os.Open(point + "/m.safetensors"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, want
}

// The last page is filled with zeros; pages after it give SIGBUS; no mapping
// can be written to the file.
func TestMmap(t *testing.T) {
	f, want := conformFile(t)
	fd, size, page := int(f.Fd()), len(want), os.Getpagesize()
	if _, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); !errors.Is(err, unix.EACCES) {
		t.Errorf("shared for writing: %v, want EACCES", err)
	}
	for name, flags := range map[string]int{"shared": unix.MAP_SHARED, "private": unix.MAP_PRIVATE, "populated": unix.MAP_SHARED | unix.MAP_POPULATE} {
		b, err := unix.Mmap(fd, 0, size+3*page, unix.PROT_READ, flags)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(b[:size], want) {
			t.Errorf("%s: other bytes", name)
		}
		end := (size + page - 1) / page * page
		if !bytes.Equal(b[size:end], make([]byte, end-size)) {
			t.Errorf("%s: the last page is not filled with zeros", name)
		}
		if !faults(b, end) {
			t.Errorf("%s: the page after the end can be read", name)
		}
		if err := unix.Munmap(b); err != nil {
			t.Error(err)
		}
	}
	b, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(b)
	b[0]++ // in our copy alone
	if got, err := hash(f); err != nil || got != sum(want) {
		t.Errorf("after a write to a private mapping: %v, SHA-256 equal %v", err, got == sum(want))
	}
	for _, advice := range []int{unix.MADV_WILLNEED, unix.MADV_RANDOM, unix.MADV_SEQUENTIAL, unix.MADV_DONTNEED} {
		if err := unix.Madvise(b, advice); err != nil {
			t.Errorf("advice %d: %v", advice, err)
		}
	}
	if !bytes.Equal(b, want) {
		t.Error("other bytes after advice")
	}
}

// faults reports whether reading b[at] ends in SIGBUS.
func faults(b []byte, at int) (failed bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { failed = recover() != nil }()
	sink = b[at]
	return false
}

var sink byte

// SEEK_DATA and SEEK_HOLE see one piece of data and a hole at its end.
func TestSeekDataAndHoles(t *testing.T) {
	f, want := conformFile(t)
	size := int64(len(want))
	for _, tt := range []struct {
		off    int64
		whence int
		want   int64
		err    error
	}{
		{0, unix.SEEK_DATA, 0, nil},
		{size / 2, unix.SEEK_DATA, size / 2, nil},
		{size - 1, unix.SEEK_DATA, size - 1, nil},
		{0, unix.SEEK_HOLE, size, nil},
		{size - 1, unix.SEEK_HOLE, size, nil},
		{size, unix.SEEK_DATA, 0, unix.ENXIO},
		{size, unix.SEEK_HOLE, 0, unix.ENXIO},
		{size + 1, unix.SEEK_DATA, 0, unix.ENXIO},
		{-1, io.SeekStart, 0, unix.EINVAL},
		{10, io.SeekEnd, size + 10, nil},
	} {
		got, err := unix.Seek(int(f.Fd()), tt.off, tt.whence)
		if !errors.Is(err, tt.err) || err == nil && got != tt.want {
			t.Errorf("seek %d, whence %d of %d: %d, %v; want %d, %v", tt.off, tt.whence, size, got, err, tt.want, tt.err)
		}
	}
}

// Bytes that the kernel moves by itself are the right ones.
func TestKernelCopies(t *testing.T) {
	f, want := conformFile(t)
	fd, size := int(f.Fd()), len(want)
	out := func() *os.File {
		o, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { o.Close() })
		return o
	}
	for name, move := range map[string]func(to int, off int64) (int, error){
		"sendfile": func(to int, off int64) (int, error) { return unix.Sendfile(to, fd, &off, size-int(off)) },
		"copy_file_range": func(to int, off int64) (int, error) {
			n, err := unix.CopyFileRange(fd, &off, to, nil, size-int(off), 0)
			if errors.Is(err, unix.EXDEV) { // the kernel refers us to read and write
				return unix.Sendfile(to, fd, &off, size-int(off))
			}
			return n, err
		},
		"splice": spliceFrom(t, fd),
	} {
		o := out()
		for off := 0; off < size; {
			n, err := move(int(o.Fd()), int64(off))
			if err != nil || n <= 0 {
				t.Fatalf("%s at %d: %d, %v", name, off, n, err)
			}
			off += n
		}
		if got, err := hash(o); err != nil || got != sum(want) {
			t.Errorf("%s: %v, SHA-256 equal %v", name, err, got == sum(want))
		}
	}
}

// spliceFrom moves bytes from fd through a pipe.
func spliceFrom(t *testing.T, fd int) func(to int, off int64) (int, error) {
	t.Helper()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pipe[0]); unix.Close(pipe[1]) })
	return func(to int, off int64) (int, error) {
		in, err := unix.Splice(fd, &off, pipe[1], nil, 64<<10, 0)
		if err != nil {
			return 0, err
		}
		for moved := int64(0); moved < in; {
			n, err := unix.Splice(pipe[0], nil, to, nil, int(in-moved), 0)
			if err != nil {
				return 0, err
			}
			moved += n
		}
		return int(in), nil
	}
}

// What only hints at what will be read is taken as such.
func TestHints(t *testing.T) {
	f, want := conformFile(t)
	fd := int(f.Fd())
	if _, _, no := unix.Syscall(unix.SYS_READAHEAD, uintptr(fd), 0, uintptr(len(want))); no != 0 {
		t.Errorf("readahead: %v", no)
	}
	b, err := unix.Mmap(fd, 0, len(want), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(b)
	if !bytes.Equal(b, want) {
		t.Error("other bytes")
	}
	resident := make([]byte, (len(b)+os.Getpagesize()-1)/os.Getpagesize())
	if _, _, no := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(unsafe.Pointer(&resident[0]))); no != 0 {
		t.Errorf("mincore: %v", no)
	}
	if err := unix.Fsync(fd); err != nil {
		t.Errorf("fsync: %v", err)
	}
	if err := unix.Fdatasync(fd); err != nil {
		t.Errorf("fdatasync: %v", err)
	}
	if err := unix.Flock(fd, unix.LOCK_SH); err != nil {
		t.Errorf("flock: %v", err)
	}
}

// Reads at and beyond the end, of nothing, and into nothing that can hold them.
func TestReadEdges(t *testing.T) {
	f, want := conformFile(t)
	fd, size := int(f.Fd()), int64(len(want))
	buf := make([]byte, 100)
	for _, tt := range []struct {
		off  int64
		n    int
		want int
		err  error
	}{
		{size - 10, 100, 10, nil},
		{size, 100, 0, nil},
		{size + 1<<40, 100, 0, nil},
		{0, 0, 0, nil},
		{-1, 10, 0, unix.EINVAL},
	} {
		n, err := unix.Pread(fd, buf[:tt.n], tt.off)
		if !errors.Is(err, tt.err) || err == nil && n != tt.want {
			t.Errorf("pread of %d at %d: %d, %v; want %d, %v", tt.n, tt.off, n, err, tt.want, tt.err)
		}
	}
	if _, err := unix.Write(fd, buf); !errors.Is(err, unix.EBADF) {
		t.Errorf("write: %v, want EBADF", err)
	}
	if err := unix.Ftruncate(fd, 0); !errors.Is(err, unix.EINVAL) {
		t.Errorf("ftruncate: %v, want EINVAL", err)
	}
	if err := unix.Fallocate(fd, 0, 0, 10); !errors.Is(err, unix.EBADF) {
		t.Errorf("fallocate: %v, want EBADF", err)
	}
	parts := [][]byte{make([]byte, 7), make([]byte, 0), make([]byte, 5000)}
	n, err := unix.Preadv(fd, parts, 13)
	if got := bytes.Join(parts, nil); err != nil || n != len(got) || !bytes.Equal(got, want[13:13+n]) {
		t.Errorf("preadv: %d, %v", n, err)
	}
}

// What statfs and statx tell is of use.
func TestStatOfFileSystem(t *testing.T) {
	f, want := conformFile(t)
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	if st.Type != unix.FUSE_SUPER_MAGIC || st.Blocks == 0 || st.Bsize == 0 || st.Namelen < 255 || st.Flags&unix.ST_RDONLY == 0 {
		t.Errorf("statfs: %+v", st)
	}
	var x unix.Statx_t
	if err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, &x); err != nil {
		t.Fatal(err)
	}
	if x.Size != uint64(len(want)) || x.Mode&unix.S_IFMT != unix.S_IFREG || x.Nlink != 1 || x.Blocks*512 < x.Size {
		t.Errorf("statx: %+v", x)
	}
}
