// Package rig puts the parts of a torture together: the roles that processes
// play, and archives whose content follows from seeds. It knows nothing of
// which faults are tried, nor what must come of them.
package rig

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/scapefs/scapefs/integration/torture/child"
	"github.com/scapefs/scapefs/integration/torture/faulty"
	"github.com/scapefs/scapefs/integration/torture/reader"
	"github.com/scapefs/scapefs/integration/torture/weights"
)

// packTime is how long a file may take to be packed.
const packTime = 5 * time.Minute

// RunChild plays the role that this process was started for, if any. A program
// that uses the rig calls it first.
func RunChild() {
	child.Run(map[string]child.Role{faulty.Role: faulty.Main, reader.Role: reader.Main})
}

// Pack makes the file of so many tensors and seed, packs it with program, and
// puts the archive at path, in one step.
func Pack(program, path string, seed uint64, tensors int) error {
	dir, err := os.MkdirTemp(filepath.Dir(filepath.Dir(path)), ".pack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	plain, packed := filepath.Join(dir, "w.safetensors"), filepath.Join(dir, "w.scape")
	if err := WriteFile(plain, weights.New(seed, tensors)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), packTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "pack", "--level", "fast", "-o", packed, plain).CombinedOutput()
	if err != nil {
		return fmt.Errorf("pack: %w: %s", err, out)
	}
	return os.Rename(packed, path)
}

// WriteFile writes w, unpacked, to path.
func WriteFile(path string, w *weights.File) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{f}, io.NewSectionReader(w, 0, w.Size()), make([]byte, 1<<20)); err != nil {
		return err
	}
	return f.Close()
}
