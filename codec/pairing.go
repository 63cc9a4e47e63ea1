package codec

import "encoding/binary"

// pairing takes 16-bit units apart by arithmetic alone: the inverse of joining.
// Every value must be in the alphabet; the symbols of a list are left to the
// caller.
type pairing struct {
	base   uint16 // symbols are max(0, value-base)
	value  uint16 // the bits of a unit that make its value, from shift on
	shift  uint
	minus  uint16 // 1 if the sign is the lowest bit of the value
	mask   uint16 // the raw bits below the sign, or all
	sign   uint16 // the sign's bit among the raw bits, up from which it is shifted down
	up     uint
	hasTop bool // more than 8 raw bits: the upper ones are a stream of their own

	natural bool // the streams' order
}

func newPairing(s *split) (pairing, bool) {
	if s.kind != splitTop || s.width < 2 || s.sign == signNone || s.raw == 0 {
		return pairing{}, false
	}
	p := pairing{base: s.alpha.base, shift: uint(s.raw - 1), up: uint(16 - s.raw), hasTop: s.raw > 8, natural: s.natural}
	if s.sign == signRaw {
		p.mask = 1<<p.shift - 1
		p.sign = 1 << p.shift
	} else {
		p.mask = 1<<s.raw - 1
		p.minus = 1
	}
	p.value = 0x7fff &^ p.mask
	return p, true
}

// take fills the streams with whole groups of vectorLen units: symbols, the
// lowest 8 raw bits and, if hasTop, those above.
func (p *pairing) take(symbols, low, high, units []byte) {
	done := takeUnitsVector(p, symbols, low, high, units)
	symbols, low, units = symbols[done:], low[done:], units[2*done:]
	if p.hasTop {
		high = high[done:]
	}
	switch {
	case p.natural:
		p.takeNatural(symbols, low, high, units)
	case p.hasTop:
		p.takeWide(symbols, low, high, units)
	default:
		p.takeNarrow(symbols, low, units)
	}
}

// takeNatural takes eight neighbours at a time.
func (p *pairing) takeNatural(symbols, low, high, units []byte) {
	base, value, minus := lanes16*uint64(p.base), lanes16*uint64(p.value), lanes16*uint64(p.minus)
	mask, sign := lanes16*uint64(p.mask), lanes16*uint64(p.sign)
	shift, up := p.shift&15, p.up&15
	for at := 0; at+8 <= len(symbols); at += 8 {
		a := binary.LittleEndian.Uint64(units[2*at:])
		b := binary.LittleEndian.Uint64(units[2*at+8:])
		s := evenBytes(subtract16(a&value>>shift|a>>15&minus, base))
		t := evenBytes(subtract16(b&value>>shift|b>>15&minus, base))
		binary.LittleEndian.PutUint64(symbols[at:], s|t<<32)
		a, b = a&mask|a>>up&sign, b&mask|b>>up&sign
		binary.LittleEndian.PutUint64(low[at:], evenBytes(a)|evenBytes(b)<<32)
		if p.hasTop {
			binary.LittleEndian.PutUint64(high[at:], evenBytes(a>>8)|evenBytes(b>>8)<<32)
		}
	}
}

// takeNarrow takes four units of the first half of a group and four of the
// second at a time, in words of 64 bits.
func (p *pairing) takeNarrow(symbols, low, units []byte) {
	base, value, minus := lanes16*uint64(p.base), lanes16*uint64(p.value), lanes16*uint64(p.minus)
	mask, sign := lanes16*uint64(p.mask), lanes16*uint64(p.sign)
	shift, up := p.shift&15, p.up&15
	for len(symbols) >= vectorLen && len(low) >= vectorLen && len(units) >= 2*vectorLen {
		s, l, u := (*[vectorLen]byte)(symbols), (*[vectorLen]byte)(low), (*[2 * vectorLen]byte)(units)
		for h := 0; h < vectorLen; h += 8 {
			e := binary.LittleEndian.Uint64(u[h:])
			o := binary.LittleEndian.Uint64(u[h+vectorLen:])
			binary.LittleEndian.PutUint64(s[h:], subtract16(e&value>>shift|e>>15&minus, base)|subtract16(o&value>>shift|o>>15&minus, base)<<8)
			binary.LittleEndian.PutUint64(l[h:], e&mask|e>>up&sign|(o&mask|o>>up&sign)<<8)
		}
		symbols, low, units = symbols[vectorLen:], low[vectorLen:], units[2*vectorLen:]
	}
}

// takeWide is takeNarrow for more than 8 raw bits.
func (p *pairing) takeWide(symbols, low, high, units []byte) {
	base, value, minus := lanes16*uint64(p.base), lanes16*uint64(p.value), lanes16*uint64(p.minus)
	mask, sign := lanes16*uint64(p.mask), lanes16*uint64(p.sign)
	shift, up := p.shift&15, p.up&15
	for len(symbols) >= vectorLen && len(low) >= vectorLen && len(high) >= vectorLen && len(units) >= 2*vectorLen {
		s, l, u := (*[vectorLen]byte)(symbols), (*[vectorLen]byte)(low), (*[2 * vectorLen]byte)(units)
		t := (*[vectorLen]byte)(high)
		for h := 0; h < vectorLen; h += 8 {
			e := binary.LittleEndian.Uint64(u[h:])
			o := binary.LittleEndian.Uint64(u[h+vectorLen:])
			binary.LittleEndian.PutUint64(s[h:], subtract16(e&value>>shift|e>>15&minus, base)|subtract16(o&value>>shift|o>>15&minus, base)<<8)
			e, o = e&mask|e>>up&sign, o&mask|o>>up&sign
			binary.LittleEndian.PutUint64(l[h:], e&lowBytes|o&lowBytes<<8)
			binary.LittleEndian.PutUint64(t[h:], e>>8&lowBytes|o&^lowBytes)
		}
		symbols, low, high, units = symbols[vectorLen:], low[vectorLen:], high[vectorLen:], units[2*vectorLen:]
	}
}

// subtract16 subtracts in every 16 bits, of which the uppermost is clear, and
// gives 0 where the result would be below.
func subtract16(a, b uint64) uint64 {
	d := (a | signBits) - b
	kept := d & signBits
	return d & (kept - kept>>15)
}

// takeRanked looks the symbols of whole groups of units up by their upper
// bits.
func (p *pairing) takeRanked(symbols, units []byte, rank *[1 << 16]byte, shift uint) {
	for len(symbols) >= vectorLen && len(units) >= 2*vectorLen {
		s, u := (*[vectorLen]byte)(symbols), (*[2 * vectorLen]byte)(units)
		next, other := 2, vectorLen // from one symbol to the next but one, and to the one between
		if p.natural {
			next, other = 4, 2
		}
		for j := 0; j < vectorLen; j += 2 {
			at := j / 2 * next
			s[j] = rank[binary.LittleEndian.Uint16(u[at:])>>(shift&15)]
			s[j+1] = rank[binary.LittleEndian.Uint16(u[at+other:])>>(shift&15)]
		}
		symbols, units = symbols[vectorLen:], units[2*vectorLen:]
	}
}
