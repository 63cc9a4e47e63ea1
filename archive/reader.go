package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/index"
	"github.com/zeebo/xxh3"
)

// tailLen is how much of an archive's end is read at once: trailer and index of
// up to 1600 chunks, 6 GiB of the original.
const tailLen = 64 << 10

// Reader reads one archive. It is safe for concurrent use.
type Reader struct {
	src      Source
	path     string
	idx      *index.Index
	indexPos int64
	profile  *codec.Profile // nil: none
	headers  headerCache
}

// Open reads the index of the archive in src: one read of the tail, one more if
// the index is larger. The Reader owns src; when Open fails, src is closed. The
// error wraps ErrNotArchive, ErrVersion, ErrCorrupt, ErrChanged or what src
// returned.
func Open(ctx context.Context, src Source) (*Reader, error) {
	r := &Reader{src: src, headers: newHeaderCache(headerCacheLen, longHeaderLen)}
	if named, ok := src.(interface{ Name() string }); ok {
		r.path = named.Name()
	}
	if err := r.readIndex(ctx); err != nil {
		return nil, errors.Join(err, src.Close())
	}
	return r, nil
}

func (r *Reader) readIndex(ctx context.Context) error {
	size := r.src.Size()
	tail := make([]byte, min(size, tailLen))
	if err := r.readAt(ctx, tail, size-int64(len(tail))); err != nil {
		return err
	}
	last := max(0, len(tail)-index.TrailerLen)
	t, err := index.ParseTrailer(tail[last:], size)
	if err != nil {
		return r.explain(ctx, err)
	}
	b := make([]byte, t.IndexLen)
	missing := max(0, len(b)-last)
	if missing > 0 {
		if err := r.readAt(ctx, b[:missing], t.IndexPos); err != nil {
			return err
		}
	}
	copy(b[missing:], tail[last-len(b)+missing:])
	if err := t.Check(b); err != nil {
		return r.indexError(err)
	}
	if r.idx, err = index.Parse(b, size); err != nil {
		return r.indexError(err)
	}
	r.indexPos = t.IndexPos
	return r.parseProfile()
}

func (r *Reader) parseProfile() (err error) {
	if len(r.idx.Profile) == 0 {
		return nil
	}
	r.profile, err = codec.ParseProfile(r.idx.Profile)
	at := r.src.Size() - index.TrailerLen - int64(len(r.idx.Profile))
	if errors.Is(err, codec.ErrCorrupt) {
		return r.corrupt(-1, at, err)
	}
	if err != nil {
		return fmt.Errorf("%s: profile at offset %d: %w", r.path, at, err)
	}
	return nil
}

// explain looks at the file header when the trailer is of no use, to tell a
// later version, a truncated archive and another kind of file apart.
func (r *Reader) explain(ctx context.Context, trailerErr error) error {
	b := make([]byte, min(r.src.Size(), index.HeaderLen))
	if err := r.readAt(ctx, b, 0); err != nil {
		return err
	}
	switch err := index.ParseHeader(b); {
	case errors.Is(err, ErrVersion):
		return r.indexError(err)
	case err == nil && errors.Is(trailerErr, ErrNotArchive):
		return r.corrupt(-1, r.src.Size(), errors.New("it has no trailer: cut short, or never finished"))
	}
	return r.indexError(trailerErr)
}

// readAt reads from the source. Its errors name it already if it is a file.
func (r *Reader) readAt(ctx context.Context, p []byte, off int64) error {
	if len(p) == 0 {
		return nil
	}
	n, err := r.src.ReadAt(ctx, p, off)
	if err == nil && n != len(p) {
		err = fmt.Errorf("%s: read %d of %d bytes at offset %d", r.path, n, len(p), off)
	}
	return err
}

// indexError gives an error of package index its place.
func (r *Reader) indexError(err error) error {
	var c *index.CorruptError
	if errors.As(err, &c) {
		return r.corrupt(-1, c.Offset, errors.New(c.Reason))
	}
	return fmt.Errorf("%s: %w", r.path, err)
}

// chunkError gives an error of package codec its place.
func (r *Reader) chunkError(n int, offset int64, err error) error {
	if errors.Is(err, codec.ErrCorrupt) {
		return r.corrupt(n, offset, err)
	}
	return fmt.Errorf("%s: chunk %d at offset %d: %w", r.path, n, offset, err)
}

// corrupt is the only place where a CorruptError is made. Bytes that were
// changed under us are no corruption.
func (r *Reader) corrupt(n int, offset int64, err error) error {
	if s, ok := r.src.(interface{ Changed() error }); ok {
		if changed := s.Changed(); changed != nil {
			return fmt.Errorf("%s: %w", r.path, changed)
		}
	}
	return &CorruptError{Path: r.path, Chunk: n, Offset: offset, Err: err}
}

// Index is the archive's index. It must not be modified.
func (r *Reader) Index() *index.Index { return r.idx }

// Size is the number of bytes of the original.
func (r *Reader) Size() int64 { return r.idx.Meta.Size }

// StoredSize is the number of bytes of the archive.
func (r *Reader) StoredSize() int64 { return r.src.Size() }

// Source is what the archive is read from, as given to Open.
func (r *Reader) Source() Source { return r.src }

// Close closes the source. No method may be running or be called after.
func (r *Reader) Close() error { return r.src.Close() }

// CachedChunk gives the parsed header of chunk n if it is among those kept, else
// nil. It reads nothing.
func (r *Reader) CachedChunk(n int) *codec.Chunk {
	row, err := r.row(n)
	if err != nil {
		return nil
	}
	return r.headers.get(row.Pos)
}

// Chunk gives the parsed header of chunk n, read and checked if it is not among
// those kept. The error wraps ErrCorrupt, ErrUnsupported, ErrChanged or what
// the source returned.
func (r *Reader) Chunk(ctx context.Context, n int) (*codec.Chunk, error) {
	row, err := r.row(n)
	if err != nil {
		return nil, err
	}
	if c := r.headers.get(row.Pos); c != nil {
		return c, nil
	}
	b := make([]byte, row.HeaderLen)
	if err := r.readAt(ctx, b, row.Pos); err != nil {
		return nil, err
	}
	return r.parseChunk(n, row, b)
}

// ParseChunk is Chunk for who has read the header of chunk n, as many bytes as its
// row says, by way of Source. It keeps a copy of header.
func (r *Reader) ParseChunk(n int, header []byte) (*codec.Chunk, error) {
	row, err := r.row(n)
	if err != nil {
		return nil, err
	}
	if c := r.headers.get(row.Pos); c != nil {
		return c, nil
	}
	if len(header) != int(row.HeaderLen) {
		return nil, fmt.Errorf("%s: chunk %d has a header of %d bytes, not %d", r.path, n, row.HeaderLen, len(header))
	}
	return r.parseChunk(n, row, bytes.Clone(header))
}

// parseChunk keeps b.
func (r *Reader) parseChunk(n int, row index.Row, b []byte) (*codec.Chunk, error) {
	if xxh3.Hash(b) != row.HeaderSum {
		return nil, r.corrupt(n, row.Pos, errors.New("checksum of the chunk header does not match"))
	}
	c, err := r.profile.ParseChunk(b, int(row.Len))
	if err != nil {
		return nil, r.chunkError(n, row.Pos, err)
	}
	if c.PayloadLen() != int(row.PayloadLen) || uint8(c.Method()) != row.Method {
		return nil, r.corrupt(n, row.Pos, fmt.Errorf("chunk header says %d bytes by %v, index %d by %v",
			c.PayloadLen(), c.Method(), row.PayloadLen, codec.Method(row.Method)))
	}
	r.headers.add(row.Pos, c)
	return c, nil
}

func (r *Reader) row(n int) (index.Row, error) {
	if n < 0 || n >= len(r.idx.Rows) {
		return index.Row{}, fmt.Errorf("%s: no chunk %d, there are %d", r.path, n, len(r.idx.Rows))
	}
	return r.idx.Rows[n], nil
}
