package fs

import (
	"context"

	"github.com/scapefs/scapefs/fs/image"
)

// beginHandle counts a handle, and reports whether it is to be by way of the
// image. All that are open at a time are, or none is: the kernel allows nothing
// else.
func (n *archiveNode) beginHandle() bool {
	n.settle.Do(func() { n.image = n.fs.images.file(n) })
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.handles == 0 {
		n.imaged = n.image != nil && !n.spoilt.Load()
		n.passed.Store(false)
	}
	n.handles++
	return n.imaged
}

// ReadImage answers a READ of the image. It is not interrupted: who waits for
// the page that it is for can leave by himself.
func (n *archiveNode) ReadImage(ctx context.Context, off int64, size int) (image.Reply, error) {
	ctx, done := n.fs.imageCrowd.watch(ctx, size, false)
	defer done()
	r, err := n.acquire(ctx)
	if err != nil {
		return nil, n.imageError(err)
	}
	defer n.release()
	res, err := n.readAt(ctx, r, nil, span{off: off, end: off + int64(size)}, false)
	if err != nil {
		return nil, n.imageError(err)
	}
	return res, nil
}

// imageError logs err and gives its number. The kernel's folios make damage larger
// than it is, up to 2 MiB: once nobody has the file open, FUSE alone shows it.
func (n *archiveNode) imageError(err error) error {
	if isDamage(err) {
		n.spoilt.Store(true)
	}
	return n.fs.faults.errno(n.file, n.path, err)
}
