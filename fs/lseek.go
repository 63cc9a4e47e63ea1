package fs

import (
	"context"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"golang.org/x/sys/unix"
)

var (
	_ fusefs.NodeLseeker = (*archiveNode)(nil)
	_ fusefs.NodeLseeker = (*plainNode)(nil)
)

// Lseek answers SEEK_DATA and SEEK_HOLE; the kernel does the others by itself.
// An original is shown without holes.
func (n *archiveNode) Lseek(_ context.Context, _ fusefs.FileHandle, off uint64, whence uint32) (uint64, syscall.Errno) {
	return seekSolid(off, n.attr.Size, whence)
}

// Lseek shows a plain file without holes, too: they read as zeros.
func (n *plainNode) Lseek(ctx context.Context, h fusefs.FileHandle, off uint64, whence uint32) (uint64, syscall.Errno) {
	ctx, leave := patient(ctx)
	defer leave()
	st, err := await(ctx, n.place, func(context.Context) (*syscall.Stat_t, error) { return n.stat(h) }, nil)
	if err != nil {
		return 0, n.fs.faults.errno(0, n.path, err)
	}
	return seekSolid(off, uint64(max(st.Size, 0)), whence)
}

// seekSolid answers for a file that has no hole but the one at its end.
func seekSolid(off, size uint64, whence uint32) (uint64, syscall.Errno) {
	switch {
	case whence != unix.SEEK_DATA && whence != unix.SEEK_HOLE:
		return 0, syscall.EINVAL
	case off >= size:
		return 0, syscall.ENXIO
	case whence == unix.SEEK_HOLE:
		return size, 0
	}
	return off, 0
}
