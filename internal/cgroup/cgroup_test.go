package cgroup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func newGroup(t *testing.T, l Limits) *Group {
	t.Helper()
	g, err := New(l)
	if errors.Is(err, ErrUnavailable) {
		if os.Getenv("SCAPEFS_REQUIRE") != "" && os.Geteuid() == 0 {
			t.Fatalf("SCAPEFS_REQUIRE is set: %v", err)
		}
		t.Skipf("SKIPPED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// What a real group starts is in it, under the limit, and the group goes away.
func TestGroupHoldsItsProcesses(t *testing.T) {
	g := newGroup(t, Limits{Memory: 64 << 20})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := g.Command(ctx, "cat", "/proc/self/cgroup").CombinedOutput()
	if err != nil || !strings.Contains(string(out), filepath.Base(g.memory)) {
		t.Errorf("not in the group: %v: %s", err, out)
	}
	if got := readFile(t, filepath.Join(g.memory, g.files.limit)); got != "67108864" {
		t.Errorf("limit %s", got)
	}
	if peak, err := g.PeakMemory(); err != nil || peak <= 0 {
		t.Errorf("peak %d, %v", peak, err)
	}
	if kills, err := g.OOMKills(); err != nil || kills != 0 {
		t.Errorf("%d kills, %v", kills, err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(g.memory); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the group is still there: %v", err)
	}
}

// A process that takes more than its group may is killed, and counted.
func TestGroupCountsKills(t *testing.T) {
	g := newGroup(t, Limits{Memory: 16 << 20})
	defer g.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := g.Command(ctx, "sh", "-c", "head -c 64000000 /dev/zero | tail -c 64000000 | wc -c").CombinedOutput()
	if kills, killsErr := g.OOMKills(); killsErr != nil || kills == 0 {
		t.Errorf("%d kills, %v; the process: %v: %s", kills, killsErr, err, out)
	}
}

// A disk that no limit can be set on is the machine's fault, and nothing is left.
func TestGroupOfNoDisk(t *testing.T) {
	_, err := New(Limits{ReadBPS: 1 << 20, Disk: "/proc"})
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("error %v", err)
	}
}

// Both versions are told the same limit, in the files that each has.
func TestVersions(t *testing.T) {
	for name, c := range map[string]struct {
		controllers, dir, file, want string
	}{
		"1": {"", "memory", "memory.limit_in_bytes", "1048576"},
		"2": {"cpu io memory pids", "", "memory.max", "1048576"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			if err := os.MkdirAll(filepath.Join(root, "memory"), 0o755); err != nil {
				t.Fatal(err)
			}
			if c.controllers != "" {
				if err := os.WriteFile(filepath.Join(root, "cgroup.controllers"), []byte(c.controllers), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			g, err := newAt(root, Limits{Memory: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			if dir := filepath.Dir(g.memory); dir != filepath.Join(root, c.dir) {
				t.Errorf("made in %s", dir)
			}
			if got := readFile(t, filepath.Join(g.memory, c.file)); got != c.want {
				t.Errorf("%s holds %q", c.file, got)
			}
		})
	}
	if got := version2.readLimit("8:0", 5); got != "8:0 rbps=5" {
		t.Errorf("version 2 is told %q", got)
	}
	if got := version1.readLimit("8:0", 5); got != "8:0 5" {
		t.Errorf("version 1 is told %q", got)
	}
}
