package integration

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Every real loader, unmodified, gets the tensors of a sharded model from the
// mount bit for bit; and would notice if one bit were another.
func TestLoaders(t *testing.T) {
	needFUSE(t)
	venv := os.Getenv("SCAPEFS_VENV")
	if venv == "" {
		venv = "../.cache/loaders-venv"
	}
	venv, err := filepath.Abs(venv)
	if err != nil {
		t.Fatal(err)
	}
	python := filepath.Join(venv, "bin/python")
	if _, err := os.Stat(python); err != nil {
		missing(t, "the loaders' Python environment (scripts/setup.sh loaders)")
	}
	plain, packed := t.TempDir(), filepath.Join(t.TempDir(), "packed")
	bounded(t, 3*time.Minute, python, "loaders/make_model.py", filepath.Join(plain, "llama"), "shards")
	must(t, "pack", "-o", packed, plain)
	point := mount(t, packed)
	args := []string{"loaders/run_all.py", "--venv", venv, "--ref", filepath.Join(plain, "llama"), filepath.Join(point, "llama")}
	if testing.Short() {
		args = append(args, "--quick")
	}
	bounded(t, 10*time.Minute, python, args...)
	bounded(t, 5*time.Minute, python, "loaders/run_all.py", "--venv", venv, "--negative-control", filepath.Join(plain, "llama"))
}

// bounded runs a program, shows its output, and demands success in time.
func bounded(t *testing.T, limit time.Duration, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
}
