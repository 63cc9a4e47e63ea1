package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Bad archives are named with exit 3, leave nothing behind, and do not keep a
// mount from showing the good ones.
func TestBadArchives(t *testing.T) {
	packed := t.TempDir()
	model := small(t)
	good := filepath.Join(packed, "good.scape")
	must(t, "pack", "-o", good, model)
	archive, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int, b byte) []byte {
		c := bytes.Clone(archive)
		c[at] ^= b
		return c
	}
	bad := map[string][]byte{
		"empty":      nil,
		"text":       []byte("not an archive, but some text that is longer than a header and a trailer together, of course"),
		"magic":      change(0, 1),
		"truncated":  archive[:len(archive)-100],
		"half":       archive[:len(archive)/2],
		"index":      change(len(archive)-100, 1),
		"chunk":      change(len(archive)/2, 1),
		"chunk-head": change(16, 4),
	}
	for name, content := range bad {
		write(t, filepath.Join(packed, name+".scape"), content)
	}
	out := t.TempDir()
	for name := range bad {
		path := filepath.Join(packed, name+".scape")
		for _, args := range [][]string{{"verify", path}, {"unpack", "-o", out + "/", path}} {
			r := scapefs(t, args...)
			if r.code != 3 || !strings.Contains(r.stderr, path) {
				t.Errorf("%v: exit %d, stderr %q", args, r.code, r.stderr)
			}
			if strings.HasPrefix(name, "chunk") && !(strings.Contains(r.stderr, "chunk") && strings.Contains(r.stderr, "offset")) {
				t.Errorf("%v names no chunk and offset: %q", args, r.stderr)
			}
		}
	}
	if left := tree(t, out); len(left) > 0 {
		t.Errorf("unpack left %q behind", left)
	}

	point := mount(t, packed)
	want, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	checkReads(t, filepath.Join(point, "good.safetensors"), want)
	for name := range bad {
		b, err := os.ReadFile(filepath.Join(point, name+".safetensors"))
		if !errors.Is(err, unix.EIO) {
			t.Errorf("%s through the mount: %d bytes, %v; want EIO", name, len(b), err)
		}
	}
}

// A newer version of the format is named as such.
func TestNewerVersion(t *testing.T) {
	dir := t.TempDir()
	archive := filepath.Join(dir, "m.scape")
	must(t, "pack", "-o", archive, small(t))
	b, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	b[8] = 2
	write(t, archive, b)
	r := scapefs(t, "info", archive)
	if r.code != 3 || !strings.Contains(r.stderr, "version 2") {
		t.Errorf("exit %d, stderr %q", r.code, r.stderr)
	}
}

// An archive that is replaced, cut or removed under the mount gives the new
// content or EIO, never a mix.
func TestSourceChanges(t *testing.T) {
	packed := t.TempDir()
	archive := filepath.Join(packed, "m.scape")
	files := models(t)
	first, second := files[0], files[len(files)-1]
	must(t, "pack", "-o", archive, first)
	point := mount(t, packed)
	path := filepath.Join(point, "m.safetensors")
	want, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	checkReads(t, path, want)

	held, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	other := filepath.Join(t.TempDir(), "o.scape")
	must(t, "pack", "-o", other, second)
	copyFile(t, archive+".new", other)
	if err := os.Rename(archive+".new", archive); err != nil {
		t.Fatal(err)
	}
	replaced, err := os.ReadFile(second)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new content", func() error { return sameFile(path, replaced) })
	old, err := io.ReadAll(io.NewSectionReader(held, 0, int64(len(want))))
	if err == nil && !bytes.Equal(old, want) {
		t.Error("a file held open gave a mix of contents")
	}

	if err := os.Truncate(archive, 1000); err != nil {
		t.Fatal(err)
	}
	eventually(t, "EIO on the cut archive", func() error {
		if b, err := os.ReadFile(path); !errors.Is(err, unix.EIO) {
			return fmt.Errorf("%d bytes, %v", len(b), err)
		}
		return nil
	})
	if err := os.Remove(archive); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the file gone", func() error {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("stat: %v", err)
		}
		return nil
	})
}

func sameFile(path string, want []byte) error {
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		return fmt.Errorf("%d bytes, expected %d: %v", len(got), len(want), err)
	}
	return nil
}

// eventually allows the kernel's caches of names and attributes to expire.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	var err error
	for range 50 {
		if err = check(); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s: %v", what, err)
}

func TestMountErrors(t *testing.T) {
	needFUSE(t)
	packed := t.TempDir()
	must(t, "pack", "-o", packed+"/", small(t))
	if r := scapefs(t, "mount", packed, filepath.Join(t.TempDir(), "missing")); r.code != 1 || !strings.Contains(r.stderr, "missing") {
		t.Errorf("missing mount point: exit %d, %q", r.code, r.stderr)
	}
	if r := scapefs(t, "mount", filepath.Join(packed, "nowhere"), t.TempDir()); r.code != 1 || !strings.Contains(r.stderr, "nowhere") {
		t.Errorf("missing source: exit %d, %q", r.code, r.stderr)
	}
	point := mount(t, packed)
	if r := scapefs(t, "mount", packed, point); r.code != 1 || !strings.Contains(r.stderr, "mounted") {
		t.Errorf("busy mount point: exit %d, %q", r.code, r.stderr)
	}
	if r := scapefs(t, "umount", t.TempDir()); r.code != 1 {
		t.Errorf("umount of nothing: exit %d, %q", r.code, r.stderr)
	}
}

// A mount whose daemon was killed is cleaned up by the next mount.
func TestDeadMount(t *testing.T) {
	packed := t.TempDir()
	must(t, "pack", "-o", packed+"/", small(t))
	point := mount(t, packed)
	pid := daemonOf(t, point)
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a dead mount", func() error {
		if _, err := os.Stat(point); !errors.Is(err, unix.ENOTCONN) {
			return fmt.Errorf("stat: %v", err)
		}
		return nil
	})
	must(t, "mount", packed, point)
	want, err := os.ReadFile(small(t))
	if err != nil {
		t.Fatal(err)
	}
	checkReads(t, filepath.Join(point, filepath.Base(small(t))), want)
}

// A mount is taken down though a file in it is open.
func TestUmountBusy(t *testing.T) {
	packed := t.TempDir()
	must(t, "pack", "-o", packed+"/", small(t))
	point := mountPoint(t)
	must(t, "mount", packed, point)
	f, err := os.Open(filepath.Join(point, filepath.Base(small(t))))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	must(t, "umount", point)
	if left := tree(t, point); len(left) > 0 {
		t.Errorf("still shows %q", left)
	}
}

// daemonOf finds the process that serves a mount, by its command line.
func daemonOf(t *testing.T, point string) int {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range dirs {
		b, _ := os.ReadFile(path)
		args := strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")
		if len(args) > 2 && filepath.Base(args[0]) == "scapefs" && args[len(args)-1] == point {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatalf("no daemon serves %s", point)
	return 0
}

// A full disk while packing or unpacking: a clear error, what is read is
// untouched, and no part of what is written stays.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		missing(t, "root, to mount a small tmpfs")
	}
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", disk).CombinedOutput(); err != nil {
		missing(t, fmt.Sprintf("a tmpfs (%v: %s)", err, out))
	}
	defer exec.Command("umount", disk).Run()
	src := filepath.Join(t.TempDir(), "m.safetensors")
	copyFile(t, src, small(t))
	before, err := os.ReadFile(src)
	if err != nil {
		t.Fatal(err)
	}
	r := scapefs(t, "pack", "--replace", "-o", disk+"/", src)
	if r.code != 1 || !strings.Contains(r.stderr, "no space left") {
		t.Errorf("exit %d, stderr %q", r.code, r.stderr)
	}
	if left := tree(t, disk); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if err := sameFile(src, before); err != nil {
		t.Errorf("the original: %v", err)
	}
	must(t, "pack", src)
	r = scapefs(t, "unpack", "-o", disk+"/", filepath.Join(filepath.Dir(src), "m.scape"))
	if r.code != 1 || !strings.Contains(r.stderr, "no space left") {
		t.Errorf("unpack: exit %d, stderr %q", r.code, r.stderr)
	}
	if left := tree(t, disk); len(left) > 0 {
		t.Errorf("unpack left behind: %q", left)
	}
}
