package codec

import "encoding/binary"

// unitRange is the range of the magnitudes of 16-bit units.
type unitRange struct {
	most, below uint16 // the largest, and the least above zero less one
	zero        bool   // there is one
}

// rangeOf gives the range of magnitudes above zero of the units in data, lo <= m
// < hi, and whether there is a zero.
func rangeOf(data []byte) (lo, hi int, zero bool) {
	const mask = 1<<15 - 1
	r := unitRange{below: mask}
	data = data[rangeUnitsVector(&r, data):]
	data = data[r.widen(data):]
	for ; len(data) >= 2; data = data[2:] {
		m := binary.LittleEndian.Uint16(data) & mask
		r.most, r.below, r.zero = max(r.most, m), min(r.below, (m-1)&mask), r.zero || m == 0
	}
	return int(r.below) + 1, int(r.most) + 1, r.zero
}

// widen takes r on by groups of eight units, in words, and gives the number of
// bytes.
func (r *unitRange) widen(data []byte) (done int) {
	a := rangeWords{lanes16 * uint64(r.most), lanes16 * uint64(r.below), signBits}
	b := a
	for ; len(data) >= 16; data, done = data[16:], done+16 {
		a.widen(binary.LittleEndian.Uint64(data))
		b.widen(binary.LittleEndian.Uint64(data[8:]))
	}
	for _, w := range [...]rangeWords{a, b} {
		for s := 0; s < 64; s += 16 {
			r.most, r.below = max(r.most, uint16(w.most>>s)), min(r.below, uint16(w.below>>s))
		}
		r.zero = r.zero || w.above != signBits
	}
	return done
}

// rangeWords are four ranges side by side; above has their sign bits while all
// units are above zero.
type rangeWords struct{ most, below, above uint64 }

func (w *rangeWords) widen(units uint64) {
	m := units &^ signBits
	less := (m | signBits) - lanes16
	w.most += subtract16(m, w.most)
	w.below -= subtract16(w.below, less&^signBits)
	w.above &= less
}
