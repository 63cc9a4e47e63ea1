package fs

import (
	"cmp"
	"context"
	"errors"
	"math/bits"
	"slices"
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/cache"
	"github.com/scapefs/scapefs/codec"
)

// maxSlices is how many slices a reply may have: a system call writes no more
// than 1024. Reads that touch more blocks than that are copied together.
const maxSlices = 256

// piece is the part [from, to) of one block.
type piece struct {
	chunk, block int
	begin        int64 // of the block, in the file
	size         int   // of the block
	from, to     int
}

// slot is what the piece's block takes in the cache, at most.
func (p piece) slot() int64 { return max(4<<10, int64(1)<<bits.Len(uint(p.size-1))) }

// reply is the answer to a READ. It is to be done with once.
type reply interface {
	fuse.ReadResult
	Slices() ([][]byte, fuse.Status)
}

// copied is an answer that refers to nothing else.
type copied []byte

func (c copied) Slices() ([][]byte, fuse.Status)    { return [][]byte{c}, fuse.OK }
func (c copied) Bytes([]byte) ([]byte, fuse.Status) { return c, fuse.OK }
func (c copied) Size() int                          { return len(c) }
func (copied) Done()                                {}

// readAt answers a READ of what, which the kernel keeps unless it is direct. The
// result refers to blocks of the cache, or is in dest, which may be nil.
func (n *archiveNode) readAt(ctx context.Context, r *archive.Reader, dest []byte, what span, direct bool) (reply, error) {
	off, end := what.off, min(what.end, r.Size())
	if off < 0 || off >= end {
		return copied(nil), nil
	}
	for _, ahead := range n.streams.read(off, end, r.Index().ChunkEnd) {
		n.askOrder.Do(n.queueOrder)
		n.readAhead(r, ahead)
	}
	pieces, next, err := n.locate(ctx, r, off, end)
	if err != nil {
		return nil, err
	}
	n.fs.stats.reads.Add(1)
	n.fs.stats.readBytes.Add(uint64(end - off))
	if next < end {
		dest = slices.Grow(dest[:0], int(end-off))[:end-off]
		return n.gather(ctx, r, dest, off, pieces, next)
	}
	res, err := n.pin(ctx, pieces)
	if err != nil {
		return nil, err
	}
	if !direct {
		res.given = &n.given
	}
	return res, nil
}

// gather copies the bytes of many small blocks into dest, starting with
// pieces, which end at offset next.
func (n *archiveNode) gather(ctx context.Context, r *archive.Reader, dest []byte, off int64, pieces []piece, next int64) (reply, error) {
	end := off + int64(len(dest))
	for at := 0; ; {
		part, err := n.pin(ctx, pieces)
		if err != nil {
			return nil, err
		}
		for _, b := range part.slices {
			at += copy(dest[at:], b)
		}
		part.Done()
		if next == end {
			return copied(dest), nil
		}
		if pieces, next, err = n.locate(ctx, r, next, end); err != nil {
			return nil, err
		}
	}
}

// locate lists the pieces of blocks that make up [off, end), maxSlices at
// most, and where they end.
func (n *archiveNode) locate(ctx context.Context, r *archive.Reader, off, end int64) ([]piece, int64, error) {
	idx := r.Index()
	pieces := make([]piece, 0, 8)
	for chunk := idx.Find(off); off < end; chunk++ {
		if err := n.damage.of(chunk, wholeChunk); err != nil {
			return nil, 0, err
		}
		c, err := n.header(ctx, r, chunk)
		if err != nil {
			return nil, 0, n.damage.add(chunk, wholeChunk, err)
		}
		row := idx.Rows[chunk]
		for b := c.Find(int(off - row.Off)); b < c.NumBlocks() && off < end; b++ {
			if len(pieces) == maxSlices {
				return pieces, off, nil
			}
			block := c.Block(b)
			base := row.Off + int64(block.Off)
			to := min(int64(block.Len), end-base)
			pieces = append(pieces, piece{chunk, b, base, block.Len, int(off - base), int(to)})
			off = base + to
		}
	}
	return pieces, end, nil
}

// header gives the header of chunk, as r.Chunk does. A reader may leave while it
// is read; r may be closed then.
func (n *archiveNode) header(ctx context.Context, r *archive.Reader, chunk int) (*codec.Chunk, error) {
	if c := r.CachedChunk(chunk); c != nil {
		return c, nil
	}
	if fetched := n.fetches.header(chunk); fetched != nil {
		select {
		case <-fetched:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if c := r.CachedChunk(chunk); c != nil {
			return c, nil
		}
	}
	return await(ctx, n.place, func(ctx context.Context) (*codec.Chunk, error) {
		r, err := n.acquire(ctx)
		if err != nil {
			return nil, err
		}
		defer n.release()
		return r.Chunk(ctx, chunk)
	}, nil)
}

// pin gives the bytes of pieces, decoding what is missing.
//
// Room for all blocks is claimed first: reads that hold some blocks while they
// wait for room for others could wait for each other for ever.
func (n *archiveNode) pin(ctx context.Context, pieces []piece) (*blocks, error) {
	res := &blocks{pieces: pieces, refs: make([]*cache.Ref, len(pieces)), pinned: n.pinned}
	var need int64
	for _, p := range pieces {
		need += p.slot()
	}
	var err error
	n.fs.stats.waiting.Add(1)
	res.claim, err = n.pinned.acquire(ctx, need)
	n.fs.stats.waiting.Add(-1)
	if err != nil {
		return nil, err
	}
	if err := n.pinAll(ctx, pieces, res.refs); err != nil {
		res.Done()
		return nil, err
	}
	res.slices = make([][]byte, len(pieces))
	for i, p := range pieces {
		res.slices[i] = res.refs[i].Bytes()[p.from:p.to]
		res.size += p.to - p.from
	}
	return res, nil
}

// pinAll fills refs. Blocks that have to be decoded are shared with whatever
// workers are idle.
func (n *archiveNode) pinAll(ctx context.Context, pieces []piece, refs []*cache.Ref) error {
	var missing []int
	for i, p := range pieces {
		ref, ok := n.fs.cache.Lookup(n.key(p.chunk, p.block))
		if !ok {
			missing = append(missing, i)
			n.given.missed(p.begin)
		}
		refs[i] = ref
	}
	errs := make([]error, len(missing))
	var helpers sync.WaitGroup
	for j := len(missing) - 1; j >= 0; j-- {
		i := missing[j]
		load := func() { refs[i], errs[j] = n.get(ctx, pieces[i]) }
		if j == 0 {
			load() // there is nobody else left for it
			break
		}
		errs[j] = errPanicked // stands if load does not return
		helpers.Add(1)
		help := func() { defer helpers.Done(); load() }
		if n.stalled.Load() > 0 || !n.fs.pool.now(work{help, &n.stalled}) {
			help()
		}
	}
	helpers.Wait()
	return cmp.Or(errs...)
}

var errPanicked = errors.New("panic while reading a block")

// get pins the block of p.
func (n *archiveNode) get(ctx context.Context, p piece) (*cache.Ref, error) {
	return n.fs.cache.Get(ctx, n.key(p.chunk, p.block), p.size,
		func(ctx context.Context, dst []byte) error { return n.decode(ctx, p, dst) })
}

// decode fills dst with the block of p. It may run on after the reader who
// asked for it has left, and the file been closed.
func (n *archiveNode) decode(ctx context.Context, p piece, dst []byte) error {
	if err := n.damage.of(p.chunk, p.block); err != nil {
		return err
	}
	r, err := n.acquire(ctx)
	if err != nil {
		return err
	}
	defer n.release()
	n.fs.stats.demandBytes.Add(uint64(len(dst)))
	if f := n.fetches.join(p.begin); f != nil {
		defer f.users.Done()
		if found, err := f.decode(ctx, r, p, dst); found {
			return n.damage.add(p.chunk, p.block, err)
		}
	}
	return n.damage.add(p.chunk, p.block, r.DecodeBlock(ctx, p.chunk, p.block, dst))
}

func (n *archiveNode) key(chunk, block int) cache.Key {
	return cache.Key{File: n.file, Chunk: uint32(chunk), Block: uint32(block)}
}
