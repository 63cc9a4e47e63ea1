package atlas

import (
	"math"

	"github.com/scapefs/scapefs/codec"
)

// Gap takes the size of a tensor, or of many, apart: the entropy that a method
// starts from, and what it takes on top, all in bits a weight. A negative part
// saves. The parts from ChunkFit to Residual add up to Measured less Floor.
type Gap struct {
	Floor float64 `json:"floor"` // entropy by the symbols of the whole tensor

	ChunkFit  float64 `json:"chunk_fit"`        // fitting symbols to the chunk, or the tensor's part of it, instead
	Quantised float64 `json:"quantisation"`     // frequencies of 12 bits over the symbols that occur
	Tables    float64 `json:"tables"`           // splits, alphabets, frequency tables
	Blocks    float64 `json:"blocks_and_lanes"` // block table with its checksums, lanes' final states
	Container float64 `json:"container"`        // index, file header, trailer, profile
	Residual  float64 `json:"residual"`         // the rest: rounding of the coder and of tables as they are sent, contexts, repeats, other coders

	Measured float64 `json:"measured"`

	// Reference is what Quantised would be if frequencies were spread over the 512
	// values that sign and exponent can have, as the reference does.
	Reference float64 `json:"quantisation_over_512,omitempty"`
}

// Parts lists the names and values of the parts that add up.
func (g Gap) Parts() ([]string, []float64) {
	return []string{"chunk fit", "quantisation", "tables", "blocks and lanes", "container", "residual"},
		[]float64{g.ChunkFit, g.Quantised, g.Tables, g.Blocks, g.Container, g.Residual}
}

// fit is what the symbols of a piece cost, in bits.
type fit struct {
	chunk     float64 // by the entropy of its chunk, or its own
	quantised float64 // by frequencies of 12 bits
	reference float64 // by those over 512 symbols
}

func (a *fit) add(b fit) {
	a.chunk += b.chunk
	a.quantised += b.quantised
	a.reference += b.reference
}

// splitFit is what piece costs bf16_split, in a chunk whose elements are chunk.
func (f *folder) splitFit(piece, chunk []bin, elem codec.Elem) (sum fit) {
	bits := symbolMantissa(elem)
	mask := uint16(1)<<bits - 1
	sum = f.cost(piece, chunk, func(s uint16) uint16 { return s >> bits })
	mantissa := f.cost(piece, chunk, func(s uint16) uint16 { return s & mask })
	mantissa.reference = mantissa.quantised
	sum.add(mantissa)
	return sum
}

// symbolCost is about what a symbol of a table takes, in bits.
const symbolCost = 6

// bestTop chooses exponent and as many bits of the mantissa as cost least
// together with their table, with the sign or without. raw is how many bits of a
// weight are left.
func (f *folder) bestTop(bins []bin, elem codec.Elem) (key func(uint16) uint16, raw float64) {
	least := math.Inf(1)
	for t := range min(maxTop, int(symbolMantissa(elem))) + 1 {
		for _, signed := range []bool{false, true} {
			k, rest := topKey(elem, t, signed), float64(int(elem.Mantissa)-t)
			if !signed {
				rest++
			}
			n := f.fold(bins, k)
			symbols := float64(len(f.keys))
			f.clear()
			if cost := n*(f.entropy(bins, k)+rest) + symbolCost*symbols; cost < least {
				least, key, raw = cost, k, rest
			}
		}
	}
	return key, raw
}

// floor is the entropy that scape starts from, in bits a weight: by the best
// split into what is coded and what is raw; of other elements that of their
// planes.
func (f *folder) floor(p *pieceCounts, elem codec.Elem, e Entropy) (bits float64) {
	if elem.Exponent > 0 {
		key, raw := f.bestTop(p.high, elem)
		return f.entropy(p.high, key) + raw
	}
	for _, h := range e.Planes {
		bits += h
	}
	return bits
}

// scapeFit is what piece costs scape with a table of its own.
func (f *folder) scapeFit(piece []bin, elem codec.Elem) fit {
	key, raw := f.bestTop(piece, elem)
	sum := f.cost(piece, piece, key)
	n := 0.0
	for _, b := range piece {
		n += float64(b.count)
	}
	sum.add(fit{n * raw, n * raw, n * raw})
	return sum
}

// cost is what the keys of piece cost by how often they occur in chunk, which
// holds piece.
func (f *folder) cost(piece, chunk []bin, key func(uint16) uint16) (sum fit) {
	n := f.fold(chunk, key)
	defer f.clear()
	quantised := f.quantised()
	for _, b := range piece {
		k := key(b.symbol)
		count, sums := float64(b.count), float64(f.sums[k])
		ideal := math.Log2(n / sums)
		sum.chunk += count * ideal
		sum.reference += count * -math.Log2((1+sums/n*(1<<12-512))/(1<<12))
		if quantised == nil {
			sum.quantised += count * ideal
		} else {
			sum.quantised += count * quantised[k]
		}
	}
	return sum
}

// quantised gives the bits of each key that was folded, by frequencies of 12
// bits; nil if there are too many keys or one alone.
func (f *folder) quantised() map[uint16]float64 {
	if len(f.keys) < 2 || len(f.keys) > 256 {
		return nil
	}
	counts := make([]uint32, len(f.keys))
	for i, k := range f.keys {
		counts[i] = uint32(min(f.sums[k], math.MaxUint32))
	}
	bits := make(map[uint16]float64, len(f.keys))
	for i, frequency := range codec.Frequencies(counts) {
		bits[f.keys[i]] = 12 - math.Log2(float64(frequency))
	}
	return bits
}
