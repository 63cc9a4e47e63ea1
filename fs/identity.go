package fs

import (
	"encoding/binary"
	"fmt"
	"os"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/zeebo/xxh3"
)

// identity tells one generation of a source file from every other. The change
// time catches what the others miss: a file rewritten in place whose
// modification time was set back.
type identity struct {
	dev, ino     uint64
	size         int64
	mtime, ctime syscall.Timespec
}

func identityOf(st *syscall.Stat_t) identity {
	return identity{
		dev:   uint64(st.Dev),
		ino:   st.Ino,
		size:  st.Size,
		mtime: st.Mtim,
		ctime: st.Ctim,
	}
}

// inode gives the number under which an inode of the source shows: the same
// after every mount, and distinct across the devices of the source.
func inode(dev, ino uint64) uint64 {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], dev)
	binary.LittleEndian.PutUint64(b[8:], ino)
	n := xxh3.Hash(b[:])
	if n <= fuse.FUSE_ROOT_ID || n == ^uint64(0) { // reserved
		n = 2
	}
	return n
}

// generation tells nodes apart that share an inode number: each path has its
// own node, and each generation of an archive.
func generation(path string, id identity) uint64 {
	return xxh3.HashString(fmt.Sprintf("%+v %s", id, path))
}

func lstat(path string) (*syscall.Stat_t, error) {
	var st syscall.Stat_t
	for {
		err := syscall.Lstat(path, &st)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "lstat", Path: path, Err: err}
		}
		return &st, nil
	}
}

func fstat(f *os.File) (*syscall.Stat_t, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return info.Sys().(*syscall.Stat_t), nil
}

func isRegular(mode uint32) bool { return mode&syscall.S_IFMT == syscall.S_IFREG }
