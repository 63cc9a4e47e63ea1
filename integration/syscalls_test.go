package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fileCalls are the system calls by which scapefs works on files, each with the
// errors that it is made to fail by.
var fileCalls = map[string][]string{
	"openat": {"EIO", "ENOSPC"}, "read": {"EIO"}, "pread64": {"EIO"}, "write": {"EIO", "ENOSPC"}, "close": {"EIO"},
	"fsync": {"EIO", "ENOSPC"}, "fstat": {"EIO"}, "newfstatat": {"EIO"}, "getdents64": {"EIO"}, "flock": {"EIO"},
	"fchmod": {"EIO"}, "utimensat": {"EIO"}, "renameat2": {"EIO", "ENOSPC"}, "linkat": {"EIO", "ENOSPC"},
	"unlinkat": {"EIO"}, "fadvise64": {"EIO"},
}

// traced runs scapefs under strace, which makes it fail as inject says, and
// gives its exit code, what it said and the trace.
func traced(t *testing.T, trace, inject string, args ...string) (res result, log string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace")
	line := []string{"-f", "-qq", "-o", path, "-e", "trace=" + trace}
	if inject != "" {
		line = append(line, "-e", "inject="+inject)
	}
	ctx, cancel := context.WithTimeout(t.Context(), hangLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "strace", append(append(line, program), args...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1") // strace counts the calls of each thread by itself
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	var exit *exec.ExitError
	if err := cmd.Run(); ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		t.Fatalf("strace: %v, %v: %s", err, ctx.Err(), &out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return result{code: cmd.ProcessState.ExitCode(), stderr: out.String()}, string(b)
}

func needStrace(t *testing.T) {
	t.Helper()
	if err := exec.Command("strace", "-qq", "-o", os.DevNull, "true").Run(); err != nil {
		missing(t, fmt.Sprintf("strace, and leave to trace (%v)", err))
	}
}

var callName = regexp.MustCompile(`(?m)^\d+ +([a-z0-9]+)\(`)

// failures lists what to inject into a run of scapefs like that of the trace:
// every file call of it by every error, or some of them.
func failures(log string, sweep bool) (all []string) {
	counts := map[string]int{}
	for _, m := range callName.FindAllStringSubmatch(log, -1) {
		counts[m[1]]++
	}
	for call, n := range counts {
		for nth := 1; nth <= n; nth++ {
			if !sweep && nth != n && nth%max(1, n/3) != 0 {
				continue
			}
			for _, errno := range fileCalls[call] {
				all = append(all, fmt.Sprintf("%s:error=%s:when=%d", call, errno, nth))
			}
		}
	}
	slices.Sort(all)
	return all
}

// replacing is a file that pack --replace replaces.
type replacing struct {
	dir, src, dst string
	want          []byte
	args          []string
}

func newReplacing(t *testing.T, want []byte) *replacing {
	dir := t.TempDir()
	r := &replacing{dir, filepath.Join(dir, "m.safetensors"), filepath.Join(dir, "m.scape"), want, nil}
	r.args = []string{"pack", "--replace", "--jobs", "1", "--level", "fast", "--chunk-size", "32KiB", r.src}
	write(t, r.src, want)
	return r
}

// whole demands that original and archive are whole, if they are there.
func (r *replacing) whole(t *testing.T) (original, packed bool) {
	t.Helper()
	got, err := os.ReadFile(r.src)
	if original = err == nil; original && !bytes.Equal(got, r.want) {
		t.Fatal("the original is not what it was")
	}
	if _, err := os.Stat(r.dst); err != nil {
		return original, false
	}
	back := filepath.Join(t.TempDir(), "back")
	must(t, "unpack", "-o", back, r.dst)
	if err := sameFile(back, r.want); err != nil {
		t.Fatalf("the archive: %v", err)
	}
	return original, true
}

// Whichever system call of pack --replace fails, the original is there or its
// archive is, on disk and whole, and the next run finishes.
func TestEverySystemCallOfPackFails(t *testing.T) {
	needStrace(t)
	want := tiledModel(t, 8<<20)[:1<<17] // no safetensors file any more, but a file
	for _, packedBefore := range []bool{false, true} {
		prepare := func() *replacing {
			r := newReplacing(t, want)
			if packedBefore {
				must(t, "pack", r.src)
			}
			return r
		}
		r := prepare()
		res, log := traced(t, strings.Join(slices.Sorted(maps.Keys(fileCalls)), ","), "", r.args...)
		if original, packed := r.whole(t); res.code != 0 || original || !packed {
			t.Fatalf("without a fault: exit %d, original %v, archive %v: %s", res.code, original, packed, res.stderr)
		}
		checkOrder(t, log, r)
		all, met := failures(log, os.Getenv("SCAPEFS_SWEEP") != ""), 0
		for _, inject := range all {
			if prepare().survives(t, inject) {
				met++
			}
		}
		t.Logf("packed before %v: %d faults tried, %d met", packedBefore, len(all), met)
		if met < len(all)/3 {
			t.Errorf("packed before %v: only %d of %d faults were met", packedBefore, met, len(all))
		}
	}
}

// survives replaces the file while a system call fails as inject says, then
// without. It tells whether the failure was met.
func (r *replacing) survives(t *testing.T, inject string) (met bool) {
	t.Helper()
	call, _, _ := strings.Cut(inject, ":")
	res, log := traced(t, call+",unlinkat", inject, r.args...)
	_, after, met := strings.Cut(log, "(INJECTED)")
	if met && call == "fsync" && (res.code == 0 || strings.Contains(after, r.src)) {
		t.Errorf("%s: exit %d, and then: %s", inject, res.code, after)
	}
	original, packed := r.whole(t)
	if !original && !packed || res.code == 0 && (original || !packed) || strings.Contains(res.stderr, "panic:") {
		t.Errorf("%s: exit %d, original %v, archive %v: %s", inject, res.code, original, packed, res.stderr)
	}
	if !original {
		return met
	}
	must(t, r.args...)
	if original, packed = r.whole(t); original || !packed {
		t.Errorf("%s: after the next run: original %v, archive %v", inject, original, packed)
	}
	noTemporary(t, r.dir)
	return met
}

// checkOrder demands of a trace that the archive and its name are on disk before
// the original is removed, and that this is on disk at the end.
func checkOrder(t *testing.T, log string, r *replacing) {
	t.Helper()
	at := regexp.MustCompile(`(?m)^\d+ +unlinkat\(.*` + regexp.QuoteMeta(r.src)).FindStringIndex(log)
	if at == nil {
		t.Fatalf("the original is not removed: %s", log)
	}
	before, after := log[:at[0]], log[at[0]:]
	named := strings.LastIndex(before, "renameat2(")
	if strings.Count(before, " fsync(") < 2 || named > strings.LastIndex(before, " fsync(") || !strings.Contains(after, " fsync(") {
		t.Errorf("not flushed in order: %s", log)
	}
}
