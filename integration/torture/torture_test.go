package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/scapefs/scapefs/integration/torture/faulty"
	"github.com/scapefs/scapefs/integration/torture/rig"
)

func TestMain(m *testing.M) {
	rig.RunChild()
	os.Exit(m.Run())
}

// Each fault once, one after the other, under the same readers: no byte is
// wrong, nothing hangs, all heals, and nothing is left behind.
func TestEveryFaultOnce(t *testing.T) {
	needFUSE(t)
	c := testConfig(t)
	c.length = time.Nanosecond // as many rounds as there are faults are tried in any case
	r, err := torture(t.Context(), c, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r.print(t.Output())
	if !r.ok() || len(r.Faults) != len(faults()) || r.Readers.Good == 0 {
		t.Errorf("%+v", r.Bad)
	}
}

// Without faults no read fails.
func TestSoak(t *testing.T) {
	needFUSE(t)
	c := testConfig(t)
	c.soak, c.length = true, time.Second
	r, err := torture(t.Context(), c, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r.print(t.Output())
	if !r.ok() || r.Readers.Good != r.Readers.Passes || r.Readers.Good == 0 {
		t.Errorf("%+v, errors %v", r.Bad, r.Readers.Errors)
	}
}

// An inode number that went to another name stands for that name's file.
func TestDiskShowsRenamedFiles(t *testing.T) {
	needFUSE(t)
	folder, point := t.TempDir(), t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a", "first")
	disk, err := faulty.Start(folder, point)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := disk.Stop(); err != nil {
			t.Error(err)
		}
	}()
	held, err := os.Open(filepath.Join(point, "a")) // the kernel keeps the node
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := os.Rename(filepath.Join(folder, "a"), filepath.Join(folder, "b")); err != nil {
		t.Fatal(err)
	}
	write("a", "second")
	for name, want := range map[string]string{"a": "second", "b": "first"} {
		if got, err := os.ReadFile(filepath.Join(point, name)); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v; want %q", name, got, err, want)
		}
	}
}

func testConfig(t *testing.T) config {
	t.Helper()
	c := config{program: filepath.Join(t.TempDir(), "scapefs"), seed: 1, files: 3, tensors: 2, patience: 3 * time.Minute, log: io.Discard}
	build := exec.Command("go", "build", "-o", c.program, "github.com/scapefs/scapefs/cmd/scapefs")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build scapefs: %v\n%s", err, out)
	}
	return c
}

func needFUSE(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err == nil {
		return
	}
	if os.Getenv("SCAPEFS_REQUIRE") != "" {
		t.Fatal("needs /dev/fuse, and SCAPEFS_REQUIRE is set")
	}
	t.Skip("SKIPPED: needs /dev/fuse")
}
