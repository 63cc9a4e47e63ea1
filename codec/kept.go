package codec

import "slices"

// kept is a stretch that was coded, out of the way of another try.
type kept struct {
	models  []*model
	blocks  []Block
	payload []byte
	stored  int
	at      int
}

// keep copies what was coded since start.
func (e *Encoder) keep(start mark) kept {
	return kept{slices.Clone(e.models[start.models:]), slices.Clone(e.blocks[start.blocks:]), slices.Clone(e.payload[start.payload:]), e.stored, e.at}
}

// restore puts back what keep took, after a rewind to its start.
func (e *Encoder) restore(k kept) {
	e.models, e.blocks, e.payload = append(e.models, k.models...), append(e.blocks, k.blocks...), append(e.payload, k.payload...)
	e.stored, e.at = k.stored, k.at
}
