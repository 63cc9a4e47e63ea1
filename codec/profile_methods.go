package codec

import (
	"math"

	"github.com/klauspost/compress/zstd"
)

// The methods that code by a profile: bf16_split_pretrained and
// bf16_split_mixture by its distributions, zstd_19_dict by its dictionary.

// SetProfile has the Encoder code by p, if its method needs a profile. Encode
// fails if p lacks what it needs.
func (e *Encoder) SetProfile(p *Profile) { e.profile, e.zstdDict = p, nil }

// encodeProfiled codes data by e.profile.
func (e *Encoder) encodeProfiled(method Method, data []byte, elem Elem) error {
	if _, err := e.profile.For(method); err != nil {
		return err
	}
	switch {
	case method == Zstd19Dict:
		m := newModel(split{kind: splitPlain, width: 1})
		m.streams[0].coder, m.streams[0].dict = coderZstdDict, e.profile.dict
		e.encodeRun(m, data, MaxBlockLen)
		return nil
	case elem == BF16:
		if c, ok := e.countSplit(data, elem); ok {
			e.encodeByDistributions(e.profile, &c, data)
			return nil
		}
	}
	e.encodeSplit(splitMethods[BF16Split], data, elem)
	return nil
}

// encodeByDistributions codes bf16 elements, counted by c, by the distributions of
// p that make each stream smallest. Blocks with values that these lack are fitted
// to the chunk.
func (e *Encoder) encodeByDistributions(p *Profile, c *splitCounts, data []byte) {
	known := p.symbolsOf()
	profiled, dist := c.profiled(p, known)
	start, first, all := e.mark(), len(e.models), data
	e.models = append(e.models, profiled, c.fitted())
	var used [2]bool
	for _, n := range blockLens(len(data), e.blockLen, 2) {
		k := 0
		if !dist.has(e.count.count(data[:n], 2), known) {
			k = 1
		}
		used[k] = e.encodeBlock(first+k, data[:n]) || used[k]
		data = data[n:]
	}
	if !used[0] || e.size() > len(all) {
		e.rewind(start)
		e.encodeRun(c.fitted(), all, e.blockLen)
		return
	}
	if !used[1] {
		e.dropModel(first + 1)
	}
}

// symbolTable gives the symbol of each sign and exponent, or -1.
type symbolTable [1 << splitValueBits]int

func (p *Profile) symbolsOf() *symbolTable {
	t := new(symbolTable)
	for v := range t {
		t[v] = -1
	}
	for symbol := maxSymbols - 1; symbol >= 0; symbol-- {
		if p.alpha.kind == alphabetList && symbol >= len(p.alpha.list) {
			continue
		}
		if v := int(p.alpha.value(symbol)); v < len(t) {
			t[v] = symbol
		}
	}
	return t
}

// has tells whether d has a frequency for all that h counts.
func (d *distribution) has(h *histogram, known *symbolTable) bool {
	v := h.fold(signSymbol, int(BF16.Mantissa))
	for _, value := range v.value {
		symbol := known[value]
		if symbol < 0 || symbol >= len(d.tables[0]) || d.tables[0][symbol] == 0 {
			return false
		}
	}
	return true
}

// profiled gives the model by the distributions of p that make each stream
// smallest, and the one for the symbols.
func (c *splitCounts) profiled(p *Profile, known *symbolTable) (*model, *distribution) {
	symbols := make([]uint32, maxSymbols)
	for symbol, n := range c.symbols {
		if to := known[c.split.alpha.value(symbol)]; n > 0 && to >= 0 {
			symbols[to] += n
		}
	}
	s := c.split
	s.alpha = p.alpha
	s.alpha.shared = true
	m := newModel(s)
	of, bits := p.cheapest(0, symbols)
	m.streams[0].setProfiled(p, 0, of, lanesFor(bits, c.blocks(), Balanced))
	mantissas, bits := p.cheapest(1, c.mantissas)
	if n := float64(c.unit.n * m.streams[1].bits); bits > 0.99*n {
		m.streams[1].coder = coderBits
	} else {
		m.streams[1].setProfiled(p, 1, mantissas, lanesFor(bits, c.blocks(), Balanced))
	}
	return m, &p.distributions[of]
}

// cheapest gives the distribution that codes symbols so counted, of stream k, in
// the fewest bits.
func (p *Profile) cheapest(k int, counts []uint32) (index int, bits float64) {
	bits = math.Inf(1)
	for i := range p.distributions {
		f, cost := p.distributions[i].of(k), 0.0
		for symbol, n := range counts {
			switch {
			case n == 0:
			case symbol < len(f) && f[symbol] > 0:
				cost += float64(n) * log2Frequency[f[symbol]]
			default:
				cost += float64(n) * unknownBits
			}
		}
		if cost < bits {
			index, bits = i, cost
		}
	}
	return index, bits
}

// setProfiled makes s, stream k, one by distribution i of p.
func (s *stream) setProfiled(p *Profile, k, i int, lanesLog2 uint) {
	s.coder, s.lanesLog2, s.freq, s.distribution = coderRANS, lanesLog2, p.distributions[i].of(k), i+1
}

// dictEncoder gives the encoder by the profile's dictionary.
func (e *Encoder) dictEncoder() *zstd.Encoder {
	if e.zstdDict == nil {
		e.zstdDict = newZstdEncoder(zstd.SpeedBestCompression, zstd.WithEncoderDictRaw(dictionaryID, e.profile.dict.content))
	}
	return e.zstdDict
}
