package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// output is a file that appears under its name only when it is complete. Until
// then it is a temporary file in the same folder.
type output struct {
	f         *os.File
	dst       string
	overwrite bool
	renamed   bool
}

// createOutput begins a file that is to be dst. Unless overwrite is set, it
// fails if dst exists; commit looks again.
func createOutput(dst string, overwrite bool) (*output, error) {
	if info, err := os.Lstat(dst); err == nil && (!overwrite || info.IsDir()) {
		return nil, &fs.PathError{Op: "create", Path: dst, Err: fs.ErrExist}
	}
	dir, name := filepath.Split(dst)
	if dir == "" {
		dir = "."
	}
	const most = 200 // bytes of the name, so that the temporary one is not too long
	f, err := os.CreateTemp(dir, "."+name[:min(len(name), most)]+".*.tmp")
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", dst, err)
	}
	return &output{f: f, dst: dst, overwrite: overwrite}, nil
}

// Write appends p.
func (o *output) Write(p []byte) (int, error) {
	n, err := o.f.Write(p)
	return n, o.explain(err)
}

// explain says what to do about a full disk.
func (o *output) explain(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("write %s: %w: free some space or write to another disk", o.dst, err)
	}
	return err
}

// finish sets mode and, unless it is zero, mtime, and waits until all is on
// disk.
func (o *output) finish(mode fs.FileMode, mtime time.Time) error {
	if err := o.f.Chmod(mode); err != nil {
		return err
	}
	if err := os.Chtimes(o.f.Name(), time.Time{}, mtime); err != nil {
		return err
	}
	return o.explain(o.f.Sync())
}

// commit gives the file its name.
func (o *output) commit() error {
	if err := o.f.Close(); err != nil {
		return o.explain(err)
	}
	rename := renameNoReplace
	if o.overwrite {
		rename = os.Rename
	}
	if err := rename(o.f.Name(), o.dst); err != nil {
		return err
	}
	o.renamed = true
	return syncDir(filepath.Dir(o.dst))
}

// discard removes what is left of a file that was not committed.
func (o *output) discard() {
	if !o.renamed {
		_ = o.f.Close() // commit may have closed it
		_ = os.Remove(o.f.Name())
	}
}

// syncDir makes a rename in dir durable, where the file system can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// linkNoReplace renames by way of a second link, which fails if there is a file
// of the new name.
func linkNoReplace(from, to string) error {
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}
