package fs

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/internal/aio"
	"golang.org/x/sys/unix"
)

// directUnit is what offsets and lengths of direct reads are multiples of: no less
// than the blocks of nearly every disk.
const directUnit = 4 << 10

// source is the file of an archive, which may be read past the page cache, too.
type source struct {
	*archive.FileSource
	direct *os.File    // nil if it cannot be read so
	unfit  atomic.Bool // reading so was tried, and refused
	reads  *aio.Queue
}

// openDirect opens the file of generation id once more, to be read past the page cache
// by reads. Unless that can be done, the system is to read ahead.
func (s *source) openDirect(reads *aio.Queue, id identity) {
	if reads == nil || !s.tryDirect(id) {
		s.ReadAhead(true)
	}
	s.reads = reads
}

// tryDirect fails, too, if the system does not tell what it has of the file in memory
// already: Linux 6.5 does.
func (s *source) tryDirect(id identity) bool {
	f, st, err := openFlags(s.Name(), syscall.O_DIRECT)
	if err != nil {
		return false
	}
	if _, err := cachedPages(f, 0, 1); err != nil || identityOf(st) != id {
		f.Close()
		return false
	}
	s.direct = f
	return true
}

// readsDirect reports whether the n bytes at off had better be read past the page
// cache: they may be, and are not all in there.
func (s *source) readsDirect(off int64, n int) bool {
	if s.direct == nil || s.unfit.Load() || n+2*directUnit+codec.Padding > slabLen {
		return false
	}
	cached, err := cachedPages(s.direct, off, n)
	page := int64(os.Getpagesize())
	return err == nil && cached < (off+int64(n)-1)/page-off/page+1
}

// cachedPages is how many of the pages that hold the n bytes at off of f are in
// the page cache.
func cachedPages(f *os.File, off int64, n int) (int64, error) {
	var st unix.Cachestat_t
	err := unix.Cachestat(uint(f.Fd()), &unix.CachestatRange{Off: uint64(off), Len: uint64(n)}, &st, 0)
	return int64(st.Cache), err
}

// readDirect reads the n bytes at off into mem, which is aligned, and gives the part
// of mem that has them, with codec.Padding behind them.
func (s *source) readDirect(mem []byte, off int64, n int) ([]byte, error) {
	begin := off &^ (directUnit - 1)
	end := (off + int64(n) + directUnit - 1) &^ (directUnit - 1)
	got, err := s.reads.ReadAt(int(s.direct.Fd()), mem[:end-begin], begin)
	if errors.Is(err, unix.EINVAL) {
		s.unfit.Store(true)
		s.ReadAhead(true)
	}
	skip := int(off - begin)
	if err == nil && got < skip+n {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err // which nobody sees: see fetch
	}
	return mem[skip:][:n], nil
}

// Close closes the file.
func (s *source) Close() error {
	err := s.FileSource.Close()
	if s.direct != nil {
		err = errors.Join(err, s.direct.Close())
	}
	return err
}
