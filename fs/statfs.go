package fs

import (
	"context"
	"errors"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Every node answers for the file system that its source lies on. There is
// nothing to be flushed, so that fsync succeeds at once, as on any file that
// is open for reading.
var (
	_ fusefs.NodeStatfser = (*dirNode)(nil)
	_ fusefs.NodeStatfser = (*archiveNode)(nil)
	_ fusefs.NodeStatfser = (*plainNode)(nil)
	_ fusefs.NodeFsyncer  = (*dirNode)(nil)
	_ fusefs.NodeFsyncer  = (*archiveNode)(nil)
	_ fusefs.NodeFsyncer  = (*plainNode)(nil)
)

func (d *dirNode) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	return d.fs.statfs(ctx, d.place, d.path, out)
}

func (n *archiveNode) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	return n.fs.statfs(ctx, n.place, n.path, out)
}

func (n *plainNode) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	return n.fs.statfs(ctx, n.place, n.path, out)
}

// statfsPatience is how long a disk may take to tell how full it is.
const statfsPatience = 5 * time.Second

// statfs gives zeros, as a file system that does not know, while the disk does
// not answer.
func (fs *filesystem) statfs(ctx context.Context, p place, path string, out *fuse.StatfsOut) syscall.Errno {
	ctx, leave := patient(ctx)
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, statfsPatience)
	defer cancel()
	st, err := await(ctx, p, func(context.Context) (st syscall.Statfs_t, err error) {
		err = syscall.Statfs(path, &st)
		return st, err
	}, nil)
	if errors.Is(err, context.DeadlineExceeded) {
		return 0
	}
	if err != nil {
		return fs.faults.errno(0, path, err)
	}
	out.FromStatfsT(&st)
	return 0
}

func (d *dirNode) Fsync(context.Context, fusefs.FileHandle, uint32) syscall.Errno     { return 0 }
func (n *archiveNode) Fsync(context.Context, fusefs.FileHandle, uint32) syscall.Errno { return 0 }
func (n *plainNode) Fsync(context.Context, fusefs.FileHandle, uint32) syscall.Errno   { return 0 }
