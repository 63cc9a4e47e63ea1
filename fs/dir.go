package fs

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// dirNode is a folder of the source.
type dirNode struct {
	fusefs.Inode
	fs    *filesystem
	path  string
	place place
	seen  atomic.Pointer[syscall.Stat_t] // the last attributes
}

var (
	_ fusefs.NodeLookuper  = (*dirNode)(nil)
	_ fusefs.NodeReaddirer = (*dirNode)(nil)
	_ fusefs.NodeGetattrer = (*dirNode)(nil)
)

func (fs *filesystem) newDirNode(path string) *dirNode {
	return &dirNode{fs: fs, path: path, place: fs.visits.own()}
}

// folderPatience is how long a folder's attributes are waited for. While the
// disk does not answer those last seen are shown, so that whoever passes
// through, or asks the mount for its status, is not held up.
const folderPatience = time.Second

func (d *dirNode) Getattr(ctx context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	ctx, leave := patient(ctx)
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, folderPatience)
	defer cancel()
	st, err := d.lstat(ctx)
	if last := d.seen.Load(); errors.Is(err, context.DeadlineExceeded) && last != nil {
		st, err = last, nil
	}
	if err != nil {
		return d.errno(err)
	}
	d.seen.Store(st)
	plainAttr(&out.Attr, st)
	return 0
}

func (d *dirNode) lstat(ctx context.Context) (*syscall.Stat_t, error) {
	return await(ctx, d.place, func(context.Context) (*syscall.Stat_t, error) { return lstat(d.path) }, nil)
}

func (d *dirNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	ctx, leave := patient(ctx)
	defer leave()
	e, err := await(ctx, d.place, func(ctx context.Context) (entry, error) { return d.look(ctx, name) }, nil)
	if err != nil {
		return nil, d.fs.faults.errno(0, cmp.Or(e.path, d.path), err)
	}
	if n := e.archive; n != nil {
		out.Attr = n.attr
		out.SetAttrTimeout(n.timeout())
		return d.NewInode(ctx, n, n.stable()), 0
	}
	plainAttr(&out.Attr, e.stat)
	stable := fusefs.StableAttr{
		Mode: e.stat.Mode & syscall.S_IFMT,
		Ino:  out.Ino,
		Gen:  generation(e.path, identity{dev: uint64(e.stat.Dev), ino: e.stat.Ino}),
	}
	if stable.Mode == syscall.S_IFDIR {
		return d.NewInode(ctx, d.fs.newDirNode(e.path), stable), 0
	}
	return d.NewInode(ctx, &plainNode{fs: d.fs, path: e.path, place: d.fs.visits.own()}, stable), 0
}

// entry is what a name of a folder stands for.
type entry struct {
	path    string // in the source
	stat    *syscall.Stat_t
	archive *archiveNode // nil if it is none
}

func (d *dirNode) look(ctx context.Context, name string) (e entry, err error) {
	stored, st, err := d.find(name)
	if err != nil {
		return e, err
	}
	e = entry{path: filepath.Join(d.path, stored), stat: st}
	if isArchive(stored, isRegular(st.Mode)) {
		e.archive, err = d.archive(ctx, name, e.path, st)
	}
	return e, err
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
			if n.stillHolds() {
				return n, nil
			}
			n.tried.Store(time.Now().UnixNano())
		}
	}
	return d.fs.newArchiveNode(ctx, path, st)
}

func (d *dirNode) Readdir(ctx context.Context) (fusefs.DirStream, syscall.Errno) {
	ctx, leave := patient(ctx)
	defer leave()
	st, err := d.lstat(ctx)
	if err != nil {
		return nil, d.errno(err)
	}
	entries, err := await(ctx, d.place, func(context.Context) ([]stored, error) { return readDir(d.path) }, nil)
	if err != nil {
		return nil, d.errno(err)
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
func readDir(path string) ([]stored, error) {
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
	return entries, nil
}

func (d *dirNode) errno(err error) syscall.Errno { return d.fs.faults.errno(0, d.path, err) }
