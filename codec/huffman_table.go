package codec

import "math/bits"

// An entry of a huffmanTable decodes as many symbols as its index holds whole
// codes of, up to maxEntrySymbols: the first symbol in the top byte, the next
// below it; in byte 1 their number and in byte 0 the bits that their codes
// take. At least one symbol fits, as no code is longer than the index.
const maxEntrySymbols = 6

// huffmanTable is what a decoder looks up by the next bits of a stream.
type huffmanTable struct {
	bits    uint // of an index: 11 or 12
	lengths codeLengths
	entries []uint64
}

// Tables are indexed by shortIndex bits if no code is longer: they fill less
// of the first-level cache.
const shortIndex = 11

func newHuffmanTable(c codeLengths) *huffmanTable {
	t := new(huffmanTable)
	t.fill(c, maxEntrySymbols)
	return t
}

// entrySymbolsFor is how many symbols an entry is worth to have for a table
// that decodes n symbols: the more, the longer it takes to fill.
func entrySymbolsFor(n int) uint {
	switch {
	case n < 2<<10:
		return 1
	case n < 8<<10:
		return 2
	case n < 24<<10:
		return 3
	}
	return maxEntrySymbols
}

// fill fills the table with entries of up to most symbols.
func (t *huffmanTable) fill(c codeLengths, most uint) {
	t.bits, t.lengths = max(shortIndex, c.longest()), c
	if n := 1 << t.bits; cap(t.entries) < n {
		t.entries = make([]uint64, n)
	} else {
		t.entries = t.entries[:n]
	}
	f := tableFiller{entries: t.entries, symbols: c.byLength(), lengths: c, most: most}
	f.fill(0, 0, 0, t.bits)
	reverseBits(t.entries, t.bits)
}

// reverseBits puts the entry whose index, as a string of n bits, is a string
// of codes to where a decoder looks it up: the first bit is the lowest.
func reverseBits(entries []uint64, n uint) {
	for _, p := range reversals[n-shortIndex] {
		entries[p[0]], entries[p[1]] = entries[p[1]], entries[p[0]]
	}
}

// reversals lists the pairs of indices that are each other's reverse, for those
// of shortIndex bits and of one more.
var reversals = func() (pairs [maxCodeLen - shortIndex + 1][][2]uint16) {
	for k := range pairs {
		n := shortIndex + k
		for i := range uint16(1 << n) {
			if j := bits.Reverse16(i) >> (16 - n); j > i {
				pairs[k] = append(pairs[k], [2]uint16{i, j})
			}
		}
	}
	return pairs
}()

// bitsOf is the number of bits that the codes of the first n symbols of an
// entry take.
func (t *huffmanTable) bitsOf(entry uint64, n int) (bits byte) {
	for ; n > 0; n-- {
		bits += t.lengths[entry>>56]
		entry <<= 8
	}
	return bits
}

// tableFiller fills a table with the strings of symbols in the order of their
// codes, so that each is a run of entries.
type tableFiller struct {
	entries []uint64 // those not filled yet
	symbols []byte   // in the order of their codes
	lengths codeLengths
	most    uint // symbols of an entry
}

// fill fills the entries whose index begins with the codes of the n symbols in
// entry, used bits, and has room bits more.
func (f *tableFiller) fill(entry uint64, n, used, room uint) {
	shortest := uint(f.lengths[f.symbols[0]])
	left := 1 << room
	for _, s := range f.symbols {
		length := uint(f.lengths[s])
		if length > room {
			break
		}
		next := entry | uint64(s)<<(56-8*n)
		after := room - length
		if n+1 < f.most && after >= shortest {
			f.fill(next, n+1, used+length, after)
		} else {
			f.run(next, n+1, used+length, 1<<after)
		}
		left -= 1 << after
	}
	f.run(entry, n, used, left)
}

// run fills the next entries, all with the same symbols.
func (f *tableFiller) run(entry uint64, n, used uint, count int) {
	entry |= uint64(n)<<8 | uint64(used)
	run := f.entries[:count]
	f.entries = f.entries[count:]
	for i := range run {
		run[i] = entry
	}
}
