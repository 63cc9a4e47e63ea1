package codec

import "encoding/binary"

// unitRange is the range of the magnitudes of 16-bit units.
type unitRange struct {
	most, least uint16
	below       uint16 // the least above zero, less one
}

// rangeOf gives the range of magnitudes above zero of the units in data, lo <= m
// < hi, and whether there is a zero.
func rangeOf(data []byte) (lo, hi int, zero bool) {
	const mask = 1<<15 - 1
	r := unitRange{least: mask, below: mask}
	data = data[rangeUnitsVector(&r, data):]
	data = data[r.widen(data):]
	for ; len(data) >= 2; data = data[2:] {
		m := binary.LittleEndian.Uint16(data) & mask
		r.most, r.least, r.below = max(r.most, m), min(r.least, m), min(r.below, (m-1)&mask)
	}
	return int(r.below) + 1, int(r.most) + 1, r.least == 0
}

// widen takes r on by groups of eight units, in words, and gives the number of
// bytes.
func (r *unitRange) widen(data []byte) (done int) {
	a := rangeWords{lanes16 * uint64(r.most), lanes16 * uint64(r.least), lanes16 * uint64(r.below)}
	b := a
	for ; len(data) >= 16; data, done = data[16:], done+16 {
		a.widen(binary.LittleEndian.Uint64(data))
		b.widen(binary.LittleEndian.Uint64(data[8:]))
	}
	for _, w := range [...]rangeWords{a, b} {
		for s := 0; s < 64; s += 16 {
			r.most = max(r.most, uint16(w.most>>s))
			r.least, r.below = min(r.least, uint16(w.least>>s)), min(r.below, uint16(w.below>>s))
		}
	}
	return done
}

// rangeWords are four ranges side by side.
type rangeWords struct{ most, least, below uint64 }

func (w *rangeWords) widen(units uint64) {
	m := units &^ signBits
	below := ((m | signBits) - lanes16) &^ signBits
	w.most += subtract16(m, w.most)
	w.least -= subtract16(w.least, m)
	w.below -= subtract16(w.below, below)
}
