package fs

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/fs/image"
	"github.com/scapefs/scapefs/index"
)

const (
	blockSize = 512 << 10 // what st_blksize tells programs to read at a time

	// An archive's node stands for one generation, whose attributes never
	// change.
	generationTimeout = time.Hour
)

// archiveNode is one generation of an archive, shown as its original.
type archiveNode struct {
	fusefs.Inode
	fs     *filesystem
	path   string // of the archive, in the source
	id     identity
	file   uint64 // in keys of the cache
	attr   fuse.Attr
	xattrs map[string]string
	sound  bool // the archive could be opened; else attr has its stored size

	place    place
	pinned   *pinShare
	stalled  atomic.Int64 // works of the pool that wait for the disk
	streams  streams
	fetches  fetches
	askOrder sync.Once
	damage   damage
	given    given
	tried    atomic.Int64 // when it was last found not to be sound, in Unix nanoseconds

	settle sync.Once
	image  *image.File // that may show it, nil if none; once settled
	spoilt atomic.Bool // damage was met by way of the image
	passed atomic.Bool // the kernel reads what is open by way of the image

	mu      sync.Mutex
	reader  *archive.Reader // open while users > 0
	users   int
	handles int  // and openings under way
	imaged  bool // they are by way of the image
}

var (
	_ fusefs.NodeGetattrer   = (*archiveNode)(nil)
	_ fusefs.NodeOpener      = (*archiveNode)(nil)
	_ fusefs.NodeOnForgetter = (*archiveNode)(nil)
)

// newArchiveNode makes the node of the archive at path. An archive that is
// damaged, or that may not be read, gets a node all the same: it is listed with
// its stored size, and cannot be opened.
func (fs *filesystem) newArchiveNode(ctx context.Context, path string, st *syscall.Stat_t) (*archiveNode, error) {
	n := &archiveNode{fs: fs, path: path, id: identityOf(st), file: fs.lastFile.Add(1), place: fs.visits.own()}
	n.pinned = fs.pinned.of(n.id.dev)
	n.tried.Store(time.Now().UnixNano())
	n.attr.FromStat(st)
	n.attr.Ino = inode(n.id.dev, n.id.ino)
	n.attr.Nlink = 1
	n.attr.Mode &= syscall.S_IFMT | 0o444
	n.attr.Blksize = blockSize

	r, id, err := fs.openArchive(ctx, path)
	switch {
	case err != nil && (isDamage(err) || os.IsPermission(err)):
		fs.faults.errno(generation(path, n.id), path, err)
		return n, nil
	case err != nil:
		return nil, err
	}
	defer r.Close()
	n.id = id // the one that was opened, should it be newer than st
	n.sound = true
	n.show(r)
	return n, nil
}

// show fills in what the archive says of its original. Whoever may not read
// the archive may not read the original.
func (n *archiveNode) show(r *archive.Reader) {
	meta := r.Index().Meta
	n.attr.Mode &= syscall.S_IFMT | uint32(meta.Mode.Perm())
	n.attr.Size = uint64(r.Size())
	n.attr.Blocks = (n.attr.Size + 511) / 512
	n.attr.SetTimes(&meta.MTime, &meta.MTime, nil)
	n.streams.size = r.Size()
	n.streams.share = &n.fs.share
	n.xattrs = map[string]string{
		xattrPrefix + "sha256":      fmt.Sprintf("%x", meta.SHA256),
		xattrPrefix + "ratio":       fmt.Sprintf("%.4f", float64(r.Size())/float64(r.StoredSize())),
		xattrPrefix + "codec":       methods(r.Index().Rows),
		xattrPrefix + "stored_size": fmt.Sprint(r.StoredSize()),
		xattrPrefix + "archive":     n.path,
	}
}

// methods names the methods of rows, each once, in the order of their numbers.
func methods(rows []index.Row) string {
	var used [256]bool
	for _, row := range rows {
		used[row.Method] = true
	}
	var names []string
	for m, ok := range used {
		if ok {
			names = append(names, codec.Method(m).String())
		}
	}
	return strings.Join(names, ",")
}

func (n *archiveNode) stable() fusefs.StableAttr {
	gen := generation(n.path, n.id)
	if !n.sound {
		gen = ^gen
	}
	return fusefs.StableAttr{Mode: syscall.S_IFREG, Ino: n.attr.Ino, Gen: gen}
}

// stillHolds reports whether n may go on to stand for its archive, which is
// unchanged. One that could not be opened is tried again before long, as its
// disk may have recovered.
func (n *archiveNode) stillHolds() bool {
	return n.sound || time.Since(time.Unix(0, n.tried.Load())) < damageFor
}

// timeout is how long the kernel may keep the attributes.
func (n *archiveNode) timeout() time.Duration {
	if n.sound {
		return generationTimeout
	}
	return entryTimeout
}

func (n *archiveNode) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Attr = n.attr
	out.SetTimeout(n.timeout())
	return 0
}

// Open fails with ESTALE when the source is another file by now: the kernel
// then looks the name up again and opens what it finds.
func (n *archiveNode) Open(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return nil, 0, syscall.EROFS
	}
	ctx, leave := patient(ctx)
	defer leave()
	r, err := await(ctx, n.place, n.acquireCurrent, func(*archive.Reader) { n.release() })
	if err != nil {
		return nil, 0, n.fs.faults.errno(generation(n.path, n.id), n.path, err)
	}
	h := &archiveHandle{node: n, reader: r, direct: flags&syscall.O_DIRECT != 0}
	n.fs.stats.openFiles.Add(1)
	if !n.beginHandle() {
		return h, fuse.FOPEN_KEEP_CACHE, 0
	}
	h.backing, err = await(ctx, n.place,
		func(context.Context) (*os.File, error) { return n.fs.images.open(n.image) }, n.fs.images.done)
	if err != nil {
		h.Release(ctx)
		return nil, 0, n.fs.faults.errno(n.file, n.path, err)
	}
	if h.direct {
		return h, fuse.FOPEN_DIRECT_IO, 0 // its reads come here all the same
	}
	return h, fuse.FOPEN_KEEP_CACHE, 0
}

// acquireCurrent is acquire, provided that this generation is still what its
// name leads to.
func (n *archiveNode) acquireCurrent(ctx context.Context) (*archive.Reader, error) {
	st, err := lstat(n.path)
	if err != nil {
		return nil, err
	}
	if identityOf(st) != n.id {
		return nil, n.stale()
	}
	return n.acquire(ctx)
}

func (n *archiveNode) stale() error {
	return &os.PathError{Op: "open", Path: n.path, Err: syscall.ESTALE}
}

// acquire gives the reader of this generation, opening it for its first user.
// Each success is to be paired with a release. Nothing is locked meanwhile: two
// first users may both open it, and one of the readers is closed again.
func (n *archiveNode) acquire(ctx context.Context) (*archive.Reader, error) {
	if r := n.share(nil); r != nil {
		return r, nil
	}
	opened, id, err := n.fs.openArchive(ctx, n.path)
	if err != nil {
		return nil, err
	}
	if id != n.id || !n.sound {
		n.tried.Store(0) // it can be opened: whoever looks it up is to try anew
		opened.Close()
		return nil, n.stale()
	}
	opened.Source().(*source).openDirect(n.fs.reads, n.id)
	r := n.share(opened)
	if r != opened {
		opened.Close()
	}
	return r, nil
}

// share adds a user to the open reader, or makes opened, if any, that reader.
func (n *archiveNode) share(opened *archive.Reader) *archive.Reader {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.users == 0 {
		n.reader = opened
	}
	if n.reader != nil {
		n.users++
	}
	return n.reader
}

// release ends a use; the last one closes the reader.
func (n *archiveNode) release() {
	n.mu.Lock()
	var last *archive.Reader
	if n.users--; n.users == 0 {
		last, n.reader = n.reader, nil
	}
	n.mu.Unlock()
	if last != nil {
		last.Close()
	}
}

// OnForget frees what is cached once the kernel has no more use for the inode.
func (n *archiveNode) OnForget() {
	n.fs.lingering.remove(n)
	n.fs.cache.DropFile(n.file)
}

// archiveHandle is an open archive.
type archiveHandle struct {
	node    *archiveNode
	reader  *archive.Reader // in use until Release
	direct  bool            // opened to be read past the page cache
	backing *os.File        // of an image, nil if FUSE alone shows it
}

var (
	_ fusefs.FileReader          = (*archiveHandle)(nil)
	_ fusefs.FileReleaser        = (*archiveHandle)(nil)
	_ fusefs.FilePassthroughFder = (*archiveHandle)(nil)
)

// PassthroughFd has the kernel read, and map, the file of the image. Reads of a
// handle that is direct come to Read.
func (h *archiveHandle) PassthroughFd() (int, bool) {
	if h.backing == nil || !h.node.fs.passes(int(h.backing.Fd())) {
		return 0, false
	}
	h.node.passed.Store(true)
	return int(h.backing.Fd()), true
}

func (h *archiveHandle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	what := span{off: off, end: off + int64(len(dest))}
	if h.backing != nil && !h.direct && h.node.passed.Load() {
		h.hint(what)
		return nil, syscall.EIO // which no reader sees
	}
	ctx, leave := patient(ctx)
	defer leave()
	ctx, done := h.node.fs.crowd.watch(ctx, len(dest), h.direct)
	defer done()
	res, err := h.node.readAt(ctx, h.reader, dest, what, h.direct)
	if err != nil && context.Cause(ctx) == errShed {
		return nil, syscall.EIO // which no reader sees
	}
	if err != nil {
		return nil, h.node.fs.faults.errno(h.node.file, h.node.path, err)
	}
	return res, 0
}

// Release ends the readahead of the file when nobody has it open any more.
func (h *archiveHandle) Release(context.Context) syscall.Errno {
	n := h.node
	n.mu.Lock()
	n.handles--
	idle := n.handles == 0
	n.mu.Unlock()
	if idle {
		n.streams.stop()
	}
	n.fs.stats.openFiles.Add(-1)
	if h.backing == nil {
		n.release()
		return 0
	}
	n.fs.images.done(h.backing)
	n.fs.lingering.add(n)
	return 0
}
