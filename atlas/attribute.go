package atlas

import (
	"github.com/scapefs/scapefs/archive"
	"github.com/scapefs/scapefs/codec"
)

// attribute gives every tensor its share of what coder c stored of the file,
// whose chunks are coded, and takes it apart. The shares add up to the archive.
func (f *File) attribute(c Coder, coded []codedChunk) {
	layout := make([]archive.Coded, len(coded))
	for i := range coded {
		layout[i] = coded[i].Coded
	}
	parts := make([]shares, len(f.Tensors))
	own := 0.0 // what tensors have without the container
	for i, first := range archive.Firsts(layout) {
		if first == i {
			own += f.divide(&coded[i], f.pieces[i], parts)
		}
	}
	total, container := int64(0), float64(f.Methods[len(f.Methods)-1].Stored)-own
	for _, t := range f.Tensors {
		total += t.Bytes
	}
	for k, t := range f.Tensors {
		parts[k].container = container * float64(t.Bytes) / float64(total)
		if t.Stored == nil {
			t.Stored = make(map[string]float64)
		}
		t.Stored[c.Name()] = parts[k].sum()
		if cost, ok := t.fitOf(c); ok {
			t.setGap(c.Name(), gapOf(float64(t.Weights), t.floorOf(c), cost, parts[k]))
		}
	}
	f.addGaps(c.Name())
}

// shares is what a tensor has of an archive, in bytes.
type shares struct{ payload, tables, blocks, states, container float64 }

func (s shares) sum() float64 { return s.payload + s.tables + s.blocks + s.container }

// divide gives the tensors that pieces are of their shares of c, and says how
// many bytes that was. Headers and states are divided by length.
func (f *File) divide(c *codedChunk, pieces []piece, parts []shares) (bytes float64) {
	length := 0
	for _, p := range pieces {
		length += p.to - p.from
	}
	for k, p := range pieces {
		part := float64(p.to-p.from) / float64(length)
		s := shares{
			payload: c.pieces[k],
			tables:  part * float64(c.account.Params+c.account.Tables),
			blocks:  part * float64(c.account.Blocks+c.account.Sums),
			states:  part * float64(c.account.States),
		}
		bytes += s.sum()
		to := &parts[p.tensor]
		to.payload += s.payload
		to.tables += s.tables
		to.blocks += s.blocks
		to.states += s.states
	}
	return bytes
}

// fitOf is what the tensor's symbols cost by the tables that c makes, if what c
// makes of it is taken apart.
func (t *Tensor) fitOf(c Coder) (fit, bool) {
	switch {
	case c.Level != codec.Balanced:
		return fit{}, false
	case c.Method == codec.BF16Split && t.elem == codec.BF16:
		return t.split, true
	case c.Method == codec.Scape && t.elem.Exponent > 0:
		return t.best, true
	}
	return fit{}, false
}

// floorOf is the entropy that c starts from, in bits a weight.
func (t *Tensor) floorOf(c Coder) float64 {
	if c.Method == codec.BF16Split {
		return t.Entropy.SignExponent + t.Entropy.Mantissa
	}
	return t.Floor
}

func (t *Tensor) setGap(name string, g Gap) {
	if t.Gaps == nil {
		t.Gaps = make(map[string]Gap)
	}
	t.Gaps[name] = g
}

// gapOf takes the size of n weights apart.
func gapOf(n, floor float64, cost fit, s shares) Gap {
	g := Gap{
		Floor:     floor,
		ChunkFit:  cost.chunk/n - floor,
		Quantised: (cost.quantised - cost.chunk) / n,
		Reference: (cost.reference - cost.chunk) / n,
		Tables:    8 * s.tables / n,
		Blocks:    8 * (s.blocks + s.states) / n,
		Container: 8 * s.container / n,
		Measured:  8 * s.sum() / n,
	}
	g.Residual = 8*(s.payload-s.states)/n - cost.quantised/n
	return g
}

// addGaps adds the gaps of the tensors up, each by its weights.
func (f *File) addGaps(name string) {
	var sum Gap
	weights := 0.0
	for _, t := range f.Tensors {
		g, ok := t.Gaps[name]
		if !ok {
			continue
		}
		weights += float64(t.Weights)
		to := sum.fields()
		for i, v := range g.fields() {
			*to[i] += *v * float64(t.Weights)
		}
	}
	if weights == 0 {
		return
	}
	for _, v := range sum.fields() {
		*v /= weights
	}
	if f.Gaps == nil {
		f.Gaps = make(map[string]Gap)
	}
	f.Gaps[name] = sum
}

func (g *Gap) fields() []*float64 {
	return []*float64{&g.Floor, &g.ChunkFit, &g.Quantised, &g.Tables, &g.Blocks, &g.Container, &g.Residual, &g.Measured, &g.Reference}
}
