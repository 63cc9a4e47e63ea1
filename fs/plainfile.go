package fs

import (
	"context"
	"io"
	"os"
	"slices"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// plainNode is whatever lies beside the archives and is no folder: files,
// symbolic links as they are stored, and special files.
type plainNode struct {
	fusefs.Inode
	fs    *filesystem
	path  string
	place place
}

var (
	_ fusefs.NodeGetattrer  = (*plainNode)(nil)
	_ fusefs.NodeOpener     = (*plainNode)(nil)
	_ fusefs.NodeReadlinker = (*plainNode)(nil)
)

func (n *plainNode) Getattr(ctx context.Context, h fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	ctx, leave := patient(ctx)
	defer leave()
	st, err := await(ctx, n.place, func(context.Context) (*syscall.Stat_t, error) { return n.stat(h) }, nil)
	if err != nil {
		return n.fs.faults.errno(0, n.path, err)
	}
	plainAttr(&out.Attr, st)
	return 0
}

// stat prefers an open file: its name may have gone to another.
func (n *plainNode) stat(h fusefs.FileHandle) (*syscall.Stat_t, error) {
	if f, ok := h.(*plainHandle); ok {
		return fstat(f.file)
	}
	return lstat(n.path)
}

func (n *plainNode) Readlink(ctx context.Context) ([]byte, syscall.Errno) {
	ctx, leave := patient(ctx)
	defer leave()
	target, err := await(ctx, n.place, func(context.Context) (string, error) { return os.Readlink(n.path) }, nil)
	return []byte(target), n.fs.faults.errno(0, n.path, err)
}

func (n *plainNode) Open(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return nil, 0, syscall.EROFS
	}
	ctx, leave := patient(ctx)
	defer leave()
	f, err := await(ctx, n.place, n.open, func(f *os.File) { f.Close() })
	if err != nil {
		return nil, 0, n.fs.faults.errno(0, n.path, err)
	}
	return &plainHandle{node: n, file: f}, fuse.FOPEN_KEEP_CACHE, 0
}

func (n *plainNode) open(context.Context) (*os.File, error) {
	f, st, err := openRegular(n.path)
	if err != nil {
		return nil, err
	}
	if inode(uint64(st.Dev), st.Ino) != n.StableAttr().Ino {
		f.Close()
		return nil, syscall.ESTALE // the kernel looks the name up again
	}
	return f, nil
}

// plainHandle is an open plain file.
type plainHandle struct {
	node *plainNode
	file *os.File
}

var (
	_ fusefs.FileReader          = (*plainHandle)(nil)
	_ fusefs.FileReleaser        = (*plainHandle)(nil)
	_ fusefs.FilePassthroughFder = (*plainHandle)(nil)
)

// PassthroughFd lets the kernel read the file by itself, if it can; else reads
// come to Read.
func (h *plainHandle) PassthroughFd() (int, bool) {
	fd := int(h.file.Fd())
	return fd, h.node.fs.passes(fd)
}

// Read copies by way of a buffer of its own: a reader may leave while the disk
// does not answer, and dest is not its any more then.
func (h *plainHandle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	ctx, leave := patient(ctx)
	defer leave()
	buffers := &h.node.fs.payloads
	buf, err := await(ctx, h.node.place, func(context.Context) (*[]byte, error) {
		buf := buffers.Get().(*[]byte)
		*buf = slices.Grow((*buf)[:0], len(dest))[:len(dest)]
		n, err := h.file.ReadAt(*buf, off)
		if err != nil && err != io.EOF {
			return nil, err
		}
		*buf = (*buf)[:n]
		return buf, nil
	}, func(buf *[]byte) { buffers.Put(buf) })
	if err != nil {
		return nil, h.node.fs.faults.errno(0, h.node.path, err)
	}
	defer buffers.Put(buf)
	return fuse.ReadResultData(dest[:copy(dest, *buf)]), 0
}

func (h *plainHandle) Release(context.Context) syscall.Errno {
	return errno(h.file.Close())
}

// plainAttr shows st as it is, but for the write permissions. Those of a link
// mean nothing.
func plainAttr(out *fuse.Attr, st *syscall.Stat_t) {
	out.FromStat(st)
	out.Ino = inode(uint64(st.Dev), st.Ino)
	if st.Mode&syscall.S_IFMT != syscall.S_IFLNK {
		out.Mode &= syscall.S_IFMT | 0o555
	}
}
