package faulty

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/zeebo/xxh3"
)

// node is a file, folder or link of the disk.
type node struct {
	fusefs.Inode
	state *state
	path  string // of what it shows
}

var (
	_ fusefs.NodeLookuper   = (*node)(nil)
	_ fusefs.NodeGetattrer  = (*node)(nil)
	_ fusefs.NodeReaddirer  = (*node)(nil)
	_ fusefs.NodeReadlinker = (*node)(nil)
	_ fusefs.NodeOpener     = (*node)(nil)
	_ fusefs.NodeStatfser   = (*node)(nil)
)

// serve mounts folder at point, uncached, so that every request meets the
// fault that there is.
func serve(folder, point string, s *state) (*fuse.Server, error) {
	var none time.Duration
	return fusefs.Mount(point, &node{state: s, path: folder}, &fusefs.Options{
		EntryTimeout: &none,
		AttrTimeout:  &none,
		MountOptions: fuse.MountOptions{
			Name:               "faulty",
			FsName:             folder,
			Options:            []string{"ro", "default_permissions"},
			DirectMount:        os.Geteuid() == 0,
			DisableReadDirPlus: true,
			DisableSplice:      true,
		},
	})
}

func (n *node) fault() syscall.Errno { return n.state.name(filepath.Base(n.path)) }

func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	child := &node{state: n.state, path: filepath.Join(n.path, name)}
	if no := child.fault(); no != 0 {
		return nil, no
	}
	var st syscall.Stat_t
	if err := syscall.Lstat(child.path, &st); err != nil {
		return nil, fusefs.ToErrno(err)
	}
	out.FromStat(&st)
	// Inode numbers are used again, and a node goes by its name: each name has nodes of its own.
	stable := fusefs.StableAttr{Mode: st.Mode, Ino: st.Ino, Gen: xxh3.HashString(child.path)}
	return n.NewInode(ctx, child, stable), 0
}

func (n *node) Getattr(_ context.Context, h fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	if no := n.fault(); no != 0 {
		return no
	}
	var st syscall.Stat_t
	var err error
	if open, ok := h.(*handle); ok {
		err = syscall.Fstat(int(open.file.Fd()), &st)
	} else {
		err = syscall.Lstat(n.path, &st)
	}
	if err != nil {
		return fusefs.ToErrno(err)
	}
	out.FromStat(&st)
	return 0
}

func (n *node) Readdir(context.Context) (fusefs.DirStream, syscall.Errno) {
	if no := n.fault(); no != 0 {
		return nil, no
	}
	return fusefs.NewLoopbackDirStream(n.path)
}

func (n *node) Readlink(context.Context) ([]byte, syscall.Errno) {
	if no := n.fault(); no != 0 {
		return nil, no
	}
	target, err := os.Readlink(n.path)
	return []byte(target), fusefs.ToErrno(err)
}

func (n *node) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	if no := n.fault(); no != 0 {
		return no
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(n.path, &st); err != nil {
		return fusefs.ToErrno(err)
	}
	out.FromStatfsT(&st)
	return 0
}

func (n *node) Open(context.Context, uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	if no := n.fault(); no != 0 {
		return nil, 0, no
	}
	f, err := os.Open(n.path)
	if err != nil {
		return nil, 0, fusefs.ToErrno(err)
	}
	return &handle{node: n, file: f}, fuse.FOPEN_DIRECT_IO, 0
}

// handle is an open file of the disk.
type handle struct {
	node *node
	file *os.File
}

var (
	_ fusefs.FileReader   = (*handle)(nil)
	_ fusefs.FileReleaser = (*handle)(nil)
)

func (h *handle) Read(_ context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	f, over, random := h.node.state.draw(filepath.Base(h.node.path), true)
	if no := f.delay(over); no != 0 {
		return nil, no
	}
	info, err := h.file.Stat()
	if err != nil {
		return nil, fusefs.ToErrno(err)
	}
	got, err := h.file.ReadAt(dest, off)
	if got == 0 && off < info.Size() {
		return nil, fusefs.ToErrno(err)
	}
	return fuse.ReadResultData(f.spoil(dest[:got], off, info.Size(), random)), 0
}

func (h *handle) Release(context.Context) syscall.Errno { return fusefs.ToErrno(h.file.Close()) }
