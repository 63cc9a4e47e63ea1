package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Names of temporary files. They do not depend on the name that is to be, which
// may be as long as a name can be.
const (
	tempPrefix = ".scapefs-"
	tempSuffix = ".tmp"
)

// createTemp makes a locked temporary file in dir.
func createTemp(dir string) (*os.File, error) {
	for {
		f, err := os.CreateTemp(dir, tempPrefix+"*"+tempSuffix)
		if err != nil {
			return nil, err
		}
		ours, err := lock(f)
		if err == nil && ours {
			return f, nil
		}
		if err != nil {
			return nil, errors.Join(err, os.Remove(f.Name()), f.Close())
		}
		f.Close() // cleaned away before it had its lock
	}
}

// lock locks f. It tells false if another process holds the lock, or removed
// the file. A file system without locks is one where nothing is cleaned.
func lock(f *os.File) (bool, error) {
	err := flock(f)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil {
		return true, nil
	}
	now, err := os.Lstat(f.Name())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	mine, err := f.Stat()
	return err == nil && os.SameFile(now, mine), err
}

func flock(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Clean removes the temporary files in dir whose makers are gone, and nothing
// else: what is locked, what is no regular file, or has another name, stays. It
// tells how many it removed.
func Clean(dir string) (int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	var removed int
	var errs []error
	for _, e := range entries {
		if !e.Type().IsRegular() || !isTemp(e.Name()) {
			continue
		}
		done, err := removeUnlocked(filepath.Join(dir, e.Name()))
		if done {
			removed++
		}
		errs = append(errs, err)
	}
	return removed, errors.Join(errs...)
}

// isTemp reports whether createTemp makes names like this one.
func isTemp(name string) bool {
	rest, ok := strings.CutPrefix(name, tempPrefix)
	if !ok {
		return false
	}
	number, ok := strings.CutSuffix(rest, tempSuffix)
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}

func removeUnlocked(path string) (bool, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	if flock(f) != nil {
		return false, nil
	}
	// Its maker may have given it its name between our look at the folder and
	// the lock: then the path is no more, or another's.
	now, err := os.Lstat(path)
	if err != nil {
		return false, nil
	}
	if mine, err := f.Stat(); err != nil || !os.SameFile(now, mine) {
		return false, err
	}
	return true, os.Remove(path)
}
