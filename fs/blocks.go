package fs

import (
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/scapefs/scapefs/cache"
)

// blocks is the answer to a READ: slices of blocks that stay pinned until the
// kernel has them. Having Slices, it is written from where the blocks lie, and
// Done is called after the write.
type blocks struct {
	slices [][]byte
	size   int
	pieces []piece
	refs   []*cache.Ref
	pinned *pinShare
	claim  int64  // of pinned
	given  *given // by the answer; nil if the kernel does not keep it, as asked by O_DIRECT
}

var _ fuse.ReadResult = (*blocks)(nil)

func (b *blocks) Slices() ([][]byte, fuse.Status) { return b.slices, fuse.OK }

func (b *blocks) Size() int { return b.size }

// Bytes is for answers that cannot be written from slices.
func (b *blocks) Bytes(buf []byte) ([]byte, fuse.Status) {
	buf = buf[:0]
	for _, s := range b.slices {
		buf = append(buf, s...)
	}
	return buf, fuse.OK
}

// Done unpins the blocks.
func (b *blocks) Done() {
	for i, ref := range b.refs {
		if ref != nil {
			b.unpin(ref, b.pieces[i])
		}
	}
	b.pinned.release(b.claim)
}

func (b *blocks) unpin(ref *cache.Ref, p piece) {
	switch n := p.to - p.from; {
	case b.given == nil:
		ref.Pass(n)
	case p.size < leastGiven:
		ref.Release()
	case ref.Spend(n):
		b.given.add(p.begin)
	}
}
