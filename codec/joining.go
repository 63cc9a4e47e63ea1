package codec

import "encoding/binary"

// joining puts 16-bit units together by arithmetic alone: the inverse of
// pairing, for alphabets that are no list. Its fields serve four units in a
// word of 64 bits.
type joining struct {
	base, bias uint64 // a value is symbol + base where symbol + bias is at least 256
	value      uint64 // the bits of a value that go to the unit's, shift up
	mask       uint64 // the raw bits that stay where they are
	rawSign    uint64 // the sign's place, if it is the top raw bit
	valueSign  uint64 // the sign's place, if it is the value's lowest bit
	shift, up  uint   // up takes the top raw bit to the sign's place

	natural bool      // the streams' order
	packed  bool      // kernels may merge raw bits as they are packed
	vector  [4]uint64 // the same for kernels
}

// minPacked is the fewest raw bits that are joined as they are packed: fewer
// are rare, and the vectors of a group not registers enough.
const minPacked = 4

const (
	lanes16   = 0x0001000100010001
	lowBytes  = 0x00ff00ff00ff00ff
	signBits  = 0x8000800080008000
	evenWords = 0x0000ffff0000ffff
)

func newJoining(s *split) (j joining, ok bool) {
	if s.kind != splitTop || s.width < 2 || s.alpha.kind == alphabetList || s.raw == 0 {
		return joining{}, false
	}
	j = joining{base: uint64(s.alpha.base), bias: 256 * lanes16, value: 0xffff, mask: 1<<s.raw - 1,
		shift: uint(s.raw), up: uint(16 - s.raw), natural: s.natural}
	switch s.sign {
	case signRaw:
		j.mask >>= 1
		j.shift--
		j.rawSign = signBits
	case signSymbol:
		j.value = 0xfffe
		j.shift--
		j.valueSign = signBits
	}
	if s.alpha.zero {
		j.bias = 255 * lanes16
	}
	j.packed = !j.natural && s.sign == signRaw && s.raw >= minPacked && s.raw < 8
	j.vector = vectorJoining(&j)
	j.value *= lanes16
	j.mask *= lanes16
	return j, true
}

// word puts four units together from their symbols and raw bits.
func (j *joining) word(v, raw uint64) uint64 {
	v += (v + j.bias) >> 8 & lanes16 * j.base
	return v&j.value<<(j.shift&15) | raw&j.mask | raw<<(j.up&15)&j.rawSign | v<<15&j.valueSign
}

// join puts whole groups of vectorLen units together, and gives the number of
// units: from their symbols, their lowest 8 raw bits and, if there are more,
// those above in high.
func (j *joining) join(dst, symbols, low, high []byte) int {
	n := len(symbols) &^ (vectorLen - 1)
	done := joinUnitsVector(j, dst[:2*n], symbols[:n], low, high)
	dst, symbols, low = dst[2*done:2*n], symbols[done:n], low[done:n]
	if high != nil {
		high = high[done:n]
	}
	switch {
	case j.natural:
		j.joinNatural(dst, symbols, low, high)
	case high != nil:
		j.joinWide(dst, symbols, low, high)
	default:
		j.joinNarrow(dst, symbols, low)
	}
	return n
}

// joinNatural joins four neighbours at a time.
func (j *joining) joinNatural(dst, symbols, low, high []byte) {
	for at := 0; at+4 <= len(symbols); at += 4 {
		raw := spreadBytes(low[at:])
		if high != nil {
			raw |= spreadBytes(high[at:]) << 8
		}
		binary.LittleEndian.PutUint64(dst[2*at:], j.word(spreadBytes(symbols[at:]), raw))
	}
}

// spreadBytes gives four bytes as words of 16 bits.
func spreadBytes(b []byte) uint64 {
	v := uint64(binary.LittleEndian.Uint32(b))
	v = (v | v<<16) & evenWords
	return (v | v<<8) & lowBytes
}

// joinNarrow joins four units of the first half of a group and four of the
// second at a time: of eight bytes of a stream, the even ones belong to four
// neighbours in the first half, the odd ones to four in the second.
func (j *joining) joinNarrow(dst, symbols, low []byte) {
	for len(symbols) >= vectorLen && len(low) >= vectorLen && len(dst) >= 2*vectorLen {
		in, bits, out := (*[vectorLen]byte)(symbols), (*[vectorLen]byte)(low), (*[2 * vectorLen]byte)(dst)
		for h := 0; h < vectorLen; h += 8 {
			v := binary.LittleEndian.Uint64(in[h:])
			r := binary.LittleEndian.Uint64(bits[h:])
			binary.LittleEndian.PutUint64(out[h:], j.word(v&lowBytes, r&lowBytes))
			binary.LittleEndian.PutUint64(out[h+vectorLen:], j.word(v>>8&lowBytes, r>>8&lowBytes))
		}
		symbols, low, dst = symbols[vectorLen:], low[vectorLen:], dst[2*vectorLen:]
	}
}

// joinWide is joinNarrow for more than 8 raw bits.
func (j *joining) joinWide(dst, symbols, low, high []byte) {
	for len(symbols) >= vectorLen && len(low) >= vectorLen && len(high) >= vectorLen && len(dst) >= 2*vectorLen {
		in, bits, out := (*[vectorLen]byte)(symbols), (*[vectorLen]byte)(low), (*[2 * vectorLen]byte)(dst)
		top := (*[vectorLen]byte)(high)
		for h := 0; h < vectorLen; h += 8 {
			v := binary.LittleEndian.Uint64(in[h:])
			r := binary.LittleEndian.Uint64(bits[h:])
			t := binary.LittleEndian.Uint64(top[h:])
			binary.LittleEndian.PutUint64(out[h:], j.word(v&lowBytes, r&lowBytes|t&lowBytes<<8))
			binary.LittleEndian.PutUint64(out[h+vectorLen:], j.word(v>>8&lowBytes, r>>8&lowBytes|t&^lowBytes))
		}
		symbols, low, high, dst = symbols[vectorLen:], low[vectorLen:], high[vectorLen:], dst[2*vectorLen:]
	}
}

// joinPacked joins units with their raw bits as they are packed, if j.packed,
// and gives the number of units: as many whole groups as there are, or none
// where it would gain nothing.
func (j *joining) joinPacked(dst, symbols, packed []byte, bits int) int {
	if done := joinPackedVector(j, dst, symbols, packed, bits); done > 0 {
		return done
	}
	if bits != 7 || j.bias != 256*lanes16 {
		return 0
	}
	done := 0
	for ; len(symbols)-done >= maxGroup; done += maxGroup {
		j.joinGroup7((*[2 * maxGroup]byte)(dst[2*done:]), (*[maxGroup]byte)(symbols[done:]), (*[7 * vectorLen]byte)(packed[done/8*7:]))
	}
	return done
}

// joinGroup7 is unpack7 and joinNarrow in one.
func (j *joining) joinGroup7(dst *[2 * maxGroup]byte, symbols *[maxGroup]byte, packed *[7 * vectorLen]byte) {
	base := lanes16 * j.base
	for h := 0; h < vectorLen; h += 8 {
		// The vector that is not stored: its lowest bit comes first, at the top
		// of each byte, and moves down to its place.
		var last uint64
		for v := 0; v < 7*vectorLen; v += vectorLen {
			r := binary.LittleEndian.Uint64(packed[v+h:])
			last = last>>1 | r&0x8080808080808080
			joinWord7((*[vectorLen + 8]byte)(dst[2*v+h:]), binary.LittleEndian.Uint64(symbols[v+h:]), r, base)
		}
		s := binary.LittleEndian.Uint64(symbols[7*vectorLen+h:])
		joinWord7((*[vectorLen + 8]byte)(dst[14*vectorLen+h:]), s, last>>1, base)
	}
}

// joinWord7 joins eight units: four neighbours in each half of a group. The
// bits of raw above the seventh do no harm.
func joinWord7(dst *[vectorLen + 8]byte, symbols, raw, base uint64) {
	const mask = lanes16 * (1<<6 - 1)
	even, odd := symbols&lowBytes+base, symbols>>8&lowBytes+base
	binary.LittleEndian.PutUint64(dst[:], even<<6|raw&mask|raw<<9&signBits)
	raw >>= 8
	binary.LittleEndian.PutUint64(dst[vectorLen:], odd<<6|raw&mask|raw<<9&signBits)
}
