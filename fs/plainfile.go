package fs

import (
	"context"
	"os"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// plainNode is whatever lies beside the archives and is no folder: files,
// symbolic links as they are stored, and special files.
type plainNode struct {
	fusefs.Inode
	fs   *filesystem
	path string
}

var (
	_ fusefs.NodeGetattrer  = (*plainNode)(nil)
	_ fusefs.NodeOpener     = (*plainNode)(nil)
	_ fusefs.NodeReadlinker = (*plainNode)(nil)
)

func (n *plainNode) Getattr(_ context.Context, h fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	st, err := n.stat(h)
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

func (n *plainNode) Readlink(context.Context) ([]byte, syscall.Errno) {
	target, err := os.Readlink(n.path)
	return []byte(target), n.fs.faults.errno(0, n.path, err)
}

func (n *plainNode) Open(_ context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return nil, 0, syscall.EROFS
	}
	f, st, err := openRegular(n.path)
	if err == nil && inode(uint64(st.Dev), st.Ino) != n.StableAttr().Ino {
		f.Close()
		err = syscall.ESTALE // the kernel looks the name up again
	}
	if err != nil {
		return nil, 0, n.fs.faults.errno(0, n.path, err)
	}
	return &plainHandle{node: n, file: f}, fuse.FOPEN_KEEP_CACHE, 0
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

// PassthroughFd lets the kernel read the file by itself. That needs
// CAP_SYS_ADMIN; without, reads come to Read.
func (h *plainHandle) PassthroughFd() (int, bool) { return int(h.file.Fd()), true }

func (h *plainHandle) Read(_ context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	return fuse.ReadResultFd(h.file.Fd(), off, len(dest)), 0
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
