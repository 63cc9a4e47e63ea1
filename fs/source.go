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
func openRegular(path string) (*os.File, *syscall.Stat_t, error) { return openFlags(path, 0) }

// openFlags is openRegular with more flags of open(2).
func openFlags(path string, flags int) (*os.File, *syscall.Stat_t, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|flags, 0)
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
// as a file that is moved away and back gets a new change time. The archive's Source
// is a source.
func openArchive(ctx context.Context, path string) (*archive.Reader, identity, error) {
	before, err := lstat(path)
	if err != nil {
		return nil, identity{}, err
	}
	f, err := archive.OpenFile(path)
	if err != nil {
		return nil, identity{}, err
	}
	f.ReadAhead(false) // what is near to its header and its index need not be read
	r, err := archive.Open(ctx, &source{FileSource: f})
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
