package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// doer carries out the steps of a plan.
type doer struct {
	convert   func(context.Context, step) error
	overwrite bool // whatever exists
	refresh   bool // copies that are older than what they were made of
	stdout    io.Writer
	stderr    io.Writer
}

func (d *doer) do(ctx context.Context, steps []step) error {
	return each(ctx, d.stderr, steps, func(s step) error {
		switch s.do {
		case convert:
			return d.convert(ctx, s)
		case makeDir:
			return d.mkdir(s)
		case copyLink:
			return d.link(s)
		default:
			return d.copy(ctx, s)
		}
	})
}

func (d *doer) mkdir(s step) error {
	mode := fs.FileMode(0o755)
	if s.info != nil {
		mode = s.info.Mode().Perm() | 0o700 // we have to write into it
	}
	return os.MkdirAll(s.dst, mode)
}

// link makes the same link, its text as it is.
func (d *doer) link(s step) error {
	text, err := os.Readlink(s.src)
	if err != nil {
		return err
	}
	if there, err := os.Readlink(s.dst); err == nil && there == text {
		return nil
	}
	return os.Symlink(text, s.dst)
}

// copy copies a file under a temporary name, and renames it when all is there.
func (d *doer) copy(ctx context.Context, s step) error {
	there, err := os.Lstat(s.dst)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case sameStamp(there, s.info):
		fmt.Fprintf(d.stdout, "%s: up to date\n", s.dst)
		return nil
	case d.overwrite, d.refresh && there.ModTime().Before(s.info.ModTime()):
	default:
		return fmt.Errorf("%s exists and is no copy of %s: remove it, or choose another OUT", s.dst, s.src)
	}
	if err := copyAtomic(ctx, s); err != nil {
		return err
	}
	fmt.Fprintf(d.stdout, "%s: copied\n", s.dst)
	return nil
}

// sameStamp reports whether a file has the size and mtime of another, which is
// how a copy made before is known.
func sameStamp(a, b fs.FileInfo) bool {
	return a.Mode().IsRegular() && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func copyAtomic(ctx context.Context, s step) (err error) {
	in, err := os.Open(s.src)
	if err != nil {
		return err
	}
	defer in.Close()
	tmp, err := os.CreateTemp(filepath.Dir(s.dst), ".scapefs-*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	_, err = io.Copy(tmp, contextReader{ctx, in})
	err = errors.Join(err, tmp.Chmod(s.info.Mode().Perm()), tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	if err := os.Chtimes(tmp.Name(), s.info.ModTime(), s.info.ModTime()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), s.dst)
}

// contextReader is a reader that ends with a context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
