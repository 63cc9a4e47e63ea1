package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

const (
	// maxRead is the most that a READ asks for: what the kernel allows by default.
	maxRead = 1 << 20

	// maxBackground is more than a loop device has under way.
	maxBackground = 256

	// requestBuffer is the least that the kernel wants to write a request to.
	requestBuffer = 8 << 10

	// maxIdle is how many goroutines wait for requests at most.
	maxIdle = 4

	fuseDevice = "/dev/fuse"

	imageName = "image"
	imageNode = 2
	forever   = 1 << 30 // seconds

	// closePatience is how long the end of the mounts is waited for, which
	// programs that look into block devices hold up a little.
	closePatience = 10 * time.Second
)

// Operations of the FUSE protocol (include/uapi/linux/fuse.h of Linux), those
// that one file that is only read needs.
const (
	opLookup      = 1
	opForget      = 2
	opGetattr     = 3
	opOpen        = 14
	opRead        = 15
	opRelease     = 18
	opInit        = 26
	opDestroy     = 38
	opBatchForget = 42
)

// connection serves the image, as the only file of a FUSE file system. It is
// not go-fuse's server, which has a buffer of maxRead for each READ, and a quarter
// of the requests that a loop device may send would take more memory than is
// meant for all.
type connection struct {
	image    *Image
	fd       int
	requests *os.File // fd, to be waited for by no thread; from mount on

	life    context.Context
	end     context.CancelFunc
	idle    atomic.Int32 // goroutines that wait for a request
	serving sync.WaitGroup
}

func dial(im *Image) (*connection, error) {
	fd, err := unix.Open(fuseDevice, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fuseDevice, err)
	}
	c := &connection{image: im, fd: fd}
	c.life, c.end = context.WithCancel(context.Background())
	return c, nil
}

// mount mounts the file system and opens the image.
func (c *connection) mount() (*os.File, error) {
	root, err := detachedMount("fuse", [][2]string{
		{"fd", fmt.Sprint(c.fd)}, {"rootmode", "40000"}, {"user_id", fmt.Sprint(os.Geteuid())},
		{"group_id", fmt.Sprint(os.Getegid())}, {"max_read", fmt.Sprint(maxRead)},
	})
	// Not before: a connection without a mount never tells that a request has come.
	c.requests = os.NewFile(uintptr(c.fd), fuseDevice)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	c.await()
	fd, err := unix.Openat(int(root.Fd()), imageName, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the image: %w", err)
	}
	return os.NewFile(uintptr(fd), imageName), nil
}

// await has one more goroutine wait for requests.
func (c *connection) await() {
	c.idle.Add(1)
	c.serving.Go(c.serve)
}

// serve answers requests. There is always one goroutine that waits for the next,
// and never many. They wait in Go's poller: a thread that waits in a system call
// is taken for one that runs, and decoding gets a processor less, until Go looks.
func (c *connection) serve() {
	buf := make([]byte, requestBuffer)
	for {
		n, err := c.requests.Read(buf)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOENT) { // ENOENT: it was taken back
			continue
		}
		if err != nil { // ENODEV once the file system is no more
			c.idle.Add(-1)
			return
		}
		if c.idle.Add(-1) == 0 {
			c.await()
		}
		if n >= int(unsafe.Sizeof(fuse.InHeader{})) {
			c.handle(buf[:n])
		}
		if c.idle.Add(1) > maxIdle {
			c.idle.Add(-1)
			return
		}
	}
}

// handle answers one request.
func (c *connection) handle(req []byte) {
	in := (*fuse.InHeader)(unsafe.Pointer(&req[0]))
	switch in.Opcode {
	case opForget, opBatchForget, opDestroy:
		return // these have no answer
	case opInit:
		c.init(in, req)
	case opLookup:
		out := fuse.EntryOut{NodeId: imageNode, EntryValid: forever, AttrValid: forever}
		out.Attr = attrOf(imageNode)
		c.reply(in.Unique, 0, asBytes(&out))
	case opGetattr:
		out := fuse.AttrOut{AttrValid: forever, Attr: attrOf(in.NodeId)}
		c.reply(in.Unique, 0, asBytes(&out))
	case opOpen:
		out := fuse.OpenOut{OpenFlags: fuse.FOPEN_KEEP_CACHE}
		c.reply(in.Unique, 0, asBytes(&out))
	case opRelease:
		c.reply(in.Unique, 0)
	case opRead:
		if len(req) >= int(unsafe.Sizeof(fuse.ReadIn{})) {
			c.read((*fuse.ReadIn)(unsafe.Pointer(&req[0])))
			return
		}
		fallthrough
	default: // INTERRUPT among them: a READ is not cut short
		c.reply(in.Unique, syscall.ENOSYS)
	}
}

func (c *connection) init(in *fuse.InHeader, req []byte) {
	const least = 31 // the version of the protocol that has MaxPages and 64 bytes of InitOut
	ask := (*fuse.InitIn)(unsafe.Pointer(&req[0]))
	if ask.Major != 7 || ask.Minor < least {
		c.reply(in.Unique, syscall.EPROTO)
		return
	}
	out := fuse.InitOut{
		Major:               7,
		Minor:               least,
		Flags:               ask.Flags & (fuse.CAP_ASYNC_READ | fuse.CAP_ASYNC_DIO | fuse.CAP_MAX_PAGES),
		MaxBackground:       maxBackground,
		CongestionThreshold: maxBackground,
		MaxWrite:            blockSize,
		TimeGran:            1,
		MaxPages:            uint16(maxRead / os.Getpagesize()),
	}
	c.reply(in.Unique, 0, asBytes(&out))
}

func attrOf(node uint64) fuse.Attr {
	if node != imageNode {
		return fuse.Attr{Ino: node, Mode: syscall.S_IFDIR | 0o500, Nlink: 2}
	}
	size := uint64(maxBlocks) * blockSize
	return fuse.Attr{Ino: node, Mode: syscall.S_IFREG | 0o400, Nlink: 1, Size: size, Blocks: size / 512, Blksize: blockSize}
}

func (c *connection) read(in *fuse.ReadIn) {
	reply, err := c.readGuarded(int64(in.Offset), int(in.Size))
	if err != nil {
		c.reply(in.Unique, syscall.EIO)
		return
	}
	defer reply.Done()
	parts, status := reply.Slices()
	if status != fuse.OK {
		c.reply(in.Unique, syscall.EIO)
		return
	}
	c.reply(in.Unique, 0, parts...)
}

// readGuarded turns a panic into an error: it would end the whole process.
func (c *connection) readGuarded(off int64, n int) (reply Reply, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if err := c.life.Err(); err != nil || n <= 0 || n > maxRead {
		return nil, errors.Join(err, syscall.EINVAL)
	}
	return c.image.read(c.life, off, n)
}

// reply answers a request. That fails only when the request, or the whole
// file system, is gone.
func (c *connection) reply(unique uint64, no syscall.Errno, parts ...[]byte) {
	out := fuse.OutHeader{Status: -int32(no), Unique: unique}
	size := unsafe.Sizeof(out)
	for _, p := range parts {
		size += uintptr(len(p))
	}
	out.Length = uint32(size)
	for {
		_, err := unix.Writev(c.fd, append([][]byte{asBytes(&out)}, parts...))
		if err != unix.EINTR && err != unix.EAGAIN {
			return
		}
	}
}

// close fails what is asked from now on, and waits for the end of the file
// system.
func (c *connection) close() error {
	c.end()
	ended := make(chan struct{})
	go func() {
		c.serving.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return c.requests.Close()
	case <-time.After(closePatience):
		return errors.New("a program that uses its loop device holds the image")
	}
}
