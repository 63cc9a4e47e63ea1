package fs

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
)

// coded is what blocks [from, to) of a chunk are decoded from.
type coded struct {
	chunk    int
	header   *codec.Chunk
	payload  []byte
	from, to int
}

// fetch is the reading of coded bytes past the page cache, for a span that lies in
// one chunk; and then those bytes, until nobody decodes from them any more.
type fetch struct {
	span  span
	turn  turn          // to read
	heads bool          // it reads the header of the chunk, too
	done  chan struct{} // closed when the bytes are there, or err tells why they are not
	users sync.WaitGroup
	err   error
	coded
}

// decode decodes the block of p if it is among those fetched. It waits until they
// are there.
func (f *fetch) decode(ctx context.Context, r *archive.Reader, p piece, dst []byte) (found bool, err error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		return true, ctx.Err()
	}
	if f.err != nil || p.block < f.from || p.block >= f.to {
		return false, nil
	}
	return true, r.DecodeFrom(ctx, f.header, p.chunk, p.block, f.payload, f.from, dst)
}

// fetches are those of one archive that are under way.
type fetches struct {
	mu   sync.Mutex
	list []*fetch
}

// begin adds f, less what of its span others are about already; false if nothing is
// left.
func (s *fetches) begin(f *fetch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 0; i < len(s.list); i++ {
		if left := f.span.less(s.list[i].span); left != f.span {
			f.span, i = left, -1 // others may reach that far now
		}
	}
	if f.span.off >= f.span.end {
		return false
	}
	s.list = append(s.list, f)
	return true
}

// end removes f, and waits for its users.
func (s *fetches) end(f *fetch) {
	s.mu.Lock()
	s.list = slices.DeleteFunc(s.list, func(g *fetch) bool { return g == f })
	s.mu.Unlock()
	f.users.Wait()
}

// join gives the fetch that the block at off of the file may be in, nil if there is
// none. It has a user more, who is to leave.
func (s *fetches) join(off int64) *fetch {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.list {
		if f.span.off <= off && off < f.span.end {
			f.users.Add(1)
			return f
		}
	}
	return nil
}

// header is closed when the header of chunk has been fetched; nil if it is not being
// fetched.
func (s *fetches) header(chunk int) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.list {
		if f.chunk == chunk && f.heads {
			return f.done
		}
	}
	return nil
}

// fetchAhead has the blocks of chunk that begin in s decoded: from what it reads past
// the page cache when t has come, or from what is in there.
func (n *archiveNode) fetchAhead(chunk int, s span, t turn) {
	if n.needless(s) || n.damage.of(chunk, wholeChunk) != nil {
		return
	}
	r, err := n.acquire(n.fs.life)
	if err != nil {
		return // a reader will meet the same error, and report it
	}
	defer n.release()
	f := &fetch{span: s, turn: t, done: make(chan struct{}), coded: coded{chunk: chunk, header: r.CachedChunk(chunk)}}
	f.heads = f.header == nil
	if !n.fetch(r, f) {
		n.decodeLater(r, chunk, f.span)
	}
}

// fetch reads the coded bytes for f and has them decoded. It returns when they have
// been; false if they are to be read through the page cache. So are those that cannot
// be read: whoever reads them then reports it.
func (n *archiveNode) fetch(r *archive.Reader, f *fetch) bool {
	src := r.Source().(*source)
	mem := n.fs.slabs.get()
	if mem == nil {
		return false
	}
	defer n.fs.slabs.put(mem)
	if !n.fetches.begin(f) {
		return true
	}
	defer n.fetches.end(f)
	if n.awaitFetch(r, src, f, mem.mem); f.err != nil {
		return false
	}
	n.fs.stats.directBytes.Add(uint64(len(f.payload)))
	n.decodeFetched(r, f)
	return true
}

// errIndirect is why nothing is read past the page cache.
var errIndirect = errors.New("to be read through the page cache")

// awaitFetch reads what is missing for f, when it is its turn, and says so.
func (n *archiveNode) awaitFetch(r *archive.Reader, src *source, f *fetch, mem []byte) {
	defer close(f.done)
	f.err = errPanicked // stands if the read does not return
	if !f.heads && !n.narrow(r, f) {
		f.err = nil
		return
	}
	if !src.readsDirect(f.place(r)) {
		f.err = errIndirect
		return
	}
	n.fs.flight.do(f.turn, func() { f.err = n.readFetch(r, src, f, mem) })
}

// narrow has f read those blocks of its span that are missing; false if none is. Its
// header must be known.
func (n *archiveNode) narrow(r *archive.Reader, f *fetch) bool {
	f.from, f.to = n.missing(f.header, f.chunk, f.span, r.Index().Rows[f.chunk].Off)
	return f.from < f.to
}

// place is where the coded bytes of f are, the whole chunk with its header if that is
// not known yet.
func (f *fetch) place(r *archive.Reader) (pos int64, length int) {
	if f.header != nil {
		return r.StoredAt(f.header, f.chunk, f.from, f.to)
	}
	row := r.Index().Rows[f.chunk]
	return row.Pos, int(row.HeaderLen) + int(row.PayloadLen)
}

// readFetch reads what f is for into mem. With a header that is not known that is one
// read of the chunk, if most of it is wanted, else one of the header and one of the
// blocks.
func (n *archiveNode) readFetch(r *archive.Reader, src *source, f *fetch, mem []byte) error {
	row := r.Index().Rows[f.chunk]
	headerLen := int(row.HeaderLen)
	if f.heads && f.span.end-f.span.off < int64(row.Len)/8*7 {
		header, err := src.readDirect(mem, row.Pos, headerLen)
		if err != nil {
			return err
		}
		if f.header, err = r.ParseChunk(f.chunk, header); err != nil {
			return err
		}
		if !n.narrow(r, f) {
			return nil
		}
	}
	pos, length := f.place(r)
	payload, err := src.readDirect(mem, pos, length)
	if err != nil {
		return err
	}
	f.payload = payload
	if f.header == nil {
		if f.header, err = r.ParseChunk(f.chunk, payload[:headerLen]); err != nil {
			return err
		}
		f.payload, f.to = payload[headerLen:], f.header.NumBlocks()
	}
	return nil
}

// decodeFetched has workers decode what is missing of f, and waits for them.
func (n *archiveNode) decodeFetched(r *archive.Reader, f *fetch) {
	row := r.Index().Rows[f.chunk]
	from, to := n.missing(f.header, f.chunk, f.span, row.Off)
	from, to = max(from, f.from), min(to, f.to) // more may be missing by now
	var pieces sync.WaitGroup
	defer pieces.Wait()
	for begin := from; begin < to; {
		end := begin + 1
		for end < to && f.header.Block(end).Off/pieceLen == f.header.Block(begin).Off/pieceLen {
			end++
		}
		first := begin // as begin moves on
		pieces.Add(1)
		decode := func() {
			defer pieces.Done()
			n.report(n.decodeBlocks(r, &f.coded, first, end, f.span.feed))
		}
		if !n.fs.pool.later(work{decode, &n.stalled}) {
			pieces.Done()
			return
		}
		begin = end
	}
}
