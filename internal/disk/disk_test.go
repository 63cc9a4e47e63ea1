package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scapefs/scapefs/internal/pagecache"
	"golang.org/x/sys/unix"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// write makes dst whole, or says what failed.
func write(dst, content string, opt Options) error {
	f, err := Create(dst, opt)
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.Write([]byte(content)); err != nil {
		return err
	}
	if err := f.Finish(0o600, time.Unix(1, 0)); err != nil {
		return err
	}
	return f.Commit()
}

func TestLinkNoReplace(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, rename := range []func(string, string) error{linkNoReplace, renameNoReplace} {
		if err := os.WriteFile(a, []byte("a"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := rename(a, b); err != nil {
			t.Fatal(err)
		}
		if got := names(t, dir); !slices.Equal(got, []string{"b"}) {
			t.Errorf("the folder has %v", got)
		}
		if err := os.WriteFile(a, []byte("other"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := rename(a, b); !errors.Is(err, fs.ErrExist) {
			t.Errorf("got %v", err)
		}
		if got, _ := os.ReadFile(b); string(got) != "a" {
			t.Error("replaced")
		}
		if err := os.Remove(b); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFaultsLeaveNothing: whichever step fails, what stood there stands, and no
// temporary file is left. Only the last step comes when the file has its name.
func TestFaultsLeaveNothing(t *testing.T) {
	for _, op := range []Op{OpCreate, OpWrite, OpAttr, OpSync, OpRename, OpFolder} {
		for _, old := range []string{"", "old"} {
			dir := t.TempDir()
			dst := filepath.Join(dir, "x")
			if old != "" {
				if err := os.WriteFile(dst, []byte(old), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := write(dst, "new", Options{Overwrite: true, Fault: func(at Op) error {
				if at == op {
					return syscall.ENOSPC
				}
				return nil
			}})
			if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), dst) || !strings.Contains(err.Error(), "space") {
				t.Errorf("%s: %v", op, err)
			}
			want := old
			if op == OpFolder {
				want = "new"
			}
			got, err := os.ReadFile(dst)
			if string(got) != want || (err == nil) != (want != "") {
				t.Errorf("%s: the file has %q, want %q", op, got, want)
			}
			if got := names(t, dir); len(got) != min(1, len(want)) {
				t.Errorf("%s: left %v", op, got)
			}
		}
	}
}

// TestFullDisk writes to a disk that is full.
func TestFullDisk(t *testing.T) {
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	o := &File{f: f, dst: "/models/x.scape", opt: Options{Fault: func(Op) error { return nil }}}
	_, err = o.Write([]byte("x"))
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "/models/x.scape") || !strings.Contains(err.Error(), "space") {
		t.Errorf("got %v", err)
	}
}

// TestLinksAreNotWrittenThrough: a link under the name of the file is in the way,
// or replaced; what it points to stays.
func TestLinksAreNotWrittenThrough(t *testing.T) {
	dir := t.TempDir()
	victim, link := filepath.Join(dir, "victim"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(victim, []byte("mine"), 0o600), os.Symlink("victim", link)); err != nil {
		t.Fatal(err)
	}
	if err := write(link, "new", Options{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if err := write(link, "new", Options{Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(victim); string(got) != "mine" {
		t.Errorf("what the link pointed to is now %q", got)
	}
	if got, _ := os.ReadFile(link); string(got) != "new" {
		t.Errorf("got %q", got)
	}
}

// TestClean: what a killed run left is removed, what is being made is not, nor
// what only looks like it.
func TestClean(t *testing.T) {
	dir := t.TempDir()
	inUse, err := Create(filepath.Join(dir, "x"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer inUse.Discard()
	for _, name := range []string{".scapefs-1.tmp", ".scapefs-x.tmp", ".scapefs-.tmp", ".scapefs-2.tmp.safetensors"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("x", filepath.Join(dir, ".scapefs-3.tmp")), os.Mkdir(filepath.Join(dir, ".scapefs-4.tmp"), 0o700)); err != nil {
		t.Fatal(err)
	}
	before := names(t, dir)
	removed, err := Clean(dir)
	if err != nil || removed != 1 {
		t.Fatalf("removed %d: %v", removed, err)
	}
	want := slices.DeleteFunc(before, func(name string) bool { return name == ".scapefs-1.tmp" })
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
	if err := errors.Join(inUse.Finish(0o600, time.Time{}), inUse.Commit()); err != nil {
		t.Error(err)
	}
}

// TestFlushDropsPages: after Flush a read comes from the disk.
func TestFlushDropsPages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	var fsinfo unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &fsinfo); err != nil || int64(fsinfo.Type) != unix.EXT4_SUPER_MAGIC && int64(fsinfo.Type) != unix.XFS_SUPER_MAGIC {
		t.Skip("WARNING: the temporary folder is on neither ext4 nor XFS: whether pages are dropped is not tried")
	}
	const size = 4 << 20
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := pagecache.Resident(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Flush(path); err != nil {
		t.Fatal(err)
	}
	if after, err := pagecache.Resident(path); err != nil || after > before/2 {
		t.Errorf("%d bytes in memory before, %d after, %v", before, after, err)
	}
}

func TestMkdirAll(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b", "c")
	for range 2 {
		if err := MkdirAll(deep, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := MkdirAll(filepath.Join(file, "x"), 0o700); err == nil {
		t.Error("a folder in a file")
	}
}
