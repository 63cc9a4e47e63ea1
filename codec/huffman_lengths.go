package codec

import "slices"

// fitCodeLengths gives the code lengths of at most limit bits that cost fewest
// bits for counts, by the package-merge algorithm (L. Larmore and
// D. Hirschberg, "A fast algorithm for optimal length-limited Huffman codes",
// J. ACM 37, 1990). At least two symbols must occur, at most 2^limit.
func fitCodeLengths(counts []uint32, limit int) codeLengths {
	leaves := rarestFirst(counts)

	// Each level's list holds the leaves and the pairs of the level below,
	// sorted. Only whether an item is a leaf is kept. What is heavier than any
	// item ends the leaves and the pairs.
	isLeaf := make([][]byte, limit)
	flags := make([]byte, 2*len(leaves)*limit)
	list, next := make([]uint64, 2*len(leaves)+2), make([]uint64, 2*len(leaves)+2)
	weights := make([]uint64, len(leaves)+1)
	for i, l := range leaves {
		weights[i] = l >> 8
	}
	weights[len(leaves)] = heaviest
	listed := 0
	for level := range isLeaf {
		pairs := listed / 2
		list[2*pairs], list[2*pairs+1] = heaviest, 0
		listed = len(leaves) + pairs
		isLeaf[level] = flags[2*len(leaves)*level:][:listed]
		mergeItems(next, isLeaf[level], weights, list)
		list, next = next, list
	}

	// Of the last list the 2n-2 lightest items are taken, of every list below
	// it the pairs' items. A symbol's length is how often it is taken.
	lengths := make(codeLengths, len(counts))
	take := 2*len(leaves) - 2
	for level := limit - 1; level >= 0; level-- {
		taken := 0
		for _, leaf := range isLeaf[level][:take] {
			if leaf != 0 {
				lengths[byte(leaves[taken])]++
				taken++
			}
		}
		take = 2 * (take - taken)
	}
	return lengths
}

// heaviest is more than symbols of any chunk weigh together.
const heaviest = 1 << 62

// mergeItems fills dst with leaves and the sums of pairs, both rising, leaves
// first among equals; isLeaf says which is which. Which comes next is as good as
// random, so there is no branch by it.
func mergeItems(dst []uint64, isLeaf []byte, leaves, pairs []uint64) {
	dst = dst[:len(isLeaf)]
	leaf, pair := 0, 0
	for i := range isLeaf {
		a, b := leaves[leaf], pairs[pair]+pairs[pair+1]
		isPair := int((b - a) >> 63) // 1 if b < a
		dst[i] = min(a, b)
		isLeaf[i] = byte(1 - isPair)
		leaf += 1 - isPair
		pair += 2 * isPair
	}
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
