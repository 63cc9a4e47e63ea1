package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/internal/disk"
)

// doer carries out the steps of a plan.
type doer struct {
	convert   func(context.Context, step) error
	overwrite bool // whatever exists
	stdout    io.Writer
	stderr    io.Writer
}

func (d *doer) do(ctx context.Context, steps []step) error {
	cleaned := map[string]bool{}
	return each(ctx, d.stderr, steps, func(s step) error {
		dir := filepath.Dir(s.dst)
		if s.within != "" && s.dst != s.within {
			if err := noLinks(s.within, dir); err != nil {
				return fmt.Errorf("%s: not written: %w", s.dst, err)
			}
		}
		if !cleaned[dir] && s.do != makeDir {
			cleaned[dir] = true
			_, _ = disk.Clean(dir) // what stays is in nobody's way
		}
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
	if s.info == nil || s.dst == s.within { // it is OUT, and may be a link
		return disk.MkdirAll(s.dst, 0o755)
	}
	if err := noLinks(s.within, s.dst); err != nil {
		return err
	}
	return disk.MkdirAll(s.dst, s.info.Mode().Perm()|0o700) // we have to write into it
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
	if err := os.Symlink(text, s.dst); err != nil {
		return err
	}
	return disk.SyncDir(filepath.Dir(s.dst))
}

// copy copies a file under a temporary name, and renames it when all is there.
func (d *doer) copy(ctx context.Context, s step) error {
	there, err := os.Lstat(s.dst)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case sameStamp(there, s.info):
		if err := disk.Flush(s.dst); err != nil {
			return err
		}
		fmt.Fprintf(d.stdout, "%s: up to date\n", s.dst)
		return nil
	case !d.overwrite:
		return fmt.Errorf("%s exists and is no copy of %s: remove it, overwrite it with --force, or choose another OUT", s.dst, s.src)
	}
	if err := copyWhole(ctx, s, d.overwrite); err != nil {
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

// copyWhole copies the file that was planned, and no other that has come in its
// place.
func copyWhole(ctx context.Context, s step, overwrite bool) error {
	in, err := os.Open(s.src)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := stillThat(in, s.info); err != nil {
		return fmt.Errorf("%s: not copied: %w", s.src, err)
	}
	out, err := disk.Create(s.dst, disk.Options{Overwrite: overwrite})
	if err != nil {
		return err
	}
	defer out.Discard()
	if _, err := io.Copy(out, contextReader{ctx, in}); err != nil {
		return err
	}
	if err := out.Finish(s.info.Mode().Perm(), s.info.ModTime()); err != nil {
		return err
	}
	if err := stillThat(in, s.info); err != nil {
		return fmt.Errorf("%s: not copied: %w", s.src, err)
	}
	return out.Commit()
}

// stillThat wraps archive.ErrChanged if f is not the file that before tells of,
// or has changed since.
func stillThat(f *os.File, before fs.FileInfo) error {
	now, err := f.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(now, before) || !sameStamp(now, before) || !disk.ChangeTime(now).Equal(disk.ChangeTime(before)) {
		return archive.ErrChanged
	}
	return nil
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
