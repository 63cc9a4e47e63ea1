package fs

import (
	"context"
	"maps"
	"slices"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
)

// xattrPrefix begins the names of an archive's extended attributes: sha256 (of
// the original, in hex), ratio (original to stored size), codec (the methods
// in use), stored_size (bytes) and archive (where it is stored).
const xattrPrefix = "user.scapefs."

var (
	_ fusefs.NodeGetxattrer  = (*dirNode)(nil)
	_ fusefs.NodeGetxattrer  = (*archiveNode)(nil)
	_ fusefs.NodeListxattrer = (*archiveNode)(nil)
)

func (d *dirNode) Getxattr(ctx context.Context, name string, dest []byte) (uint32, syscall.Errno) {
	if name == statusXattr && d.IsRoot() {
		return d.fs.statusFor(ctx, dest)
	}
	return 0, syscall.ENODATA
}

func (n *archiveNode) Getxattr(_ context.Context, name string, dest []byte) (uint32, syscall.Errno) {
	v, ok := n.xattrs[name]
	if !ok {
		return 0, syscall.ENODATA
	}
	return copyXattr(dest, v)
}

func (n *archiveNode) Listxattr(_ context.Context, dest []byte) (uint32, syscall.Errno) {
	list := ""
	for _, name := range slices.Sorted(maps.Keys(n.xattrs)) {
		list += name + "\x00"
	}
	return copyXattr(dest, list)
}

// copyXattr copies v, or tells how much room it needs.
func copyXattr(dest []byte, v string) (uint32, syscall.Errno) {
	if len(dest) < len(v) {
		return uint32(len(v)), syscall.ERANGE
	}
	return uint32(copy(dest, v)), 0
}
