package integration

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// kills is how often a run is killed; SCAPEFS_KILLS overrides it.
func kills(t *testing.T) int {
	t.Helper()
	s := os.Getenv("SCAPEFS_KILLS")
	if s == "" {
		return 12
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Killed at any moment, unpack leaves a file whole or none.
func TestKilledUnpack(t *testing.T) {
	content := tiledModel(t, 8<<20)
	dir := t.TempDir()
	src := filepath.Join(dir, "m.safetensors")
	write(t, src, content)
	must(t, "pack", src)
	for range kills(t) {
		out := t.TempDir()
		dst := filepath.Join(out, "m.safetensors")
		args := []string{"unpack", "-o", out + "/", filepath.Join(dir, "m.scape")}
		kill(t, time.Duration(rand.Int64N(int64(200*time.Millisecond))), args...)
		if got, err := os.ReadFile(dst); err == nil && !bytes.Equal(got, content) {
			t.Fatal("a part of the original is shown as the whole")
		}
		must(t, args...)
		if got, err := os.ReadFile(dst); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("not unpacked: %v", err)
		}
		noTemporary(t, out)
	}
}

// kill runs scapefs and kills it after a while, if it is not done.
func kill(t *testing.T, after time.Duration, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // it may have ended
	defer timer.Stop()
	_ = cmd.Wait() // killed, or done
}

func noTemporary(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".scapefs-") {
			t.Errorf("%s was left", e.Name())
		}
	}
}
