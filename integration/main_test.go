package integration

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scapefs/scapefs/integration/torture/rig"
)

// program is the scapefs that the tests run.
var program string

func TestMain(m *testing.M) {
	rig.RunChild()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "scapefs-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "scapefs")
	if built := os.Getenv("SCAPEFS_PROGRAM"); built != "" { // one that is installed, or another version
		program = built
		return m.Run()
	}
	build := exec.Command("go", "build", "-o", program, "github.com/scapefs/scapefs/cmd/scapefs")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build scapefs: %v\n%s", err, out)
		return 1
	}
	code := m.Run()
	if left := leftMounts(); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "mounts left behind: %v\n", left)
		return 1
	}
	return code
}

// points are the mount points that the tests have used.
var points struct {
	sync.Mutex
	list []string
}

// leftMounts lists those on which a mount still stands.
func leftMounts() (left []string) {
	b, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && slices.Contains(points.list, f[1]) {
			left = append(left, f[1])
		}
	}
	return left
}

// mountPoint gives an empty folder to mount on.
func mountPoint(t *testing.T) string {
	t.Helper()
	needFUSE(t)
	point := t.TempDir()
	points.Lock()
	defer points.Unlock()
	points.list = append(points.list, point)
	return point
}

// missing skips a test for want of what, or fails it where nothing may be
// skipped: in CI, SCAPEFS_REQUIRE is set.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("SCAPEFS_REQUIRE") != "" {
		t.Fatalf("needs %s, and SCAPEFS_REQUIRE is set", what)
	}
	t.Skipf("SKIPPED: needs %s", what)
}

func needFUSE(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		missing(t, "/dev/fuse")
	}
	if _, err := exec.LookPath("fusermount3"); err != nil && os.Getuid() != 0 {
		missing(t, "fusermount3 (package fuse3)")
	}
}

// result is what one run of a program left.
type result struct {
	code           int
	stdout, stderr string
}

// scapefs runs the program to its end, bounded in time.
func scapefs(t *testing.T, args ...string) result {
	t.Helper()
	// Not the test's own context: that has ended when it cleans up.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("scapefs %v: did not end in time\n%s", args, stderr.String())
	}
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatalf("scapefs %v: %v", args, err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// must runs the program and demands success.
func must(t *testing.T, args ...string) result {
	t.Helper()
	r := scapefs(t, args...)
	if r.code != 0 {
		t.Fatalf("scapefs %v: exit %d\n%s%s", args, r.code, r.stdout, r.stderr)
	}
	return r
}

// mount mounts src for the length of the test and gives the mount point.
func mount(t *testing.T, src string, options ...string) string {
	t.Helper()
	point := mountPoint(t)
	must(t, append(append([]string{"mount"}, options...), src, point)...)
	t.Cleanup(func() {
		if r := scapefs(t, "umount", point); r.code != 0 {
			t.Errorf("umount: exit %d: %s", r.code, r.stderr)
		}
	})
	return point
}

// models lists the safetensors files that the tests read: the corpus where
// there is one, else the files that the repository carries.
func models(t *testing.T) []string {
	t.Helper()
	dir := os.Getenv("SCAPEFS_CORPUS")
	if dir == "" {
		dir = "../testdata"
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no models in %s: %v", dir, err)
	}
	return files
}

// small gives a model of about half a megabyte.
func small(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("../testdata/*.bf16.safetensors")
	if err != nil || len(files) == 0 {
		t.Fatalf("no models in testdata: %v", err)
	}
	return files[0]
}

func copyFile(t *testing.T, dst, src string) {
	t.Helper()
	b, err := os.ReadFile(src)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dst, b)
}

// sum is the SHA-256 of b.
func sum(b []byte) [32]byte { return sha256.Sum256(b) }

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// tree lists all that is under dir, relative to it.
func tree(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != dir {
			rel, _ := filepath.Rel(dir, path)
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
