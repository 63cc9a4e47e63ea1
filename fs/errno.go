package fs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/scapefs/scapefs/archive"
)

// maxFaults bounds how many faults are remembered, for each file and in all.
const maxFaults = 1 << 16

// errno gives the number by which the kernel is told of err.
func errno(err error) syscall.Errno {
	var no syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return syscall.EINTR
	case isDamage(err):
		return syscall.EIO
	case errors.As(err, &no):
		return no
	}
	return syscall.EIO
}

// isDamage reports whether err says that the stored bytes of this generation
// are of no use: reading them again would fail again.
func isDamage(err error) bool {
	for _, target := range []error{
		archive.ErrCorrupt, archive.ErrNotArchive, archive.ErrVersion,
		archive.ErrUnsupported, archive.ErrChanged,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// faultLog logs the failures of a mount, once for every file and chunk.
type faultLog struct {
	log   *slog.Logger
	count atomic.Uint64 // of errors that are no part of ordinary use

	mu   sync.Mutex
	seen map[faultKey]struct{}
}

type faultKey struct {
	file  uint64 // node, 0 for none
	path  string
	chunk int
}

func newFaultLog(log *slog.Logger) *faultLog {
	return &faultLog{log: log, seen: make(map[faultKey]struct{})}
}

// errno logs err, met in the source file path, and gives its number. What is
// part of ordinary use, as a reader that gives up or a name that is gone, is
// not logged.
func (f *faultLog) errno(file uint64, path string, err error) syscall.Errno {
	no := errno(err)
	switch no {
	case 0, syscall.EINTR, syscall.ENOENT, syscall.ESTALE, syscall.EACCES, syscall.EPERM:
		return no
	}
	f.count.Add(1)
	key := faultKey{file: file, path: path, chunk: -1}
	attrs := []any{"file", path, "error", err}
	var damage *archive.CorruptError
	if errors.As(err, &damage) {
		key.chunk = damage.Chunk
		attrs = append(attrs, "chunk", damage.Chunk, "offset", damage.Offset)
	}
	if f.first(key) {
		f.log.Error("cannot read", attrs...)
	}
	return no
}

// warnOnce logs a warning about path, the first time.
func (f *faultLog) warnOnce(path, msg string, attrs ...any) {
	if f.first(faultKey{path: path, chunk: -1}) {
		f.log.Warn(msg, attrs...)
	}
}

func (f *faultLog) first(key faultKey) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.seen[key]; ok {
		return false
	}
	if len(f.seen) >= maxFaults {
		clear(f.seen) // better told twice than never
	}
	f.seen[key] = struct{}{}
	return true
}

// guard runs fn and turns a panic into an error: one in a goroutine of ours
// would end the mount, and every reader with it.
func guard(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return fn()
}
