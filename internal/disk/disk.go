// Package disk makes files that are there whole or not at all, and durable
// once they are there.
//
// A file being made has a temporary name in the folder where it is to stand,
// and a lock for as long as its maker lives. A run that was killed leaves its
// temporary files without a lock: Clean removes them.
//
// The package knows nothing of archives, nor of what it writes.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Op is a step on the way to a whole file, for Options.Fault.
type Op string

// The steps, in their order.
const (
	OpCreate Op = "create"
	OpWrite  Op = "write"
	OpAttr   Op = "attributes"
	OpSync   Op = "sync"
	OpRename Op = "rename"
	OpFolder Op = "sync folder"
)

// Options are the choices Create leaves to its caller.
type Options struct {
	Overwrite bool // replace what stands under the name, unless it is a folder
	// Fault, if set, is asked before each step; the step fails by the error it
	// gives. Tests make disks fail by it.
	Fault func(Op) error
}

// File is a file that appears under its name only when it is complete. One
// goroutine at a time uses it.
type File struct {
	f       *os.File
	dst     string
	opt     Options
	renamed bool
}

// Create begins a file that is to be dst. Unless Options.Overwrite is set, the
// error wraps fs.ErrExist if dst exists, be it a link to nowhere; Commit looks
// again.
func Create(dst string, opt Options) (*File, error) {
	if opt.Fault == nil {
		opt.Fault = func(Op) error { return nil }
	}
	if info, err := os.Lstat(dst); err == nil && (!opt.Overwrite || info.IsDir()) {
		return nil, &fs.PathError{Op: "create", Path: dst, Err: fs.ErrExist}
	}
	if err := opt.Fault(OpCreate); err != nil {
		return nil, explain(dst, err)
	}
	f, err := createTemp(filepath.Dir(dst))
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", dst, explain(dst, err))
	}
	return &File{f: f, dst: dst, opt: opt}, nil
}

// TempName is the path of the file until Commit.
func (o *File) TempName() string { return o.f.Name() }

// Write appends p.
func (o *File) Write(p []byte) (int, error) {
	if err := o.opt.Fault(OpWrite); err != nil {
		return 0, explain(o.dst, err)
	}
	n, err := o.f.Write(p)
	return n, explain(o.dst, err)
}

// Finish sets mode and, unless it is zero, mtime, and waits until all is on
// disk. Who reads the file then, by TempName, reads what the disk has: no page
// of it is kept in memory, where the file system can do that.
func (o *File) Finish(mode fs.FileMode, mtime time.Time) error {
	if err := o.opt.Fault(OpAttr); err != nil {
		return explain(o.dst, err)
	}
	if err := o.f.Chmod(mode); err != nil {
		return err
	}
	if err := os.Chtimes(o.f.Name(), time.Time{}, mtime); err != nil {
		return err
	}
	if err := o.opt.Fault(OpSync); err != nil {
		return explain(o.dst, err)
	}
	return explain(o.dst, flush(o.f))
}

// Commit gives the file its name, for good. The temporary name is locked until
// then, so that nobody cleans it away.
func (o *File) Commit() error {
	if err := o.opt.Fault(OpRename); err != nil {
		return explain(o.dst, err)
	}
	rename := renameNoReplace
	if o.opt.Overwrite {
		rename = os.Rename
	}
	if err := rename(o.f.Name(), o.dst); err != nil {
		return err
	}
	o.renamed = true
	if err := o.opt.Fault(OpFolder); err != nil {
		return errors.Join(explain(o.dst, err), o.f.Close())
	}
	return errors.Join(o.f.Close(), SyncDir(filepath.Dir(o.dst)))
}

// Discard removes what is left of a file that was not committed.
func (o *File) Discard() {
	if !o.renamed {
		_ = os.Remove(o.f.Name()) // if it stays, Clean finds it
		_ = o.f.Close()
	}
}

// explain says what to do about a full disk.
func explain(dst string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("write %s: %w: free some space or write to another disk", dst, err)
	}
	return err
}

// Flush waits until the file at path and its name are on disk, and takes its
// pages out of memory, so that reading it next proves what the disk has. It is
// for files that an earlier run made, which may have been killed before it
// flushed them.
func Flush(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := flush(f); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

func flush(f *os.File) error {
	if err := f.Sync(); err != nil {
		return err
	}
	dropPages(f)
	return nil
}

// SyncDir makes names made or removed in dir durable, where the file system
// can.
func SyncDir(dir string) error {
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

// MkdirAll makes the folder dir and those above it that are missing, for good.
func MkdirAll(dir string, mode fs.FileMode) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := MkdirAll(parent, mode); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	}
	return SyncDir(parent)
}

// linkNoReplace renames by way of a second link, which fails if there is a file
// of the new name.
func linkNoReplace(from, to string) error {
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}
