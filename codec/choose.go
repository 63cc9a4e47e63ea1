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

// choice is a way of taking units apart and its cost in bits: of the symbols,
// their tables and the raw bits.
type choice struct {
	split split
	freq  values
	cost  float64
}

// chooseTop finds the cheapest split of elements counted by h: how many of
// the top mantissa bits go with the exponent, and where the sign goes. False
// if no alphabet of 256 symbols holds any.
func chooseTop(h *histogram, elem Elem) (choice, bool) {
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
			cost, used := v.entropy(h.n)
			cost += float64(h.n*raw + used*tableBitsPerSymbol)
			if cost >= least {
				continue
			}
			s := split{kind: splitTop, width: int(elem.Width), raw: raw, sign: sign}
			v := v.clone()
			a, ok := newAlphabet(v.present(), 1<<s.valueBits())
			if !ok {
				continue
			}
			weighed := cost
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
// perBlock is how many symbols one block codes. It returns the bits that all
// will take.
func chooseSymbolCoder(s *stream, counts []uint32, perBlock int) float64 {
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
	freq, table, cost := chooseFrequencies(counts)
	lanes := lanesFor(perBlock)
	cost += float64(uint(24)<<lanes) * math.Ceil(float64(n)/float64(perBlock))
	// Decoding by rANS takes many times as long: it must be worth it.
	if cost > 0.99*plainCost {
		s.coder = plain
		return plainCost
	}
	s.coder, s.freq, s.table, s.lanesLog2 = coderRANS, freq, table, lanes
	return cost
}
