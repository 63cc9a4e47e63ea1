package fs

import "github.com/hanwen/go-fuse/v2/fuse"

// passesThrough reports whether the kernel behind server can pass files through.
func passesThrough(server *fuse.Server) bool {
	return server.KernelSettings().Flags64()&fuse.CAP_PASSTHROUGH != 0
}

// passes gives a function that tries whether the kernel passes a file through to
// another: it takes CAP_SYS_ADMIN, Linux 6.9, and a file of a file system that is
// not itself stacked, as overlayfs is. go-fuse gives up passing through altogether
// when one file cannot be, and does not say so.
func passes(server *fuse.Server) func(fd int) bool {
	if !passesThrough(server) {
		return func(int) bool { return false }
	}
	return func(fd int) bool {
		id, no := server.RegisterBackingFd(&fuse.BackingMap{Fd: int32(fd)})
		return no == 0 && server.UnregisterBackingFd(id) == 0
	}
}
