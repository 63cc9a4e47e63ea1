package fs

import (
	"context"
	"os"
	"syscall"

	"github.com/scapefs/scapefs/archive"
)

// openRegular opens a file of the source for reading. The file may have become
// something else since it was looked up: a link is not followed, and what is
// not a regular file is not waited for.
func openRegular(path string) (*os.File, *syscall.Stat_t, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	st, err := fstat(f)
	if err == nil && !isRegular(st.Mode) {
		err = &os.PathError{Op: "open", Path: path, Err: syscall.ESTALE}
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, st, nil
}

// openArchive is the function of that name, counted.
func (fs *filesystem) openArchive(ctx context.Context, path string) (*archive.Reader, identity, error) {
	fs.stats.opens.Add(1)
	return openArchive(ctx, path)
}

// openArchive opens the archive at path and says which generation it is. The
// name is looked at before and after: it led to that generation all the while,
// as a file that is moved away and back gets a new change time.
func openArchive(ctx context.Context, path string) (*archive.Reader, identity, error) {
	before, err := lstat(path)
	if err != nil {
		return nil, identity{}, err
	}
	src, err := archive.OpenFile(path)
	if err != nil {
		return nil, identity{}, err
	}
	r, err := archive.Open(ctx, src)
	if err != nil {
		return nil, identity{}, err
	}
	if err := r.CheckFileHeader(ctx); err != nil {
		r.Close()
		return nil, identity{}, err
	}
	after, err := lstat(path)
	if err == nil && (identityOf(before) != identityOf(after) || !isRegular(after.Mode)) {
		err = &os.PathError{Op: "open", Path: path, Err: syscall.ESTALE}
	}
	if err != nil {
		r.Close()
		return nil, identity{}, err
	}
	return r, identityOf(after), nil
}
