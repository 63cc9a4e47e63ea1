package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// killRun packs one file in a folder of its own, over and over.
type killRun struct {
	program  string
	dir      string
	src, dst string
	want     []byte
}

func newKillRun(t *testing.T) *killRun {
	t.Helper()
	program, err := exec.LookPath("scapefs")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../testdata/silero-vad-16k.bf16.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	k := &killRun{program, dir, filepath.Join(dir, "m.safetensors"), filepath.Join(dir, "m.scape"), want}
	if err := os.WriteFile(k.src, want, 0o600); err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *killRun) command(t *testing.T, args ...string) *exec.Cmd {
	return exec.CommandContext(t.Context(), k.program, append([]string{"pack", "--chunk-size", "64KiB", "--level", "fast"}, args...)...)
}

// whole checks that of original and archive, what is there is whole, and gives
// whether they are there.
func (k *killRun) whole(t *testing.T) (original, archive bool) {
	t.Helper()
	got, err := os.ReadFile(k.src)
	if original = err == nil; original && !bytes.Equal(got, k.want) {
		t.Fatal("the original is not what it was")
	}
	if _, err := os.Stat(k.dst); err != nil {
		return original, false
	}
	back := filepath.Join(t.TempDir(), "back")
	if code := run(t.Context(), []string{"scapefs", "unpack", "-o", back, k.dst}, io.Discard, io.Discard); code != exitDone {
		t.Fatalf("the archive does not unpack: exit code %d", code)
	}
	if got, err := os.ReadFile(back); err != nil || !bytes.Equal(got, k.want) {
		t.Fatalf("the archive is of other bytes: %v", err)
	}
	return original, true
}

// TestKilledWhilePacking kills pack and pack --replace at random moments:
// there is always a whole original or a whole archive, and the next run
// finishes and leaves nothing else.
func TestKilledWhilePacking(t *testing.T) {
	times := 20
	switch {
	case os.Getenv("SCAPEFS_SWEEP") != "":
		times = 200
	case testing.Short():
		times = 4
	}
	k := newKillRun(t)
	begun := time.Now()
	if out, err := k.command(t, k.src).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	takes := time.Since(begun)
	rng := rand.New(rand.NewPCG(1, 1))
	killed := 0
	for i := range times {
		if err := os.Remove(k.dst); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(k.src, k.want, 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{k.src}
		if i%2 == 1 {
			args = []string{"--replace", k.src}
		}
		if k.kill(t, time.Duration(rng.Int64N(int64(takes))), args) {
			killed++
		}
		original, archive := k.whole(t)
		if !original && (!archive || i%2 == 0) {
			t.Fatalf("the original is gone; the archive is there: %v", archive)
		}
		if original {
			if out, err := k.command(t, args...).CombinedOutput(); err != nil {
				t.Fatalf("the next run: %v: %s", err, out)
			}
			if original, archive = k.whole(t); original == (i%2 == 1) || !archive {
				t.Errorf("after the next run: original %v, archive %v", original, archive)
			}
		}
		if names := namesIn(t, k.dir); slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, ".tmp") }) {
			if original {
				t.Errorf("left: %v", names)
			}
		}
	}
	t.Logf("%d of %d killed", killed, times)
}

// kill reports whether the command was killed, and had not ended before.
func (k *killRun) kill(t *testing.T, after time.Duration, args []string) bool {
	t.Helper()
	cmd := k.command(t, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after)
	_ = cmd.Process.Kill() // it may have ended
	return cmd.Wait() != nil
}

func namesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestPackToAFullDisk packs onto a disk that is too small, which is then made
// larger.
func TestPackToAFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=128k"); err != nil {
		if os.Getenv("SCAPEFS_REQUIRE") != "" && os.Geteuid() == 0 {
			t.Fatalf("SCAPEFS_REQUIRE is set, but no small disk can be mounted: %v", err)
		}
		t.Skipf("WARNING: skipped, needs root to mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, 0); err != nil {
			t.Errorf("%v; taken down: %v", err, unix.Unmount(disk, unix.MNT_DETACH))
		}
	})
	k := newKillRun(t)
	var stderr bytes.Buffer
	pack := []string{"scapefs", "pack", "--replace", "--level", "fast", "-o", filepath.Join(disk, "m.scape"), k.src}
	if code := run(t.Context(), pack, io.Discard, &stderr); code != exitFailed || !strings.Contains(stderr.String(), "free some space") {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
	if names := namesIn(t, disk); len(names) != 0 {
		t.Errorf("left on the full disk: %v", names)
	}
	if original, _ := k.whole(t); !original {
		t.Fatal("the original is gone")
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT, "size=16m"); err != nil {
		t.Fatal(err)
	}
	if code := run(t.Context(), pack, io.Discard, io.Discard); code != exitDone {
		t.Errorf("with room: exit code %d", code)
	}
	k.dst = filepath.Join(disk, "m.scape")
	if original, archive := k.whole(t); original || !archive {
		t.Errorf("with room: original %v, archive %v", original, archive)
	}
}
