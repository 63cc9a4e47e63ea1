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
)

// More memory than keeps the workers busy only has to be found, and cleared.
const (
	leastReadahead  = 32 << 20
	readaheadPerJob = 2 * pieceLen
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
	// reader, at most; ahead of all together twice as many, and no more than a
	// quarter of the cache. 0 means 2 MiB for each of Jobs and at least 32, which keeps
	// them busy; a negative number means none.
	Readahead int64

	// Jobs is how many blocks are read and decoded ahead at the same time. 0 means three
	// for four of the threads that Go runs at once (GOMAXPROCS), so that one is left for
	// who answers READs. Both had better be more than the processors: see the command
	// mount.
	Jobs int

	// PageCache is where the kernel keeps what it has read. "" means
	// PageCacheAuto.
	PageCache PageCache

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
	if opt.PageCache == "" {
		opt.PageCache = PageCacheAuto
	}
	if !opt.PageCache.Valid() {
		return opt, fmt.Errorf("page cache %q: give %s, %s or %s", opt.PageCache, PageCacheAuto, PageCacheEROFS, PageCacheFUSE)
	}
	if opt.Jobs == 0 {
		opt.Jobs = (3*runtime.GOMAXPROCS(0) + 3) / 4
	}
	if opt.Jobs < 0 {
		return opt, fmt.Errorf("jobs %d: give a positive number", opt.Jobs)
	}
	if opt.Readahead == 0 {
		opt.Readahead = max(leastReadahead, int64(opt.Jobs)*readaheadPerJob)
	}
	return opt, nil
}
