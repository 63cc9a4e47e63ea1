package fs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/scapefs/scapefs/cache"
	"github.com/scapefs/scapefs/internal/aio"
	"golang.org/x/sys/unix"
)

const (
	fsName     = "scapefs"
	maxRequest = 1 << 20 // bytes of a READ: what the kernel allows by default

	// maxBackground is how many READs the kernel's readahead has in flight, each
	// with a buffer of maxRequest that is not part of the cache.
	maxBackground = 24

	// entryTimeout is how long a change of the source may go unseen by those
	// who only look. Opening a file always looks again.
	entryTimeout = time.Second
)

// ErrMounted reports a mountpoint that has a mount of ours already.
var ErrMounted = errors.New("already mounted")

// Server is a mounted folder of archives, served until it is unmounted.
type Server struct {
	path   string
	server *fuse.Server
	fs     *filesystem
	ended  chan struct{} // closed when nothing of the mount is left

	unmounting sync.Mutex
}

// filesystem is what the nodes of a mount share.
type filesystem struct {
	log      *slog.Logger
	source   string
	began    time.Time
	faults   *faultLog
	cache    *cache.Cache
	pool     *pool
	share    share
	payloads sync.Pool // of *[]byte

	reads    *aio.Queue // past the page cache; nil if there can be none
	fetchers *pool      // that have a slab each while they are at work
	flight   *flight    // of their reads
	slabs    slabs

	pinned *pinned // bytes of blocks that READs may hold
	visits visits
	crowd  *crowd

	passes     func(fd int) bool // the kernel lets files be passed through to fd
	images     *images
	imageCrowd *crowd // READs of images
	lingering  lingering

	life     context.Context // ends with the mount
	end      context.CancelFunc
	lastFile atomic.Uint64
	stats    counters

	readAheadKB atomic.Int64 // of the kernel, 0 if unknown
}

func newFilesystem(opt Options) *filesystem {
	life, end := context.WithCancel(context.Background())
	reads, err := aio.New(maxSlabs)
	if err != nil {
		opt.Logger.Warn("archives are read through the page cache, which is slower", "reason", err)
	}
	return &filesystem{
		log:      opt.Logger,
		source:   opt.Source,
		began:    time.Now(),
		faults:   newFaultLog(opt.Logger),
		cache:    cache.New(opt.CacheSize),
		pool:     newPool(opt.Jobs, opt.Logger),
		share:    share{perStream: opt.Readahead, total: min(2*opt.Readahead, opt.CacheSize/4)},
		payloads: sync.Pool{New: func() any { return new([]byte) }},
		reads:    reads,
		fetchers: newPool(fetchers, opt.Logger),
		flight:   newFlight(maxFlight, stallAfter),
		slabs:    slabs{most: maxSlabs},
		pinned:   newPinned(opt.CacheSize / 2),
		visits:   newVisits(),
		crowd:    newCrowd(maxBackground / 2),

		images:     newImages(opt.Logger),
		imageCrowd: newCrowd(math.MaxInt64),
		lingering:  newLingering(),

		life: life,
		end:  end,
	}
}

// close stops the workers and frees the cache. No request may be running. The
// kernel does not always say that the last files were closed.
func (fs *filesystem) close() {
	fs.end()
	fs.visits.running.Wait()
	fs.fetchers.close()
	fs.pool.close()
	fs.slabs.trim()
	if fs.reads != nil {
		if err := fs.reads.Close(); err != nil {
			fs.log.Warn("queue of reads not closed", "error", err)
		}
	}
	fs.cache.Close()
	fs.stats.openFiles.Store(0)
	fs.share.active.Store(0)
}

// Mount mounts the folder opt.Source at mountpoint, an existing folder outside
// of it, and returns when the mount answers. A mount left there by a daemon of
// ours that died is cleared away first.
func Mount(mountpoint string, opt Options) (*Server, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	path, err := prepare(mountpoint, &opt)
	if err != nil {
		return nil, err
	}
	fs := newFilesystem(opt)
	root := fs.newDirNode(opt.Source)
	timeout := entryTimeout
	raw := fusefs.NewNodeFS(root, &fusefs.Options{
		EntryTimeout:    &timeout,
		AttrTimeout:     &timeout,
		NullPermissions: true,
	})
	server, err := fuse.NewServer(raw, path, mountOptions(opt))
	if err != nil {
		fs.close()
		return nil, fmt.Errorf("mount %s: %w", path, err)
	}
	fs.passes = passes(server)
	m := &Server{path: path, server: server, fs: fs, ended: make(chan struct{})}
	go m.serve()
	if err := server.WaitMount(); err != nil {
		return nil, errors.Join(fmt.Errorf("mount %s: %w", path, err), m.Unmount())
	}
	fs.readAheadKB.Store(raiseReadAhead(opt.Logger, path))
	if err := m.startImages(opt); err != nil {
		return nil, errors.Join(fmt.Errorf("mount %s: page cache: %w", path, err), m.Unmount())
	}
	return m, nil
}

// startImages fails only where images are demanded.
func (m *Server) startImages(opt Options) error {
	st, err := lstat(opt.Source)
	if err != nil {
		return err
	}
	err = m.fs.images.start(m.server, opt.PageCache, uint64(st.Dev))
	if err == nil || opt.PageCache == PageCacheEROFS {
		return err
	}
	if os.Geteuid() == 0 { // others are told of the readahead already, which matters more
		opt.Logger.Warn("archives are shown by FUSE alone, which is slower", "reason", err)
	}
	return nil
}

func (m *Server) serve() {
	defer close(m.ended)
	var rest sync.WaitGroup
	rest.Go(m.fs.rest)
	m.server.Serve()
	m.fs.images.close()
	m.fs.lingering.clear()
	m.fs.close() // ends the rest
	rest.Wait()
}

// mountOptions are what go-fuse and the kernel are told.
//
// Splicing is off because a READ of 1 MiB does not fit a pipe. The kernel
// drops its pages of a file whose size or time changes, which those of an
// archive's node never do.
func mountOptions(opt Options) *fuse.MountOptions {
	return &fuse.MountOptions{
		Name:               fsName,
		FsName:             opt.Source,
		Options:            []string{"ro", "default_permissions"},
		AllowOther:         opt.AllowOther,
		DirectMount:        os.Geteuid() == 0,
		MaxWrite:           maxRequest,
		MaxBackground:      maxBackground,
		DisableSplice:      true,
		DisableReadDirPlus: true,
		ExtraCapabilities:  fuse.CAP_ASYNC_DIO,
		Debug:              opt.Debug,
		Logger:             slog.NewLogLogger(opt.Logger.Handler(), slog.LevelWarn),
	}
}

// prepare checks what would make a mount fail, hang or hide itself, and gives
// the mountpoint's real path. It makes opt.Source absolute.
func prepare(mountpoint string, opt *Options) (string, error) {
	if err := CleanStale(mountpoint); err != nil {
		return "", err
	}
	path, err := folder(mountpoint)
	if err != nil {
		return "", fmt.Errorf("mountpoint: %w", err)
	}
	if opt.Source, err = folder(opt.Source); err != nil {
		return "", fmt.Errorf("source: %w", err)
	}
	if within(path, opt.Source) || within(opt.Source, path) {
		return "", fmt.Errorf("source %s and mountpoint %s must not contain each other", opt.Source, path)
	}
	if info, err := mountAt(path); err == nil && info != nil && info.FSType == fsType {
		return "", fmt.Errorf("%s: %w, from %s: unmount it first", path, ErrMounted, info.Source)
	}
	if opt.AllowOther && os.Geteuid() != 0 && !userAllowOther("/etc/fuse.conf") {
		return "", errors.New("allowing other users in needs the line user_allow_other in /etc/fuse.conf")
	}
	return path, nil
}

// folder gives the real path of a folder that exists.
func folder(path string) (string, error) {
	path, err := resolve(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s is not a folder", path)
	}
	return path, nil
}

// within reports whether path is dir or lies below it.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

func userAllowOther(conf string) bool {
	f, err := os.Open(conf)
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.TrimSpace(lines.Text()) == "user_allow_other" {
			return true
		}
	}
	return false
}

// Wait returns when the mount has ended, whoever unmounted it, and everything
// it held is freed.
func (m *Server) Wait() { <-m.ended }

// Unmount takes the mount away. While files of it are open it is detached
// lazily: it is gone from the tree, but its readers go on until they close, and
// Wait returns after that. Unmounting again does nothing.
func (m *Server) Unmount() error {
	m.unmounting.Lock()
	defer m.unmounting.Unlock()
	select {
	case <-m.ended:
		return nil
	default:
	}
	if err := m.server.Unmount(); err == nil {
		<-m.ended
		return nil
	}
	err := detach(m.path)
	if errors.Is(err, unix.EINVAL) { // no mount is there: somebody was faster
		return nil
	}
	return err
}
