package codec

import "math"

// tableBitsPerSymbol is about what a symbol adds to a frequency table.
const tableBitsPerSymbol = 5

// worthCoding is the share of the plain symbols above which they stay plain: to
// decode any code takes many times as long.
const worthCoding = 0.99

// chooseSymbolCoder sets the coder of a stream whose symbols are counted.
// perBlock is how many symbols one block codes. At the level Fast, Huffman codes
// take the place of rANS. It returns the bits that all will take.
func chooseSymbolCoder(s *stream, counts []uint32, perBlock int, level Level) float64 {
	n, used, symbol := 0, 0, 0
	for i, c := range counts {
		if c > 0 {
			n += int(c)
			used++
			symbol = i
		}
	}
	if used == 1 {
		s.coder, s.constant = coderConstant, byte(symbol)
		return 8
	}
	plain, plainCost := coderStored, 8*float64(n)
	if s.bits < 8 {
		plain, plainCost = coderBits, float64(s.bits*n)
	}
	// Neither coder takes less than the entropy, rounding aside.
	if entropyBits(counts)*(1-1e-9) > worthCoding*plainCost {
		s.coder = plain
		return plainCost
	}
	blocks := math.Ceil(float64(n) / float64(perBlock))
	var cost float64
	if level == Fast {
		cost = s.setHuffman(counts, perBlock, blocks)
	} else {
		cost = s.setRANS(counts, blocks, level)
	}
	if cost > worthCoding*plainCost {
		s.coder = plain
		return plainCost
	}
	return cost
}

// setRANS makes rANS the coder and returns the bits that all will take.
func (s *stream) setRANS(counts []uint32, blocks float64, level Level) float64 {
	var cost float64
	s.coder = coderRANS
	s.freq, s.table, cost = chooseFrequencies(counts)
	return cost + s.setLanes(cost, blocks, level)
}

// setHuffman is setRANS for Huffman codes. The codes fit a short table: longer
// ones would make Gaussian weights smaller by 0.05 %.
func (s *stream) setHuffman(counts []uint32, perBlock int, blocks float64) float64 {
	s.coder, s.streamsLog2 = coderHuffman, huffmanStreamsFor(perBlock)
	s.lengths = fitCodeLengths(counts, shortIndex)
	s.table = s.lengths.marshal(nil)
	return s.lengths.cost(counts) + 8*float64(len(s.table)) + float64(uint(20)<<s.streamsLog2)*blocks
}
