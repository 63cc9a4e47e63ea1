package codec

import "slices"

// fitCodeLengths gives the code lengths of at most limit bits that cost fewest
// bits for counts, by the package-merge algorithm (L. Larmore and
// D. Hirschberg, "A fast algorithm for optimal length-limited Huffman codes",
// J. ACM 37, 1990). At least two symbols must occur, at most 2^limit.
func fitCodeLengths(counts []uint32, limit int) codeLengths {
	leaves := rarestFirst(counts)

	// Each level's list holds the leaves and the pairs of the level below,
	// sorted. Only whether an item is a leaf is kept.
	isLeaf := make([][]bool, limit)
	flags := make([]bool, 2*len(leaves)*limit)
	list, next := make([]uint64, 0, 2*len(leaves)), make([]uint64, 0, 2*len(leaves))
	for level := range isLeaf {
		isLeaf[level] = flags[2*len(leaves)*level:][:0]
		next = next[:0]
		pairs := list[:len(list)&^1]
		for i := 0; i < len(leaves) || len(pairs) > 0; {
			leaf := i < len(leaves) && (len(pairs) == 0 || leaves[i]>>8 <= pairs[0]+pairs[1])
			if leaf {
				next = append(next, leaves[i]>>8)
				i++
			} else {
				next = append(next, pairs[0]+pairs[1])
				pairs = pairs[2:]
			}
			isLeaf[level] = append(isLeaf[level], leaf)
		}
		list, next = next, list
	}

	// Of the last list the 2n-2 lightest items are taken, of every list below
	// it the pairs' items. A symbol's length is how often it is taken.
	lengths := make(codeLengths, len(counts))
	take := 2*len(leaves) - 2
	for level := limit - 1; level >= 0; level-- {
		taken := 0
		for _, leaf := range isLeaf[level][:take] {
			if leaf {
				lengths[byte(leaves[taken])]++
				taken++
			}
		}
		take = 2 * (take - taken)
	}
	return lengths
}

// rarestFirst lists the symbols that occur: the count, and in the low byte the
// symbol.
func rarestFirst(counts []uint32) []uint64 {
	leaves := make([]uint64, 0, len(counts))
	for s, c := range counts {
		if c > 0 {
			leaves = append(leaves, uint64(c)<<8|uint64(s))
		}
	}
	slices.Sort(leaves)
	return leaves
}
