package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// ErrFull reports an image that has no room for another file.
var ErrFull = errors.New("the image is full")

// Source gives the bytes of a file of the image.
type Source interface {
	// ReadImage gives the bytes [off, off+n), all of them within the file and all
	// of them, or an error, which its reader sees as EIO. It is called by many at
	// once. ctx ends with the image.
	ReadImage(ctx context.Context, off int64, n int) (Reply, error)
}

// Reply is what a read gives, as go-fuse has it: slices, until Done.
type Reply interface {
	Slices() ([][]byte, fuse.Status)
	Done()
}

// Image is a mounted image. Its methods may be called by many at once.
type Image struct {
	root *os.File // of the EROFS
	conn *connection

	mu    sync.Mutex
	next  int64 // the block that follows the last file
	files atomic.Pointer[[]*File]
}

// File is a file of an image, for good.
type File struct {
	image  *Image
	number int
	begin  int64 // in bytes
	size   int64
	source atomic.Pointer[Source]
}

// Mount makes an image that the kernel reads ahead in by readAhead bytes.
func Mount(readAhead int) (*Image, error) {
	im := &Image{next: dataBlock}
	im.files.Store(new([]*File))
	if err := im.mount(readAhead); err != nil {
		return nil, err
	}
	return im, nil
}

// Add makes a file of size bytes, which source gives. The error is ErrFull when
// there is no room for it.
func (im *Image) Add(size int64, source Source) (*File, error) {
	im.mu.Lock()
	defer im.mu.Unlock()
	files := *im.files.Load()
	blocks := blocksOf(size)
	if len(files) == maxFiles || blocks >= maxBlocks-im.next {
		return nil, ErrFull
	}
	f := &File{image: im, number: len(files), begin: im.next * blockSize, size: size}
	f.source.Store(&source)
	im.next += blocks + 1
	files = append(slices.Clone(files), f)
	im.files.Store(&files)
	return f, nil
}

// Open opens the file by itself, to be passed on; it must not be read by the
// process that serves it.
func (f *File) Open() (*os.File, error) {
	name := fileName(f.number)
	fd, err := unix.Openat(int(f.image.root.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s of the image: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// SetSource has source give the bytes from now on.
func (f *File) SetSource(source Source) { f.source.Store(&source) }

// find gives the file that the bytes [off, end) of the image lie in, its last
// block whole; nil if they lie in none, or not wholly.
func (im *Image) find(off, end int64) *File {
	files := *im.files.Load()
	i, found := slices.BinarySearchFunc(files, off, func(f *File, off int64) int {
		switch {
		case off < f.begin:
			return 1
		case off >= f.begin+blocksOf(f.size)*blockSize:
			return -1
		}
		return 0
	})
	if !found || end > files[i].begin+blocksOf(files[i].size)*blockSize {
		return nil
	}
	return files[i]
}

// read gives the bytes [off, off+n) of the image, n > 0.
func (im *Image) read(ctx context.Context, off int64, n int) (Reply, error) {
	end := off + int64(n)
	if off < 0 || end > maxBlocks*blockSize {
		return nil, syscall.EINVAL
	}
	if end <= dataBlock*blockSize {
		return im.readMeta(off, end), nil
	}
	f := im.find(off, end)
	if f == nil {
		return nil, syscall.EIO // nobody who reads files asks for that
	}
	from := off - f.begin
	inside := max(0, min(int64(n), f.size-from))
	if inside == 0 {
		return bytesReply{make([]byte, n)}, nil
	}
	reply, err := (*f.source.Load()).ReadImage(ctx, from, int(inside))
	if err != nil || inside == int64(n) {
		return reply, err
	}
	return padded{reply, n - int(inside)}, nil
}

// readMeta gives the bytes [off, end) of what comes before the files.
func (im *Image) readMeta(off, end int64) Reply {
	first := off / blockSize
	var b []byte
	for block := first; block*blockSize < end; block++ {
		b = append(b, im.metaBlock(int(block))...)
	}
	return bytesReply{b[off-first*blockSize : end-first*blockSize]}
}

func (im *Image) metaBlock(block int) []byte {
	switch {
	case block == 0:
		return superBlock()
	case block >= dirBlock && block < dirBlock+dirBlocks:
		return directoryBlock(block - dirBlock)
	}
	files := *im.files.Load()
	if i := block - inodeBlock; i >= 0 && i < len(files) {
		return fileInode(i, files[i].size, uint32(files[i].begin/blockSize))
	}
	return make([]byte, blockSize)
}

type bytesReply struct{ data []byte }

func (r bytesReply) Slices() ([][]byte, fuse.Status) { return [][]byte{r.data}, fuse.OK }
func (bytesReply) Done()                             {}

// zeros end the last block of a file.
var zeros [blockSize]byte

// padded is a reply and so many zeros.
type padded struct {
	Reply
	n int
}

func (p padded) Slices() ([][]byte, fuse.Status) {
	parts, status := p.Reply.Slices()
	return append(slices.Clip(parts), zeros[:p.n]), status
}
