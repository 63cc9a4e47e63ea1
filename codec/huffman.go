package codec

import "fmt"

// Canonical Huffman codes of limited length (docs/format.md, "Huffman").
//
// The symbols of a block are dealt to up to eight streams of bits, so that a
// decoder has as many independent chains of table look-ups to overlap. Every
// stream is coded from its last symbol to its first: a decoder then writes
// downwards, and a table entry's symbols are stored from its upper bytes
// without a shift.
const (
	maxCodeLen            = 12 // bits
	maxHuffmanStreamsLog2 = 3
	maxHuffmanStreams     = 1 << maxHuffmanStreamsLog2
)

// codeLengths holds the length in bits of each symbol's code, 0 for a symbol
// that never occurs: at most 256 of them, and a complete prefix code.
type codeLengths []byte

// marshal appends the table that readCodeLengths reads.
func (c codeLengths) marshal(dst []byte) []byte {
	w := bitWriter{buf: append(dst, byte(len(c)-1))}
	prev := 0
	for _, l := range c {
		writeClass(&w, int(l)-prev)
		prev = int(l)
	}
	return w.close()
}

// readCodeLengths parses a table and returns what follows it.
func readCodeLengths(b []byte) (codeLengths, []byte, error) {
	if len(b) == 0 {
		return nil, nil, errShortHeader
	}
	c := make(codeLengths, int(b[0])+1)
	r := bitReader{buf: b[1:]}
	length, filled := 0, 0
	for i := range c {
		length += readClass(&r)
		if length < 0 || length > maxCodeLen {
			return nil, nil, fmt.Errorf("%w: code of %d bits", ErrCorrupt, length)
		}
		c[i] = byte(length)
		if length > 0 {
			filled += 1 << (maxCodeLen - length)
		}
	}
	rest, ok := r.close(b[1:])
	if !ok {
		return nil, nil, fmt.Errorf("%w: table of code lengths cut short", ErrCorrupt)
	}
	if filled != 1<<maxCodeLen {
		return nil, nil, fmt.Errorf("%w: code lengths fill %d/%d", ErrCorrupt, filled, 1<<maxCodeLen)
	}
	return c, rest, nil
}

// longest is the length of the longest code.
func (c codeLengths) longest() (most uint) {
	for _, l := range c {
		most = max(most, uint(l))
	}
	return most
}

// byLength lists the symbols that occur in the order of their codes: shorter
// ones first, and in their own order among equals.
func (c codeLengths) byLength() []byte {
	order := make([]byte, 0, len(c))
	for length := byte(1); length <= maxCodeLen; length++ {
		for s, l := range c {
			if l == length {
				order = append(order, byte(s))
			}
		}
	}
	return order
}

// cost is the number of bits that symbols so counted take.
func (c codeLengths) cost(counts []uint32) float64 {
	bits := 0.0
	for i, v := range counts {
		bits += float64(v) * float64(c[i])
	}
	return bits
}

// huffmanSubTile is how many neighbouring symbols go to one stream: a tile,
// so that the decoder finds each tile in one piece.
const huffmanSubTile = tile

// huffmanDeal tells which symbols go to which stream. They are dealt in
// rounds, a sub-tile to each stream in turn. What is left after the whole
// rounds is cut into groups of maxGroup, and each stream gets its share of
// them in one piece: streams differ by a group, or less than two where the final
// one is short.
type huffmanDeal struct {
	n       int
	streams int
	rounds  int // whole ones
	groups  int // after them, the final one maybe shorter
}

func dealHuffman(n int, streamsLog2 uint) huffmanDeal {
	d := huffmanDeal{n: n, streams: 1 << streamsLog2}
	d.rounds = n / (huffmanSubTile << streamsLog2)
	d.groups = (n - d.dealt() + maxGroup - 1) / maxGroup
	return d
}

// dealt is the number of symbols in whole rounds.
func (d *huffmanDeal) dealt() int { return d.rounds * d.streams * huffmanSubTile }

// symbolsOf is how many symbols stream k has.
func (d *huffmanDeal) symbolsOf(k int) int {
	from, to := d.subTile(d.rounds, k)
	return d.rounds*huffmanSubTile + to - from
}

// subTile gives the bounds of stream k's sub-tile of a round, or of its share
// after them.
func (d *huffmanDeal) subTile(round, k int) (from, to int) {
	if round < d.rounds {
		from = (round*d.streams + k) * huffmanSubTile
		return from, from + huffmanSubTile
	}
	share, more := d.groups/d.streams, d.groups%d.streams
	first := k*share + min(k, more)
	if k < more {
		share++
	}
	from = min(d.dealt()+first*maxGroup, d.n)
	return from, min(from+share*maxGroup, d.n)
}

// huffmanStreamsFor is the number of streams, as a power of two, for blocks of
// n symbols: fewer for short ones, as a stream costs about three bytes.
func huffmanStreamsFor(n int) uint {
	const perStream = 2048
	k := uint(0)
	for k < maxHuffmanStreamsLog2 && n >= perStream<<(k+1) {
		k++
	}
	return k
}

// cutHuffman takes the coded bytes of a block apart: a varint for the length of
// each stream but the last, then the streams. It gives those, and where each
// ends.
func cutHuffman(src []byte, streams int) (bits []byte, ends [maxHuffmanStreams]int, err error) {
	var end uint64
	for k := range streams - 1 {
		v, rest, err := readUvarint(src, uint64(len(src)))
		if err != nil {
			return nil, ends, err
		}
		src = rest
		end += v
		ends[k] = int(end)
	}
	if end > uint64(len(src)) {
		return nil, ends, fmt.Errorf("%w: Huffman streams of %d bytes in %d", ErrCorrupt, end, len(src))
	}
	ends[streams-1] = len(src)
	return src, ends, nil
}
