package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// zerosCommand serves a file system of zeros: what a mount could reach at most,
// as nothing is read and nothing decoded.
const zerosCommand = "zeros"

const maxRequest = 1 << 20

// zerosMain mounts the names and sizes of a folder, until it is unmounted. It
// prints a line once the mount answers.
func zerosMain(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: bench zeros SRC MOUNTPOINT")
	}
	root := &fusefs.Inode{}
	timeout := time.Hour
	var adding error
	server, err := fusefs.Mount(args[1], root, &fusefs.Options{
		EntryTimeout: &timeout,
		AttrTimeout:  &timeout,
		OnAdd:        func(ctx context.Context) { adding = addZeros(ctx, root, args[0]) },
		MountOptions: fuse.MountOptions{ // as fs has them
			Name: "zeros", FsName: "zeros", Options: []string{"ro", "default_permissions"}, DirectMount: true,
			MaxWrite: maxRequest, MaxBackground: 24, DisableSplice: true, DisableReadDirPlus: true,
			ExtraCapabilities: fuse.CAP_ASYNC_DIO,
		},
	})
	if err != nil {
		return err
	}
	if adding != nil {
		return errors.Join(adding, server.Unmount())
	}
	fmt.Println("mounted")
	stop := context.AfterFunc(ctx, func() { _ = server.Unmount() })
	defer stop()
	server.Wait()
	return nil
}

func addZeros(ctx context.Context, root *fusefs.Inode, src string) error {
	return filepath.WalkDir(src, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == src {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		parent := root
		names := strings.Split(rel, "/")
		for _, name := range names[:len(names)-1] {
			parent = parent.GetChild(name)
		}
		mode, node := uint32(syscall.S_IFREG), fusefs.InodeEmbedder(&zeroFile{size: uint64(info.Size())})
		if d.IsDir() {
			mode, node = syscall.S_IFDIR, &fusefs.Inode{}
		}
		parent.AddChild(d.Name(), parent.NewPersistentInode(ctx, node, fusefs.StableAttr{Mode: mode}), false)
		return nil
	})
}

type zeroFile struct {
	fusefs.Inode
	size uint64
}

var (
	_ fusefs.NodeGetattrer = (*zeroFile)(nil)
	_ fusefs.NodeOpener    = (*zeroFile)(nil)
	_ fusefs.NodeReader    = (*zeroFile)(nil)
)

func (z *zeroFile) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size, out.Blocks, out.Blksize = 0o444, z.size, (z.size+511)/512, 512<<10
	return 0
}

func (z *zeroFile) Open(context.Context, uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_KEEP_CACHE, 0
}

// zeroes is what replies are written from.
var zeroes [maxRequest]byte

func (z *zeroFile) Read(_ context.Context, _ fusefs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n := max(0, min(int64(len(dest)), int64(z.size)-off))
	return zeroReply{zeroes[:n]}, 0
}

// zeroReply is written from where it lies, as the blocks of a real mount are.
type zeroReply struct{ data []byte }

func (r zeroReply) Slices() ([][]byte, fuse.Status)    { return [][]byte{r.data}, fuse.OK }
func (r zeroReply) Bytes([]byte) ([]byte, fuse.Status) { return r.data, fuse.OK }
func (r zeroReply) Size() int                          { return len(r.data) }
func (r zeroReply) Done()                              {}

// serveZeros starts the process of a mount of zeros.
func serveZeros(ctx context.Context, src, point string) (pid int, end func() error, err error) {
	cmd, err := startTold(ctx, os.Args[0], zerosCommand, src, point)
	if err != nil {
		return 0, nil, err
	}
	if err := raiseReadAhead(point); err != nil {
		return 0, nil, errors.Join(err, unmount(point), cmd.Wait())
	}
	return cmd.Process.Pid, func() error { return errors.Join(unmount(point), cmd.Wait()) }, nil
}
