package codec

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/xxh3"
)

// tile is how many elements are decoded from all streams before they are
// merged: few enough to stay in the first-level cache, and whole groups.
const tile = 8 * maxGroup

// Decoder decodes blocks. It holds scratch memory, and serves one goroutine
// at a time.
type Decoder struct {
	streams [2 + maxSplitWidth]streamDecoder
	tiles   [2 + maxSplitWidth][]byte
	units   [2 * tile]byte
	order   transposed // of the block, if its planes are transposed
	compact []byte     // the coded elements of a selection
	tools   decodeTools
}

// decodeTools are what the coders that decode a block at once share.
type decodeTools struct {
	zstd     *zstd.Decoder
	contexts contextDecoder
}

// NewDecoder gives a Decoder for any chunk.
func NewDecoder() *Decoder { return new(Decoder) }

// Decode decodes block i of c from src, the block's coded bytes, into dst,
// which has just its length. ref is the stretch of the original that
// c.Reference(i) names, if it names one. Errors wrap ErrCorrupt; dst is then
// undefined. What src has room for beyond its length, the next block as a rule, may
// be read and fetched into the processor's cache, and decides nothing.
func (d *Decoder) Decode(c *Chunk, i int, dst, src, ref []byte) error {
	b := &c.blocks[i]
	if len(dst) != b.Len || len(src) != b.StoredLen {
		return fmt.Errorf("decode block %d: buffers of %d and %d bytes for %d and %d", i, len(dst), len(src), b.Len, b.StoredLen)
	}
	if r, ok := c.Reference(i); ok && len(ref) != r.Len {
		return fmt.Errorf("decode block %d: reference of %d bytes for %d", i, len(ref), r.Len)
	}
	m := c.models[b.model]
	var err error
	if m.sel != nil {
		err = d.decodeSelected(m, b, dst, src, ref)
	} else {
		err = d.decode(m, dst, src, b.Off)
	}
	if err != nil {
		return err
	}
	if xxh3.Hash(dst) != b.Sum {
		return fmt.Errorf("%w: checksum of block %d does not match", ErrCorrupt, i)
	}
	return nil
}

// decode decodes a block of m whose first byte is byte at of its chunk.
func (d *Decoder) decode(m *model, dst, src []byte, at int) error {
	if m.split.kind == splitPlain {
		switch m.streams[0].coder {
		case coderStored:
			if len(src) != len(dst) {
				return fmt.Errorf("%w: %d stored bytes, expected %d", ErrCorrupt, len(src), len(dst))
			}
			copy(dst, src)
			return nil
		case coderZstd:
			return decodeZstd(d.tools.zstdDecoder(), dst, src)
		case coderZstdDict:
			return m.streams[0].dict.decode(dst, src)
		}
	}
	n := m.split.elements(len(dst))
	if err := d.start(m, n, m.split.elements(at), src, dst); err != nil {
		return err
	}
	width := m.split.width
	d.order = newTransposed(n, max(m.split.columns, 1))
	for at := 0; at < n; {
		size, err := d.readTiles(m, min(tile, n-at), dst[at*width:])
		if err != nil {
			return err
		}
		if m.split.columns > 1 {
			d.joinTransposed(m, dst, size)
		} else {
			d.join(m, dst[at*width:(at+size)*width], size)
		}
		at += size
	}
	for k := range m.streams {
		if err := d.streams[k].close(); err != nil {
			return err
		}
	}
	return nil
}

// readTiles reads the next symbols of all streams: n, or fewer as they stand
// in one piece. ahead is where their elements will be written.
func (d *Decoder) readTiles(m *model, n int, ahead []byte) (int, error) {
	for k := range m.streams {
		n = d.streams[k].avail(n)
	}
	packed := m.packedRaw()
	for k := range m.streams {
		if packed && k == 1 {
			continue // until it is merged
		}
		var err error
		if d.tiles[k], err = d.streams[k].read(n, d.tiles[0], ahead); err != nil {
			return 0, err
		}
		ahead = nil // the first stream asked for it
	}
	return n, nil
}

// start cuts src into the streams' parts (docs/format.md, "Block"): a varint
// for each stream whose length does not follow from n, but for the last such
// one, then the streams. first is the block's first element in its chunk, dst where
// the block will be written.
func (d *Decoder) start(m *model, n, first int, src, dst []byte) error {
	var lengths [2 + maxSplitWidth]int
	last, rest := -1, 0
	for k := range m.streams {
		length, ok := m.streams[k].fixedLen(n)
		if ok {
			lengths[k] = length
			rest += length
			continue
		}
		if last >= 0 {
			v, b, err := readUvarint(src, uint64(len(src)))
			if err != nil {
				return err
			}
			lengths[last], src = int(v), b
			rest += int(v)
		}
		last = k
	}
	if last >= 0 {
		lengths[last] = len(src) - rest
		rest = len(src)
	}
	if rest != len(src) || last >= 0 && lengths[last] < 0 {
		return fmt.Errorf("%w: streams of %d bytes in a block of %d", ErrCorrupt, rest, len(src))
	}
	for k := range m.streams {
		part := src[:lengths[k]]
		src = src[lengths[k]:]
		if err := d.streams[k].init(&m.streams[k], n, uint64(first), part, lookahead{src[:cap(src)], dst}, &d.tools); err != nil {
			return err
		}
		dst = nil // the first stream asked for it
	}
	return nil
}

// join merges the tiles of size elements into dst.
func (d *Decoder) join(m *model, dst []byte, size int) {
	switch m.split.kind {
	case splitPlain:
		copy(dst, d.tiles[0][:size])
	case splitPlanes:
		d.joinPlanes(dst, size, m.split.width)
	case splitTop:
		d.joinTop(m, dst, size)
	}
}

func (d *Decoder) joinTop(m *model, dst []byte, size int) {
	g := m.merger()
	next := 1
	var mid, low []byte
	symbols := d.tiles[0][:size]
	if m.packedRaw() {
		done := d.mergePacked(g, dst, symbols)
		if done == size {
			return
		}
		dst, symbols, size = dst[2*done:], symbols[done:], size-done
	}
	if m.split.raw%8 != 0 {
		mid = d.tiles[next][:size]
		next++
	}
	if g.low {
		low = d.tiles[next][:size]
		next++
	}
	switch m.split.width {
	case 1:
		g.merge8(dst, symbols, mid)
	case 2:
		g.merge16(dst, symbols, mid, low)
	default:
		g.merge16(d.units[:2*size], symbols, mid, low)
		d.joinWide(dst, next, size, m.split.width)
	}
}

// mergePacked merges as many units as it can with their raw bits, stream 1, as
// they are packed, and reads the others' into their tile. It gives the number
// of units merged.
func (d *Decoder) mergePacked(g *merger, dst, symbols []byte) int {
	raw := &d.streams[1]
	done := g.joining.joinPacked(dst, symbols, raw.src, raw.stream.bits)
	raw.src = raw.src[packedLen(done, raw.stream.bits):]
	d.tiles[1] = raw.tile[:len(symbols)-done]
	raw.unpack(d.tiles[1])
	return done
}

// joinPlanes puts the planes of elements of width bytes together.
func (d *Decoder) joinPlanes(dst []byte, size, width int) {
	plane := func(k int) []byte { return d.tiles[k][:size] }
	switch width {
	case 2:
		joinPlanes(dst, plane(0), plane(1))
	case 4:
		units := d.units[:2*size]
		joinPlanes(units, plane(2), plane(3))
		joinWide(dst, plane(0), plane(1), units)
	default:
		for k := range width {
			interleave(dst[k:], plane(k), width)
		}
	}
}

// joinWide puts the units, and the planes from stream next on, together to
// elements of width bytes.
func (d *Decoder) joinWide(dst []byte, next, size, width int) {
	if width == 4 {
		joinWide(dst, d.tiles[next+1][:size], d.tiles[next][:size], d.units[:2*size])
		return
	}
	for i := range size {
		copy(dst[width*i+width-2:], d.units[2*i:2*i+2])
	}
	for k := range width - 2 {
		interleave(dst[width-3-k:], d.tiles[next+k][:size], width)
	}
}

func (t *decodeTools) zstdDecoder() *zstd.Decoder {
	if t.zstd == nil {
		t.zstd = newZstdDecoder()
	}
	return t.zstd
}

// newZstdDecoder gives a decoder that allocates no more than a block's worth,
// whatever a frame says of itself.
func newZstdDecoder(more ...zstd.DOption) *zstd.Decoder {
	options := append([]zstd.DOption{zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxBlockLen),
		zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxWindow(8 << 20)}, more...)
	z, err := zstd.NewReader(nil, options...)
	if err != nil {
		panic(err) // the options are constants, and valid
	}
	return z
}

// decoders serves those who decode a block now and then.
var decoders = sync.Pool{New: func() any { return NewDecoder() }}

// Decode is Decoder.Decode with a Decoder of its own, reused between calls.
func (c *Chunk) Decode(i int, dst, src, ref []byte) error {
	d := decoders.Get().(*Decoder)
	defer decoders.Put(d)
	return d.Decode(c, i, dst, src, ref)
}
