package fs

import (
	"context"
	"errors"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/cache"
	"github.com/scapefs/scapefs/codec"
)

// pieceLen is how many original bytes one worker decodes ahead at a time: few
// enough for the blocks of one chunk to be shared among workers, enough for
// the payload to come in large reads.
const pieceLen = 1 << 20

// readAhead queues s to be fetched, chunk by chunk.
func (n *archiveNode) readAhead(r *archive.Reader, s span) {
	idx := r.Index()
	for at := s.off; at < s.end; {
		chunk := idx.Find(at)
		part := span{at, min(idx.Rows[chunk].End(), s.end), s.feed}
		turn := n.fs.flight.ask()
		if !n.fs.fetchers.later(work{func() { n.fetchAhead(chunk, part, turn) }, &n.stalled}) {
			n.streams.giveBack(s.feed, at)
			return
		}
		at = part.end
	}
}

// decodeLater queues the decoding of s, which lies in chunk, in pieces, each from
// what is read for it through the page cache.
func (n *archiveNode) decodeLater(r *archive.Reader, chunk int, s span) {
	begin := r.Index().Rows[chunk].Off
	for at := s.off; at < s.end; {
		cut := begin + (at-begin)/pieceLen*pieceLen + pieceLen
		piece := span{at, min(cut, s.end), s.feed}
		if !n.fs.pool.later(work{func() { n.decodeAhead(chunk, piece) }, &n.stalled}) {
			n.streams.giveBack(s.feed, at)
			return
		}
		at = piece.end
	}
}

// needless reports whether s need not be decoded ahead. Of an archive whose disk does
// not answer nothing is: it would hold every worker.
func (n *archiveNode) needless(s span) bool {
	f := s.feed
	return f.stopped.Load() || f.turned.Load() || s.end <= f.passed.Load() || n.stalled.Load() > 0
}

// decodeAhead reads and decodes the blocks of chunk that begin in s into the cache.
func (n *archiveNode) decodeAhead(chunk int, s span) {
	if n.needless(s) {
		return
	}
	r, err := n.acquire(n.fs.life)
	if err != nil {
		return // a reader will meet the same error, and report it
	}
	defer n.release()
	n.report(n.decodeSpan(n.fs.life, r, chunk, s))
}

// report logs what went wrong ahead of readers.
func (n *archiveNode) report(err error) {
	if err != nil {
		n.fs.faults.errno(n.file, n.path, err)
	}
}

func (n *archiveNode) decodeSpan(ctx context.Context, r *archive.Reader, chunk int, s span) error {
	if n.damage.of(chunk, wholeChunk) != nil {
		return nil // known
	}
	c, err := r.Chunk(ctx, chunk)
	if err != nil {
		return n.damage.add(chunk, wholeChunk, err)
	}
	from, to := n.missing(c, chunk, s, r.Index().Rows[chunk].Off)
	if from >= to {
		return nil
	}
	buf := n.fs.payloads.Get().(*[]byte)
	defer n.fs.payloads.Put(buf)
	payload, err := r.ReadPayload(ctx, chunk, from, to, *buf)
	if err != nil {
		return err
	}
	*buf = payload
	return n.decodeBlocks(r, &coded{chunk, c, payload, from, to}, from, to, s.feed)
}

// decodeBlocks decodes blocks [from, to) of b into the cache, those excepted that are
// not needed. Damage is noted, so that whoever comes to read it need not try again.
// When it returns, nothing refers to the coded bytes.
func (n *archiveNode) decodeBlocks(r *archive.Reader, b *coded, from, to int, f *feed) error {
	base := r.Index().Rows[b.chunk].Off
	for i := from; i < to && !f.stopped.Load(); i++ {
		block := b.header.Block(i)
		if n.damage.of(b.chunk, i) != nil || n.given.has(base+int64(block.Off)) {
			continue
		}
		// Prefetch returns when the load has ended, as the context cannot be
		// cancelled.
		err := n.fs.cache.Prefetch(context.Background(), n.key(b.chunk, i), block.Len,
			func(ctx context.Context, dst []byte) error {
				n.fs.stats.aheadBytes.Add(uint64(len(dst)))
				return r.DecodeFrom(ctx, b.header, b.chunk, i, b.payload, b.from, dst)
			})
		if errors.Is(err, cache.ErrNoRoom) || errors.Is(err, cache.ErrClosed) {
			return nil
		}
		if err != nil {
			return n.damage.add(b.chunk, i, err)
		}
	}
	return nil
}

// missing gives the blocks [from, to) of chunk c that begin in s, less those
// at either end that are not needed. base is the chunk's offset.
func (n *archiveNode) missing(c *codec.Chunk, chunk int, s span, base int64) (from, to int) {
	from = c.Find(int(s.off - base))
	if int64(c.Block(from).Off)+base < s.off {
		from++ // it begins before s: another piece has it, or the reader
	}
	to = c.Find(int(s.end-base-1)) + 1
	needless := func(b int) bool {
		// A block that is decoded counts as used: else, with a file larger than the
		// cache, what lies just ahead of a reader would be the first to make room for
		// what it reads.
		return n.given.has(base+int64(c.Block(b).Off)) || n.fs.cache.Touch(n.key(chunk, b))
	}
	for from < to && needless(from) {
		from++
	}
	for from < to && needless(to-1) {
		to--
	}
	return from, to
}
