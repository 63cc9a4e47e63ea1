package fs

import (
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/scapefs/scapefs/fs/image"
)

// PageCache says where the kernel keeps what it has read of archives.
type PageCache string

// The choices of Options.PageCache.
const (
	// PageCacheAuto is PageCacheEROFS where that can be had, else PageCacheFUSE.
	PageCacheAuto PageCache = "auto"

	// PageCacheEROFS is an image that the kernel reads from a loop device, see
	// package image. What is in memory is then read as fast as a plain file.
	PageCacheEROFS PageCache = "erofs"

	// PageCacheFUSE is the page cache of the mount itself.
	PageCacheFUSE PageCache = "fuse"
)

// Valid reports whether p is one of the choices.
func (p PageCache) Valid() bool {
	return p == PageCacheAuto || p == PageCacheEROFS || p == PageCacheFUSE
}

// imageReadAhead is how far the kernel reads ahead in an image. Its folios are the
// largest power of two of pages within that, and with 2 MiB a page table maps them by a
// single entry: with 1.5 MiB, and folios of 1, a mapped file that is in memory is read
// at five sixths of the speed. With more, what is read by name takes longer.
const imageReadAhead = 2 << 20

// leastImaged is the size of the smallest file that is worth the opening of
// another.
const leastImaged = 1 << 20

var errNoPassthrough = errors.New("the kernel passes no files through: Linux 6.9 does")

// images shows archives to the kernel by way of images, one for each device of
// the source: a disk that does not answer takes up the requests of its own.
type images struct {
	log *slog.Logger
	on  atomic.Bool

	mu      sync.Mutex
	devices map[uint64]*deviceImage
	opened  map[*os.File]struct{} // nil once closed
}

// deviceImage is the image of the archives of one device.
type deviceImage struct {
	mount sync.Once
	image *image.Image // nil if there is none; after mount
	err   error        // why

	mu    sync.Mutex
	files map[uint64]*image.File // by generation
}

func newImages(log *slog.Logger) *images {
	return &images{log: log, devices: make(map[uint64]*deviceImage), opened: make(map[*os.File]struct{})}
}

// start uses images from now on, if the kernel behind server can and choice
// allows it. The error tells why it cannot.
func (s *images) start(server *fuse.Server, choice PageCache, device uint64) error {
	switch {
	case choice == PageCacheFUSE:
		return nil
	case !passesThrough(server):
		return errNoPassthrough
	case os.Geteuid() != 0:
		return os.ErrPermission
	}
	d := s.of(device)
	s.on.Store(d.image != nil)
	return d.err
}

// choice is where the kernel keeps archives.
func (s *images) choice() PageCache {
	if s.on.Load() {
		return PageCacheEROFS
	}
	return PageCacheFUSE
}

// of gives the image of a device, mounting it at first.
func (s *images) of(device uint64) *deviceImage {
	s.mu.Lock()
	d := s.devices[device]
	if d == nil {
		d = &deviceImage{files: make(map[uint64]*image.File)}
		s.devices[device] = d
	}
	s.mu.Unlock()
	d.mount.Do(func() { d.image, d.err = image.Mount(imageReadAhead) })
	return d
}

// file gives the file that shows n; nil if n is shown by FUSE alone.
func (s *images) file(n *archiveNode) *image.File {
	if !s.on.Load() || n.attr.Size < leastImaged {
		return nil
	}
	d := s.of(n.id.dev)
	f, err := d.file(n)
	if err != nil {
		s.log.Warn("archive shown by FUSE alone, which is slower", "file", n.path, "error", err)
		return nil
	}
	return f
}

// file gives the file that shows n. That of an unchanged archive stays the same,
// with what the kernel has of it, even if the kernel forgot the node.
func (d *deviceImage) file(n *archiveNode) (*image.File, error) {
	if d.image == nil {
		return nil, d.err
	}
	gen := n.stable().Gen
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.files[gen]; f != nil {
		f.SetSource(n)
		return f, nil
	}
	f, err := d.image.Add(int64(n.attr.Size), n)
	if err == nil {
		d.files[gen] = f
	}
	return f, err
}

// open opens f by itself, for a handle.
func (s *images) open(f *image.File) (*os.File, error) {
	opened, err := f.Open()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened == nil {
		opened.Close()
		return nil, os.ErrClosed
	}
	s.opened[opened] = struct{}{}
	return opened, nil
}

// done closes what open gave.
func (s *images) done(opened *os.File) {
	s.mu.Lock()
	delete(s.opened, opened)
	s.mu.Unlock()
	opened.Close()
}

// close ends the images. No file of the mount is in use by then, but the
// kernel does not always say that the last ones were closed.
func (s *images) close() {
	s.on.Store(false)
	s.mu.Lock()
	opened := s.opened
	s.opened = nil
	s.mu.Unlock()
	for f := range opened {
		f.Close()
	}
	for _, d := range s.devices {
		d.mount.Do(func() {}) // lest it is mounted now
		if d.image == nil {
			continue
		}
		if err := d.image.Close(); err != nil {
			s.log.Warn("image not closed", "error", err)
		}
	}
}
