package archive

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/scapefs/scapefs/codec"
)

// payloads holds buffers for the coded bytes of one block.
var payloads = sync.Pool{New: func() any { return new([]byte) }}

// ReadPayload reads the coded bytes of blocks [from, to) of chunk n, in one
// read. They are put into buf if it has the room, codec.Padding included, else
// into a new slice.
func (r *Reader) ReadPayload(ctx context.Context, n, from, to int, buf []byte) ([]byte, error) {
	c, err := r.Chunk(ctx, n)
	if err != nil {
		return nil, err
	}
	if from < 0 || from >= to || to > c.NumBlocks() {
		return nil, fmt.Errorf("%s: chunk %d has no blocks [%d, %d), only %d", r.path, n, from, to, c.NumBlocks())
	}
	pos, length := r.StoredAt(c, n, from, to)
	buf = slices.Grow(buf[:0], length+codec.Padding)[:length]
	if err := r.readAt(ctx, buf, pos); err != nil {
		return nil, err
	}
	return buf, nil
}

// StoredAt says where in the archive the coded bytes of blocks [from, to) of chunk n
// are, 0 <= from < to, whose parsed header is c.
func (r *Reader) StoredAt(c *codec.Chunk, n, from, to int) (pos int64, length int) {
	first, last := c.Block(from), c.Block(to-1)
	return r.idx.Rows[n].PayloadPos() + int64(first.StoredOff), last.StoredOff + last.StoredLen - first.StoredOff
}

// DecodeFrom decodes block b of chunk n, whose parsed header is c, into dst,
// which has just the block's length. The payload is what ReadPayload gave for
// blocks [from, to) with from <= b < to. On error dst is undefined; the error
// wraps ErrCorrupt, ErrUnsupported or ErrChanged.
func (r *Reader) DecodeFrom(ctx context.Context, c *codec.Chunk, n, b int, payload []byte, from int, dst []byte) error {
	if _, err := r.row(n); err != nil {
		return err
	}
	if from < 0 || b < from || b >= c.NumBlocks() {
		return fmt.Errorf("%s: chunk %d: block %d of a payload from block %d", r.path, n, b, from)
	}
	block := c.Block(b)
	at := block.StoredOff - c.Block(from).StoredOff
	if len(dst) != block.Len || at+block.StoredLen > len(payload) {
		return fmt.Errorf("%s: chunk %d: block %d: buffers of %d and %d bytes are not the block's", r.path, n, b, len(dst), len(payload))
	}
	return r.withReference(ctx, c, n, b, func(ref []byte) error {
		if err := c.Decode(b, dst, payload[at:at+block.StoredLen], ref); err != nil {
			return r.chunkError(n, r.blockPos(c, n, b), err)
		}
		return nil
	})
}

// DecodeBlock reads and decodes block b of chunk n into dst, which has just the
// block's length. On error dst is undefined.
func (r *Reader) DecodeBlock(ctx context.Context, n, b int, dst []byte) error {
	c, err := r.Chunk(ctx, n)
	if err != nil {
		return err
	}
	buf := payloads.Get().(*[]byte)
	defer payloads.Put(buf)
	payload, err := r.ReadPayload(ctx, n, b, b+1, *buf)
	if err != nil {
		return err
	}
	*buf = payload
	return r.DecodeFrom(ctx, c, n, b, payload, b, dst)
}

// decodeChunk decodes all of chunk n. It returns the chunk's bytes and the
// coded ones, each in the buffer given if that has the room.
func (r *Reader) decodeChunk(ctx context.Context, n int, data, coded []byte) (_, _ []byte, err error) {
	c, err := r.Chunk(ctx, n)
	if err != nil {
		return data, coded, err
	}
	payload, err := r.ReadPayload(ctx, n, 0, c.NumBlocks(), coded)
	if err != nil {
		return data, coded, err
	}
	size := int(r.idx.Rows[n].Len)
	data = slices.Grow(data[:0], size)[:size]
	for b := range c.NumBlocks() {
		block := c.Block(b)
		if err := r.DecodeFrom(ctx, c, n, b, payload, 0, data[block.Off:block.Off+block.Len]); err != nil {
			return data, payload, err
		}
	}
	return data, payload, nil
}
