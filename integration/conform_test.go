package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The read-only parts of what file systems are judged by: random operations
// as fsx does them, and the cases of pjdfstest that apply. What does not apply
// is whatever needs a file system that can be written to: chmod, chown, link,
// mkfifo, mknod, rename, symlink, truncate, unlink and utimensat are tried for
// EROFS alone; allocation, holes that are punched, locks that cross hosts, and
// times that change are not tried.

// conformTree mounts a folder with an archive, a plain file, a folder, links
// and a loop of links. It gives the mount point and the archive's original.
func conformTree(t *testing.T, options ...string) (point, original string) {
	t.Helper()
	packed := t.TempDir()
	original = small(t)
	must(t, "pack", "-o", filepath.Join(packed, "m.scape"), original)
	write(t, filepath.Join(packed, "plain.txt"), []byte("a plain file"))
	write(t, filepath.Join(packed, "empty"), nil)
	write(t, filepath.Join(packed, "dir/below.txt"), []byte("below"))
	for name, target := range map[string]string{"loop-a": "loop-b", "loop-b": "loop-a", "link": "m.safetensors", "dead": "nowhere"} {
		if err := os.Symlink(target, filepath.Join(packed, name)); err != nil {
			t.Fatal(err)
		}
	}
	return mount(t, packed, options...), original
}

// Random operations on a file of the mount and on its original have the same
// results: what fsx does, without its writes.
func TestFsx(t *testing.T) {
	point, original := conformTree(t)
	for seed := range uint64(4) {
		x := newFsx(t, filepath.Join(point, "m.safetensors"), original, seed)
		for range 400 {
			x.step()
		}
		x.close()
	}
}

// fsx does the same to two files.
type fsx struct {
	t     *testing.T
	seed  uint64
	rng   *rand.Rand
	files [2]*os.File // of the mount, and the plain one
	size  int64
	trace []string
}

func newFsx(t *testing.T, shown, plain string, seed uint64) *fsx {
	t.Helper()
	x := &fsx{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0))}
	for i, path := range []string{shown, plain} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		x.files[i] = f
	}
	info, err := x.files[1].Stat()
	if err != nil {
		t.Fatal(err)
	}
	x.size = info.Size()
	return x
}

func (x *fsx) close() {
	for _, f := range x.files {
		f.Close()
	}
}

// step does one operation to both.
func (x *fsx) step() {
	x.t.Helper()
	off := x.rng.Int64N(x.size + x.size/8)
	n := x.rng.IntN(1 << x.rng.IntN(19))
	switch x.rng.IntN(8) {
	case 0:
		whence := x.rng.IntN(3)
		x.same(fmt.Sprintf("seek %d from %d", off-x.size/2, whence), func(f *os.File) (any, error) { return f.Seek(off-x.size/2, whence) })
	case 1, 2:
		x.same(fmt.Sprintf("read %d", n), func(f *os.File) (any, error) {
			b := make([]byte, n)
			got, err := f.Read(b)
			return string(b[:max(got, 0)]), err
		})
	case 3, 4:
		x.same(fmt.Sprintf("pread %d at %d", n, off), func(f *os.File) (any, error) {
			b := make([]byte, n)
			got, err := f.ReadAt(b, off)
			return string(b[:max(got, 0)]), err
		})
	case 5:
		x.same(fmt.Sprintf("map %d at %d", n, off), func(f *os.File) (any, error) { return mapped(f, off, n, x.size) })
	case 6:
		x.same("stat", func(f *os.File) (any, error) {
			var st unix.Stat_t
			err := unix.Fstat(int(f.Fd()), &st)
			return [2]int64{st.Size, st.Mtim.Nano()}, err
		})
	case 7:
		advice := []int{unix.FADV_DONTNEED, unix.FADV_RANDOM, unix.FADV_SEQUENTIAL, unix.FADV_WILLNEED, unix.FADV_NORMAL}[x.rng.IntN(5)]
		x.same(fmt.Sprintf("advise %d at %d", advice, off), func(f *os.File) (any, error) {
			return nil, unix.Fadvise(int(f.Fd()), off, int64(n), advice)
		})
	}
}

// same demands the same result and the same error of both files.
func (x *fsx) same(what string, op func(*os.File) (any, error)) {
	x.t.Helper()
	x.trace = append(x.trace, what)
	got, gotErr := op(x.files[0])
	want, wantErr := op(x.files[1])
	if got != want || errnoOf(gotErr) != errnoOf(wantErr) {
		x.t.Fatalf("seed %d, %s: another result, or %v instead of %v; before it %q",
			x.seed, what, gotErr, wantErr, x.trace[max(0, len(x.trace)-10):])
	}
}

func errnoOf(err error) string {
	var no unix.Errno
	switch {
	case err == nil:
		return ""
	case errors.As(err, &no):
		return unix.ErrnoName(no)
	}
	return err.Error()
}

// mapped reads n bytes at off by mapping the pages that they are on, those
// after the file's end left out.
func mapped(f *os.File, off int64, n int, size int64) (string, error) {
	page := off &^ int64(os.Getpagesize()-1)
	pages := (size + int64(os.Getpagesize()) - 1) &^ int64(os.Getpagesize()-1)
	end := min(off+int64(n), pages)
	if off >= end {
		return "", nil
	}
	b, err := unix.Mmap(int(f.Fd()), page, int(end-page), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return "", err
	}
	defer unix.Munmap(b)
	return string(b[off-page:]), nil
}

// Every call that would change something says that it cannot.
func TestModifyingCallsFail(t *testing.T) {
	point, _ := conformTree(t)
	file, dir, missing := point+"/m.safetensors", point+"/dir", point+"/new"
	open := func(path string, flags int) error {
		fd, err := unix.Open(path, flags, 0o644)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
	at := unix.AT_FDCWD
	times := []unix.Timespec{{Sec: 1}, {Sec: 2}}
	for name, err := range map[string]error{
		"open for writing":         open(file, unix.O_WRONLY),
		"open for both":            open(file, unix.O_RDWR),
		"open to truncate":         open(file, unix.O_WRONLY|unix.O_TRUNC),
		"open to append":           open(file, unix.O_WRONLY|unix.O_APPEND),
		"create":                   open(missing, unix.O_WRONLY|unix.O_CREAT),
		"create for reading":       open(missing, unix.O_RDONLY|unix.O_CREAT),
		"create below a folder":    open(dir+"/new", unix.O_WRONLY|unix.O_CREAT),
		"create anew":              open(missing, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL),
		"temporary file":           open(dir, unix.O_WRONLY|unix.O_TMPFILE),
		"plain file for writing":   open(point+"/plain.txt", unix.O_WRONLY),
		"truncate":                 unix.Truncate(file, 1),
		"unlink":                   unix.Unlink(file),
		"unlink a link":            unix.Unlink(point + "/link"),
		"rmdir":                    unix.Rmdir(dir),
		"mkdir":                    unix.Mkdir(missing, 0o755),
		"mkfifo":                   unix.Mkfifo(missing, 0o644),
		"mknod":                    unix.Mknod(missing, unix.S_IFREG|0o644, 0),
		"symlink":                  unix.Symlink("x", missing),
		"link":                     unix.Link(file, missing),
		"rename":                   unix.Rename(file, missing),
		"rename over":              unix.Rename(file, point+"/plain.txt"),
		"rename without replacing": unix.Renameat2(at, file, at, missing, unix.RENAME_NOREPLACE),
		"rename to exchange":       unix.Renameat2(at, file, at, point+"/plain.txt", unix.RENAME_EXCHANGE),
		"chmod":                    unix.Chmod(file, 0o600),
		"chown":                    unix.Chown(file, 1, 1),
		"lchown":                   unix.Lchown(point+"/link", 1, 1),
		"utimensat":                unix.UtimesNanoAt(at, file, times, 0),
		"setxattr":                 unix.Setxattr(file, "user.x", []byte("y"), 0),
		"removexattr":              unix.Removexattr(file, "user.scapefs.sha256"),
		"access for writing":       unix.Access(file, unix.W_OK),
	} {
		if !errors.Is(err, unix.EROFS) {
			t.Errorf("%s: %v, want EROFS", name, err)
		}
	}
	// An existing name is told before that nothing may be made.
	if err := open(file, unix.O_RDONLY|unix.O_CREAT|unix.O_EXCL); !errors.Is(err, unix.EEXIST) {
		t.Errorf("create anew what there is: %v, want EEXIST", err)
	}
	if err := unix.Mkdir(dir, 0o755); !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.EROFS) {
		t.Errorf("mkdir of what there is: %v", err)
	}
}

// Names that lead nowhere fail as they do elsewhere.
func TestNamesThatFail(t *testing.T) {
	point, _ := conformTree(t)
	long, longPath := strings.Repeat("n", 256), strings.Repeat("/n", 2049)
	for _, tt := range []struct {
		path  string
		flags int
		want  error
	}{
		{"/missing", 0, unix.ENOENT},
		{"/missing/below", 0, unix.ENOENT},
		{"/dir/missing", 0, unix.ENOENT},
		{"/dead", 0, unix.ENOENT},
		{"/m.scape", 0, unix.ENOENT}, // the archive is not shown by its own name
		{"/m.safetensors/below", 0, unix.ENOTDIR},
		{"/plain.txt/below", 0, unix.ENOTDIR},
		{"/m.safetensors/", 0, unix.ENOTDIR},
		{"/m.safetensors", unix.O_DIRECTORY, unix.ENOTDIR},
		{"/" + long, 0, unix.ENAMETOOLONG},
		{"/dir/" + long, 0, unix.ENAMETOOLONG},
		{longPath, 0, unix.ENAMETOOLONG},
		{"/loop-a", 0, unix.ELOOP},
		{"/loop-a/below", 0, unix.ELOOP},
		{"/link", unix.O_NOFOLLOW, unix.ELOOP},
		{"/dir", unix.O_WRONLY, unix.EISDIR},
		{"/m.safetensors", 0, nil},
		{"/link", 0, nil},
		{"/dir/../m.safetensors", 0, nil},
		{"/dir", unix.O_DIRECTORY, nil},
		{"/link", unix.O_PATH | unix.O_NOFOLLOW, nil},
		{"/" + long[:255], 0, unix.ENOENT},
	} {
		fd, err := unix.Open(point+tt.path, tt.flags, 0)
		if err == nil {
			unix.Close(fd)
		}
		if !errors.Is(err, tt.want) {
			t.Errorf("open %.40s with flags %#x: %v, want %v", tt.path, tt.flags, err, tt.want)
		}
	}
	fd, err := unix.Open(point+"/dir", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.Read(fd, make([]byte, 10)); !errors.Is(err, unix.EISDIR) {
		t.Errorf("read of a folder: %v, want EISDIR", err)
	}
	if _, err := os.Readlink(point + "/plain.txt"); !errors.Is(err, unix.EINVAL) {
		t.Errorf("readlink of a file: %v, want EINVAL", err)
	}
	if target, err := os.Readlink(point + "/dead"); err != nil || target != "nowhere" {
		t.Errorf("readlink: %q, %v", target, err)
	}
}

// A handle of a path alone can be looked at, and not read.
func TestPathHandles(t *testing.T) {
	point, original := conformTree(t)
	fd, err := unix.Open(point+"/m.safetensors", unix.O_PATH, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	info, err := os.Stat(original)
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Size != info.Size() {
		t.Errorf("fstat: %d bytes, %v", st.Size, err)
	}
	if _, err := unix.Read(fd, make([]byte, 1)); !errors.Is(err, unix.EBADF) {
		t.Errorf("read: %v, want EBADF", err)
	}
	// What was opened by its path can be opened through it.
	got, err := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d", fd))
	want, _ := os.ReadFile(original)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("read through the path: %d bytes, %v", len(got), err)
	}
}

// A folder can be listed in part, again, and from where one was; types and
// inodes in the list are those that stat tells.
func TestReaddir(t *testing.T) {
	packed := t.TempDir()
	const files = 500
	for i := range files {
		write(t, filepath.Join(packed, fmt.Sprintf("file-%04d-%s", i, strings.Repeat("x", i%60))), nil)
	}
	must(t, "pack", "-o", filepath.Join(packed, "m.scape"), small(t))
	write(t, filepath.Join(packed, "dir/f"), nil)
	if err := os.Symlink("m.safetensors", filepath.Join(packed, "link")); err != nil {
		t.Fatal(err)
	}
	point := mount(t, packed)
	fd, err := unix.Open(point, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	all := list(t, fd)
	if len(all) != files+3+2 { // and . and ..
		t.Fatalf("%d entries, want %d", len(all), files+3+2)
	}
	if _, err := unix.Seek(fd, 0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if again := list(t, fd); !slices.Equal(again, all) {
		t.Error("another list after rewinding")
	}
	middle := all[len(all)/2]
	if _, err := unix.Seek(fd, middle.next, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if rest := list(t, fd); !slices.Equal(rest, all[len(all)/2+1:]) {
		t.Errorf("after seeking to the middle %d entries, want %d", len(rest), len(all)-len(all)/2-1)
	}
	for _, e := range all {
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(point, e.name), &st); err != nil {
			t.Fatal(err)
		}
		if e.name != ".." && (uint32(e.kind)<<12 != st.Mode&unix.S_IFMT || e.ino != st.Ino && e.name != ".") {
			t.Errorf("%s: type %d, inode %d in the list; mode %o, inode %d by stat", e.name, e.kind, e.ino, st.Mode, st.Ino)
		}
	}
}

// listed is an entry of a folder.
type listed struct {
	name string
	ino  uint64
	next int64 // where the entry after it is
	kind uint8
}

// list reads a folder from where it is to its end, in small pieces.
func list(t *testing.T, fd int) (all []listed) {
	t.Helper()
	for buf := make([]byte, 1000); ; {
		n, err := unix.Getdents(fd, buf)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return all
		}
		for b := buf[:n]; len(b) > 0; {
			d := (*unix.Dirent)(unsafe.Pointer(&b[0]))
			name, _, _ := bytes.Cut(b[unsafe.Offsetof(d.Name):d.Reclen], []byte{0})
			all = append(all, listed{string(name), d.Ino, d.Off, d.Type})
			b = b[d.Reclen:]
		}
	}
}

// Numbers of inodes do not change while a file does not, and no two files have
// one.
func TestStableInodes(t *testing.T) {
	point, _ := conformTree(t)
	names := []string{"m.safetensors", "plain.txt", "empty", "dir", "dir/below.txt", "link"}
	first := inodes(t, point, names)
	seen := map[uint64]bool{}
	for i, name := range names {
		if seen[first[i]] {
			t.Errorf("%s has the inode of another", name)
		}
		seen[first[i]] = true
	}
	time.Sleep(1100 * time.Millisecond) // after a second the kernel looks names up again
	if again := inodes(t, point, names); !slices.Equal(again, first) {
		t.Errorf("inodes %d, then %d", first, again)
	}
}

func inodes(t *testing.T, dir string, names []string) (all []uint64) {
	t.Helper()
	for _, name := range names {
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(dir, name), &st); err != nil {
			t.Fatal(err)
		}
		all = append(all, st.Ino)
	}
	return all
}

// Extended attributes tell their size, and when a buffer is too small.
func TestXattrSizes(t *testing.T) {
	point, _ := conformTree(t)
	file := point + "/m.safetensors"
	size, err := unix.Listxattr(file, nil)
	if err != nil || size == 0 {
		t.Fatalf("size of the list: %d, %v", size, err)
	}
	names := make([]byte, size)
	if n, err := unix.Listxattr(file, names); err != nil || n != size {
		t.Errorf("list: %d of %d, %v", n, size, err)
	}
	if _, err := unix.Listxattr(file, names[:size-1]); !errors.Is(err, unix.ERANGE) {
		t.Errorf("list in too small a buffer: %v, want ERANGE", err)
	}
	for _, name := range strings.Split(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		size, err := unix.Getxattr(file, name, nil)
		if err != nil || size == 0 {
			t.Fatalf("size of %s: %d, %v", name, size, err)
		}
		value := make([]byte, size)
		if n, err := unix.Getxattr(file, name, value); err != nil || n != size {
			t.Errorf("%s: %d of %d, %v", name, n, size, err)
		}
		if _, err := unix.Getxattr(file, name, value[:size-1]); !errors.Is(err, unix.ERANGE) {
			t.Errorf("%s in too small a buffer: %v, want ERANGE", name, err)
		}
	}
	if _, err := unix.Getxattr(file, "user.missing", nil); !errors.Is(err, unix.ENODATA) {
		t.Errorf("missing attribute: %v, want ENODATA", err)
	}
}
