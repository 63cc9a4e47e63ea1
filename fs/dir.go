package fs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// dirNode is a folder of the source.
type dirNode struct {
	fusefs.Inode
	fs   *filesystem
	path string
}

var (
	_ fusefs.NodeLookuper  = (*dirNode)(nil)
	_ fusefs.NodeReaddirer = (*dirNode)(nil)
	_ fusefs.NodeGetattrer = (*dirNode)(nil)
	_ fusefs.NodeStatfser  = (*dirNode)(nil)
)

func (d *dirNode) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	st, err := lstat(d.path)
	if err != nil {
		return d.errno(err)
	}
	plainAttr(&out.Attr, st)
	return 0
}

func (d *dirNode) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	var st syscall.Statfs_t
	if err := syscall.Statfs(d.path, &st); err != nil {
		return d.errno(err)
	}
	out.FromStatfsT(&st)
	return 0
}

func (d *dirNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	stored, st, err := d.find(name)
	if err != nil {
		return nil, d.errno(err)
	}
	path := filepath.Join(d.path, stored)
	if isArchive(stored, isRegular(st.Mode)) {
		n, err := d.archive(ctx, name, path, st)
		if err != nil {
			return nil, d.fs.faults.errno(0, path, err)
		}
		out.Attr = n.attr
		out.SetAttrTimeout(n.timeout())
		return d.NewInode(ctx, n, n.stable()), 0
	}
	plainAttr(&out.Attr, st)
	stable := fusefs.StableAttr{
		Mode: st.Mode & syscall.S_IFMT,
		Ino:  out.Ino,
		Gen:  generation(path, identity{dev: uint64(st.Dev), ino: st.Ino}),
	}
	if stable.Mode == syscall.S_IFDIR {
		return d.NewInode(ctx, &dirNode{fs: d.fs, path: path}, stable), 0
	}
	return d.NewInode(ctx, &plainNode{fs: d.fs, path: path}, stable), 0
}

// find gives the name under which the entry shown as name is stored.
func (d *dirNode) find(name string) (string, *syscall.Stat_t, error) {
	for _, stored := range storedNames(name) {
		st, err := lstat(filepath.Join(d.path, stored))
		if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENAMETOOLONG) && stored != name {
			continue
		}
		if err != nil {
			return "", nil, err
		}
		if shownName(stored, isRegular(st.Mode)) == name {
			return stored, st, nil
		}
	}
	return "", nil, &os.PathError{Op: "lookup", Path: filepath.Join(d.path, name), Err: syscall.ENOENT}
}

// archive gives the node of the archive at path: the one in use, as long as
// the source is unchanged, so that the archive need not be opened again.
func (d *dirNode) archive(ctx context.Context, name, path string, st *syscall.Stat_t) (*archiveNode, error) {
	if child := d.GetChild(name); child != nil {
		n, ok := child.Operations().(*archiveNode)
		if ok && n.path == path && n.id == identityOf(st) {
			return n, nil
		}
	}
	return d.fs.newArchiveNode(ctx, path, st)
}

func (d *dirNode) Readdir(context.Context) (fusefs.DirStream, syscall.Errno) {
	st, err := lstat(d.path)
	if err != nil {
		return nil, d.errno(err)
	}
	entries, no := readDir(d.path)
	if no != 0 {
		return nil, d.errno(no)
	}
	shown, clashes := shownEntries(entries)
	for _, c := range clashes {
		hidden := filepath.Join(d.path, c.hidden)
		d.fs.faults.warnOnce(hidden, "two files have one name; one is not shown",
			"name", c.shown, "shown", filepath.Join(d.path, c.winner), "hidden", hidden)
	}
	list := make([]fuse.DirEntry, len(shown))
	for i, e := range shown {
		list[i] = fuse.DirEntry{Name: e.name, Mode: e.mode, Ino: e.ino}
		if e.name != "." && e.name != ".." {
			list[i].Ino = inode(uint64(st.Dev), e.ino)
		}
	}
	return fusefs.NewListDirStream(list), 0
}

// readDir lists a folder of the source, with the type of every entry.
func readDir(path string) ([]stored, syscall.Errno) {
	stream, no := fusefs.NewLoopbackDirStream(path)
	if no != 0 {
		return nil, no
	}
	defer stream.Close()
	var entries []stored
	for stream.HasNext() {
		e, no := stream.Next()
		if no != 0 {
			return nil, no
		}
		s := stored{name: e.Name, mode: e.Mode & syscall.S_IFMT, ino: e.Ino}
		if s.mode == 0 { // the source's file system does not tell
			st, err := lstat(filepath.Join(path, e.Name))
			if err != nil {
				continue // gone meanwhile
			}
			s.mode = st.Mode & syscall.S_IFMT
		}
		entries = append(entries, s)
	}
	return entries, 0
}

func (d *dirNode) errno(err error) syscall.Errno { return d.fs.faults.errno(0, d.path, err) }
