package fs

import (
	"context"
	"os"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"golang.org/x/sys/unix"
)

// evictRequest is _IO('s', 0x65): what Evict asks of a mount.
const evictRequest = 's'<<8 | 0x65

var _ fusefs.FileIoctler = (*archiveHandle)(nil)

// Evict has the kernel forget the pages of f that nobody has mapped, whatever
// file it is. For one of a mount of ours posix_fadvise alone is not enough: its
// pages may belong to a file of an image, of which the advice knows nothing.
func Evict(f *os.File) error {
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return err
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return err
	}
	if st.Type != unix.FUSE_SUPER_MAGIC {
		return nil
	}
	_, _, no := unix.Syscall(unix.SYS_IOCTL, f.Fd(), evictRequest, 0)
	if no != 0 && no != unix.ENOTTY && no != unix.ENOSYS { // which another file system says
		return no
	}
	return nil
}

// Ioctl does what Evict asks for.
func (h *archiveHandle) Ioctl(_ context.Context, request uint32, _ uint64, _, _ []byte) (int32, syscall.Errno) {
	if request != evictRequest {
		return 0, syscall.ENOTTY
	}
	if h.backing == nil {
		return 0, 0
	}
	return 0, errno(unix.Fadvise(int(h.backing.Fd()), 0, 0, unix.FADV_DONTNEED))
}

// hint reads ahead in the image what readahead(2) or posix_fadvise ask for: the
// kernel has FUSE read it, into pages that nobody would look at.
func (h *archiveHandle) hint(s span) {
	_ = unix.Fadvise(int(h.backing.Fd()), s.off, s.end-s.off, unix.FADV_WILLNEED)
}
