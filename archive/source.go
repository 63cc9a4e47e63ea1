package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/scapefs/scapefs/internal/disk"
)

// Source is where a Reader's bytes come from. It is safe for concurrent use.
//
// A Source may have two more methods: Name() string, which errors then show,
// and Changed() error, which tells, once bytes were found wrong, whether they
// have been changed since the Source was opened.
type Source interface {
	// ReadAt fills p from offset off, or fails.
	ReadAt(ctx context.Context, p []byte, off int64) (int, error)
	// Size is the number of bytes, which does not change.
	Size() int64
	Close() error
}

// FileSource is a Source over a file.
type FileSource struct {
	f    *os.File
	info fs.FileInfo // at the time of opening
}

var _ Source = (*FileSource)(nil)

// OpenFile opens the regular file at path for reading.
func OpenFile(path string) (*FileSource, error) {
	f, info, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	return &FileSource{f: f, info: info}, nil
}

// openRegular looks before it opens, because opening a pipe waits for a writer.
func openRegular(path string) (*os.File, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("open %s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	if info, err = f.Stat(); err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// ReadAt fills p from offset off. The context is looked at before the read,
// which itself cannot be interrupted.
func (s *FileSource) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.f.ReadAt(p, off)
	if n == len(p) {
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
		if changed := s.Changed(); changed != nil {
			err = changed
		}
	}
	return n, fmt.Errorf("read %s: %d bytes at offset %d: %w", s.f.Name(), len(p), off, err)
}

// Size is the file's size when it was opened.
func (s *FileSource) Size() int64 { return s.info.Size() }

// Name is the path that the file was opened by.
func (s *FileSource) Name() string { return s.f.Name() }

// Changed wraps ErrChanged if the open file is no longer what it was. A file
// that was replaced by renaming has not changed: the old one stays open.
func (s *FileSource) Changed() error {
	now, err := s.f.Stat()
	if err != nil {
		return err
	}
	return compareInfo(s.info, now)
}

// ReadAhead advises the system to read ahead in the file, as it does from the start,
// or not to.
func (s *FileSource) ReadAhead(ahead bool) { disk.ReadAhead(s.f, ahead) }

// Close closes the file.
func (s *FileSource) Close() error { return s.f.Close() }

// compareInfo wraps ErrChanged if now is another file than before, or one with
// other contents as far as size and mtime tell.
func compareInfo(before, now fs.FileInfo) error {
	if os.SameFile(before, now) && before.Size() == now.Size() && before.ModTime().Equal(now.ModTime()) {
		return nil
	}
	return fmt.Errorf("%w: it had %d bytes of %v, has %d of %v", ErrChanged,
		before.Size(), before.ModTime(), now.Size(), now.ModTime())
}
