package fs

import (
	"fmt"
	"log/slog"
	"runtime"
)

// Defaults and bounds of Options.
const (
	DefaultCacheSize = 512 << 20
	MinCacheSize     = 16 << 20
	DefaultReadahead = 64 << 20
)

// Options say what to mount and what it may use. The zero value of every
// field but Source is a default.
type Options struct {
	// Source is the folder to show. It must exist.
	Source string

	// CacheSize is how many bytes of decoded blocks may be held at once,
	// those being read and read ahead included. 0 means DefaultCacheSize.
	CacheSize int64

	// Readahead is how many bytes are decoded ahead of one sequential
	// reader, at most; it is divided among several, and no more than a quarter
	// of the cache. 0 means DefaultReadahead, a negative number none.
	Readahead int64

	// Jobs is how many blocks are decoded ahead at the same time. 0 means
	// one for each processor.
	Jobs int

	// AllowOther lets users other than the one who mounts in, with the
	// permissions that the files show.
	AllowOther bool

	// Logger receives warnings and errors. nil means slog.Default().
	Logger *slog.Logger

	// Debug logs every request and its answer.
	Debug bool
}

// withDefaults fills in what opt leaves open and checks the rest.
func (opt Options) withDefaults() (Options, error) {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	if opt.CacheSize == 0 {
		opt.CacheSize = DefaultCacheSize
	}
	if opt.CacheSize < MinCacheSize {
		return opt, fmt.Errorf("cache size %d is too small: give at least %d bytes", opt.CacheSize, MinCacheSize)
	}
	if opt.Readahead == 0 {
		opt.Readahead = DefaultReadahead
	}
	if opt.Jobs == 0 {
		opt.Jobs = runtime.GOMAXPROCS(0)
	}
	if opt.Jobs < 0 {
		return opt, fmt.Errorf("jobs %d: give a positive number", opt.Jobs)
	}
	return opt, nil
}
