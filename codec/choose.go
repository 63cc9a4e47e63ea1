package codec

import "math"

// tableBitsPerSymbol is about what a symbol adds to a frequency table.
const tableBitsPerSymbol = 5

// A run of so many elements is merged in words and vectors, if its sign is
// among the raw bits and its alphabet contiguous: others take several times as
// long, and must be smaller by this factor.
const (
	manyElements = 1 << 16
	slowMerge    = 1.002
)

// maxSymbols is how many symbols an alphabet may have.
const maxSymbols = 256

// fastBit is what a bit of the symbols costs above a raw one where speed
// counts: for Gaussian weights, a second mantissa bit in the symbol makes
// them smaller by less than that, the first by more.
const fastBit = 0.035

// choice is a way of taking units apart and its cost in bits: of the symbols,
// their tables and the raw bits.
type choice struct {
	split split
	freq  values
	cost  float64
}

// chooseTop finds the cheapest split of elements counted by h: how many of
// the top mantissa bits go with the exponent, and where the sign goes. False
// if no alphabet of 256 symbols holds any. With fast, what is smaller must also
// be worth the time to decode it.
func chooseTop(h *histogram, elem Elem, fast bool) (choice, bool) {
	best := choice{}
	least := math.Inf(1)
	// The mantissa bits within the unit.
	mantissa := 8*min(int(elem.Width), 2) - 1 - int(elem.Exponent)
	for _, sign := range [...]signPlace{signRaw, signSymbol} {
		extra := 0
		if sign == signRaw {
			extra = 1
		}
		v := h.fold(sign, extra)
		for raw := extra; raw <= mantissa+extra; raw++ {
			if raw > extra {
				v = v.coarser(sign)
			}
			if len(v.value) > maxSymbols {
				continue
			}
			entropy, used := v.entropy(h.n)
			cost := entropy + float64(h.n*raw+used*tableBitsPerSymbol)
			if cost >= least { // and so would it be when weighed
				continue
			}
			s := split{kind: splitTop, width: int(elem.Width), raw: raw, sign: sign}
			v := v.clone()
			a, ok := newAlphabet(v.present(), 1<<s.valueBits())
			if !ok {
				continue
			}
			weighed := cost
			if fast {
				weighed += fastBit * entropy
			}
			if h.n >= manyElements && (sign != signRaw || a.kind == alphabetList) {
				weighed *= slowMerge
			}
			if weighed < least {
				s.alpha = a
				best, least = choice{split: s, freq: v, cost: cost}, weighed
			}
		}
	}
	return best, !math.IsInf(least, 1)
}

// chooseSymbolCoder sets the coder of a stream whose symbols are counted.
// perBlock is how many symbols one block codes. With fast, Huffman codes take
// the place of rANS. It returns the bits that all will take.
func chooseSymbolCoder(s *stream, counts []uint32, perBlock int, fast bool) float64 {
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
	blocks := math.Ceil(float64(n) / float64(perBlock))
	var cost float64
	if fast {
		cost = s.setHuffman(counts, perBlock, blocks)
	} else {
		cost = s.setRANS(counts, perBlock, blocks)
	}
	// Decoding either takes many times as long: it must be worth it.
	if cost > 0.99*plainCost {
		s.coder = plain
		return plainCost
	}
	return cost
}

// setRANS makes rANS the coder and returns the bits that all will take.
func (s *stream) setRANS(counts []uint32, perBlock int, blocks float64) float64 {
	var cost float64
	s.coder, s.lanesLog2 = coderRANS, lanesFor(perBlock)
	s.freq, s.table, cost = chooseFrequencies(counts)
	return cost + float64(uint(24)<<s.lanesLog2)*blocks
}

// setHuffman is setRANS for Huffman codes. The codes fit a short table: longer
// ones would make Gaussian weights smaller by 0.05 %.
func (s *stream) setHuffman(counts []uint32, perBlock int, blocks float64) float64 {
	s.coder, s.streamsLog2 = coderHuffman, huffmanStreamsFor(perBlock)
	s.lengths = fitCodeLengths(counts, shortIndex)
	s.table = s.lengths.marshal(nil)
	return s.lengths.cost(counts) + 8*float64(len(s.table)) + float64(uint(20)<<s.streamsLog2)*blocks
}
