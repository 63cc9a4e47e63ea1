package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/scapefs/scapefs/codec"
)

// A block may be coded as what differs from a stretch of an earlier chunk. To
// decode it, that stretch is decoded first; its blocks need no further one, so
// that a read costs two chunks at most, and bytes that are no archive lead
// nowhere.

// scratch is what a reference is decoded in: a stretch as long as a block, one
// block of it, and that block's coded bytes.
type scratch struct{ stretch, block, payload []byte }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// withReference calls decode with what block b of chunk n, whose header is c,
// needs beside its coded bytes: nil, or a stretch of the original.
func (r *Reader) withReference(ctx context.Context, c *codec.Chunk, n, b int, decode func(ref []byte) error) error {
	ref, ok := c.Reference(b)
	if !ok {
		return decode(nil)
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	err := r.readReference(ctx, n, c.Block(b).Off, ref, s)
	if errors.Is(err, ErrCorrupt) {
		return r.corrupt(n, r.blockPos(c, n, b), fmt.Errorf("reference of block %d: %w", b, err))
	}
	if err != nil {
		return err
	}
	return decode(s.stretch)
}

// blockPos is where in the archive the coded bytes of block b of chunk n begin.
func (r *Reader) blockPos(c *codec.Chunk, n, b int) int64 {
	return r.idx.Rows[n].PayloadPos() + int64(c.Block(b).StoredOff)
}

// readReference fills s.stretch with what a block at byte off of chunk n refers
// to: bytes before it.
func (r *Reader) readReference(ctx context.Context, n, off int, ref codec.Reference, s *scratch) error {
	if ref.Row > n {
		return r.corrupt(n, r.idx.Rows[n].Pos, fmt.Errorf("it is in a later chunk, %d", ref.Row))
	}
	row := r.idx.Rows[ref.Row]
	limit := int(row.Len)
	if row.Pos == r.idx.Rows[n].Pos {
		limit = off
	}
	if ref.Off+ref.Len > limit {
		return r.corrupt(n, r.idx.Rows[n].Pos, fmt.Errorf("bytes %d to %d of chunk %d, where it may have %d", ref.Off, ref.Off+ref.Len, ref.Row, limit))
	}
	c, err := r.Chunk(ctx, ref.Row)
	if err != nil {
		return err
	}
	s.stretch = slices.Grow(s.stretch[:0], ref.Len)[:ref.Len]
	for b := c.Find(ref.Off); b < c.NumBlocks() && c.Block(b).Off < ref.Off+ref.Len; b++ {
		if _, again := c.Reference(b); again {
			return r.corrupt(ref.Row, row.Pos, fmt.Errorf("block %d needs a reference itself", b))
		}
		if err := r.readPart(ctx, c, ref, b, s); err != nil {
			return err
		}
	}
	return nil
}

// readPart fills in what s.stretch has of block b of the chunk that ref names,
// whose header is c.
func (r *Reader) readPart(ctx context.Context, c *codec.Chunk, ref codec.Reference, b int, s *scratch) (err error) {
	block := c.Block(b)
	if s.payload, err = r.ReadPayload(ctx, ref.Row, b, b+1, s.payload); err != nil {
		return err
	}
	s.block = slices.Grow(s.block[:0], block.Len)[:block.Len]
	if err := c.Decode(b, s.block, s.payload, nil); err != nil {
		return r.chunkError(ref.Row, r.blockPos(c, ref.Row, b), err)
	}
	from := max(ref.Off-block.Off, 0)
	copy(s.stretch[block.Off+from-ref.Off:], s.block[from:])
	return nil
}
