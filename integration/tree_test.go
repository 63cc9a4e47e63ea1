package integration

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A folder of sharded models with what stands beside them shows as it was.
func TestTree(t *testing.T) {
	src, packed := t.TempDir(), filepath.Join(t.TempDir(), "packed")
	model := small(t)
	copyFile(t, filepath.Join(src, "org/name/model-00001-of-00002.safetensors"), model)
	copyFile(t, filepath.Join(src, "org/name/model-00002-of-00002.safetensors"), model)
	write(t, filepath.Join(src, "org/name/config.json"), []byte(`{"a": 1}`))
	write(t, filepath.Join(src, "org/name/empty"), nil)
	if err := os.Symlink("model-00001-of-00002.safetensors", filepath.Join(src, "org/name/link.safetensors")); err != nil {
		t.Fatal(err)
	}
	must(t, "pack", "-o", packed, src)
	point := mount(t, packed)

	if got, want := tree(t, point), tree(t, src); !slices.Equal(got, want) {
		t.Errorf("the mount shows %q, the source has %q", got, want)
	}
	for _, name := range tree(t, src) {
		compareEntry(t, filepath.Join(src, name), filepath.Join(point, name))
	}
}

func compareEntry(t *testing.T, want, got string) {
	t.Helper()
	a, err := os.Lstat(want)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.Lstat(got)
	if err != nil {
		t.Error(err)
		return
	}
	if a.Mode().Type() != b.Mode().Type() {
		t.Errorf("%s is %v, was %v", got, b.Mode(), a.Mode())
	}
	if a.Mode()&os.ModeSymlink != 0 {
		x, _ := os.Readlink(want)
		y, _ := os.Readlink(got)
		if x != y {
			t.Errorf("%s links to %q, was %q", got, y, x)
		}
	}
	if !a.Mode().IsRegular() {
		return
	}
	if a.Size() != b.Size() || !a.ModTime().Equal(b.ModTime()) {
		t.Errorf("%s: %d bytes of %v, was %d of %v", got, b.Size(), b.ModTime(), a.Size(), a.ModTime())
	}
	content, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if len(content) > 0 {
		checkReads(t, got, content)
	}
}

func TestReadOnly(t *testing.T) {
	packed := t.TempDir()
	must(t, "pack", "-o", packed+"/", small(t))
	point := mount(t, packed)
	file := filepath.Join(point, filepath.Base(small(t)))
	_, create := os.Create(filepath.Join(point, "new"))
	_, open := os.OpenFile(file, os.O_RDWR, 0)
	for name, err := range map[string]error{
		"create": create, "open for write": open, "mkdir": os.Mkdir(filepath.Join(point, "d"), 0o755),
		"remove": os.Remove(file), "rename": os.Rename(file, file+"x"), "truncate": os.Truncate(file, 0),
		"chmod": os.Chmod(file, 0o600), "setxattr": unix.Setxattr(file, "user.x", []byte("y"), 0),
	} {
		if !errors.Is(err, unix.EROFS) {
			t.Errorf("%s: %v, want EROFS", name, err)
		}
	}
}

func TestAttributes(t *testing.T) {
	packed := t.TempDir()
	must(t, "pack", "-o", packed+"/", small(t))
	point := mount(t, packed)
	file := filepath.Join(point, filepath.Base(small(t)))
	var a, b unix.Stat_t
	if err := errors.Join(unix.Stat(file, &a), unix.Fadvise(0, 0, 0, 0), unix.Stat(file, &b)); err != nil && !errors.Is(err, unix.ESPIPE) {
		t.Fatal(err)
	}
	if a.Ino != b.Ino || a.Ino == 0 {
		t.Errorf("inode %d, then %d", a.Ino, b.Ino)
	}
	if a.Blocks*512 < a.Size || a.Blksize < 4096 || a.Blksize > 1<<20 {
		t.Errorf("%d blocks of 512 for %d bytes, block size %d", a.Blocks, a.Size, a.Blksize)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(point, &st); err != nil || st.Blocks == 0 {
		t.Errorf("statfs: %v, %d blocks", err, st.Blocks)
	}
	for _, name := range []string{"sha256", "ratio", "codec", "stored_size", "archive"} {
		buf := make([]byte, 4096)
		n, err := unix.Getxattr(file, "user.scapefs."+name, buf)
		if err != nil || n == 0 {
			t.Errorf("user.scapefs.%s: %v, %d bytes", name, err, n)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mounts), packed+" "+point+" fuse.scapefs ro,") {
		t.Errorf("/proc/self/mounts does not have %s as fuse.scapefs", point)
	}
}
