package codec

import "encoding/binary"

// merger puts the elements of a splitTop together again from tiles of its
// streams.
type merger struct {
	split   *split
	symbol  [256]uint16 // part of the unit that each symbol stands for
	mid     [128]uint16 // part of each symbol of the stream of raw%8 bits
	low     bool        // there is a stream of the unit's lowest 8 raw bits
	lowPart [256]uint16
	vector  [4]uint64 // for mergePairedVector
	swar    bool      // paired, contiguous, at most 8 raw bits with the sign on top
}

func newMerger(s *split) *merger {
	m := &merger{split: s, low: s.raw >= 8}
	for i := range m.symbol {
		v := s.alpha.value(i) & (1<<s.valueBits() - 1)
		m.symbol[i] = s.valuePart(v)
	}
	shift := 0
	if m.low {
		shift = 8
		for i := range m.lowPart {
			m.lowPart[i] = s.rawPart(uint16(i))
		}
	}
	for i := range 1 << (s.raw % 8) {
		m.mid[i] = s.rawPart(uint16(i) << shift)
	}
	m.swar = !s.natural && s.alpha.kind != alphabetList && s.width >= 2 &&
		s.sign == signRaw && s.raw <= 8
	if m.swar {
		m.vector = vectorParams(s)
	}
	return m
}

// merge16 writes the 16-bit units of one tile to dst, little-endian. mid and
// low may be nil if the split has no such stream.
func (m *merger) merge16(dst, symbols, mid, low []byte) {
	n := len(symbols)
	whole := n &^ (vectorLen - 1)
	if m.split.natural {
		whole = 0
	}
	switch {
	case m.swar && mid != nil:
		m.mergePaired(dst, symbols[:whole], mid)
	case m.swar && low != nil:
		m.mergePaired(dst, symbols[:whole], low)
	default:
		for i := range whole {
			at := i&^(vectorLen-1) + pairedIndex(i&(vectorLen-1))
			binary.LittleEndian.PutUint16(dst[2*at:], m.unit(symbols, mid, low, i))
		}
	}
	for i := whole; i < n; i++ {
		binary.LittleEndian.PutUint16(dst[2*i:], m.unit(symbols, mid, low, i))
	}
}

func (m *merger) unit(symbols, mid, low []byte, i int) uint16 {
	u := m.symbol[symbols[i]]
	if mid != nil {
		u |= m.mid[mid[i]&127]
	}
	if low != nil {
		u |= m.lowPart[low[i]]
	}
	return u
}

// merge8 is merge16 for elements of one byte.
func (m *merger) merge8(dst, symbols, mid []byte) {
	for i, s := range symbols {
		u := m.symbol[s]
		if mid != nil {
			u |= m.mid[mid[i]&127]
		}
		dst[i] = byte(u)
	}
}

const (
	lanes16  = 0x0001000100010001
	lowBytes = 0x00ff00ff00ff00ff
	signBits = 0x8000800080008000
)

// mergePaired merges whole groups of vectorLen units, four at a time in words
// of 64 bits: of eight bytes of a stream, the even ones belong to four
// neighbours in the first half of a group, the odd ones to four in the second.
func (m *merger) mergePaired(dst, symbols, raw []byte) {
	done := mergePairedVector(m, dst, symbols, raw)
	dst, symbols, raw = dst[2*done:], symbols[done:], raw[done:]
	s := m.split
	base := lanes16 * uint64(s.alpha.base)
	shift, up := uint(s.raw-1), uint(16-s.raw)
	mask := lanes16 * uint64(1<<(s.raw-1)-1)
	if s.alpha.zero {
		for len(symbols) >= vectorLen {
			in, bits, out := (*[64]byte)(symbols), (*[64]byte)(raw), (*[128]byte)(dst)
			for h := 0; h < vectorLen; h += 8 {
				v := binary.LittleEndian.Uint64(in[h:])
				r := binary.LittleEndian.Uint64(bits[h:])
				e, o := v&lowBytes, v>>8&lowBytes
				e += (e + lowBytes) >> 8 & lanes16 * uint64(s.alpha.base)
				o += (o + lowBytes) >> 8 & lanes16 * uint64(s.alpha.base)
				binary.LittleEndian.PutUint64(out[h:], e<<(shift&63)|r&mask|r<<(up&63)&signBits)
				r >>= 8
				binary.LittleEndian.PutUint64(out[h+64:], o<<(shift&63)|r&mask|r<<(up&63)&signBits)
			}
			symbols, raw, dst = symbols[64:], raw[64:], dst[128:]
		}
		return
	}
	for len(symbols) >= vectorLen {
		in, bits, out := (*[64]byte)(symbols), (*[64]byte)(raw), (*[128]byte)(dst)
		for h := 0; h < vectorLen; h += 8 {
			v := binary.LittleEndian.Uint64(in[h:])
			r := binary.LittleEndian.Uint64(bits[h:])
			e, o := v&lowBytes+base, v>>8&lowBytes+base
			binary.LittleEndian.PutUint64(out[h:], e<<(shift&63)|r&mask|r<<(up&63)&signBits)
			r >>= 8
			binary.LittleEndian.PutUint64(out[h+64:], o<<(shift&63)|r&mask|r<<(up&63)&signBits)
		}
		symbols, raw, dst = symbols[64:], raw[64:], dst[128:]
	}
}

// mergePacked merges units with their raw bits as they are packed, and gives
// the number of units: as many whole groups as there are, or none where it
// would gain nothing.
func (m *merger) mergePacked(dst, symbols, packed []byte) int {
	if done := mergePackedVector(m, dst, symbols, packed); done > 0 {
		return done
	}
	if m.split.raw != 7 || m.split.alpha.zero {
		return 0
	}
	done := 0
	for ; len(symbols)-done >= maxGroup; done += maxGroup {
		m.mergeGroup7((*[2 * maxGroup]byte)(dst[2*done:]), (*[maxGroup]byte)(symbols[done:]), (*[7 * vectorLen]byte)(packed[done/8*7:]))
	}
	return done
}

// mergeGroup7 is unpack7 and mergePaired in one.
func (m *merger) mergeGroup7(dst *[2 * maxGroup]byte, symbols *[maxGroup]byte, packed *[7 * vectorLen]byte) {
	base := lanes16 * uint64(m.split.alpha.base)
	for h := 0; h < vectorLen; h += 8 {
		// The vector that is not stored: its lowest bit comes first, at the top
		// of each byte, and moves down to its place.
		var last uint64
		for v := 0; v < 7*vectorLen; v += vectorLen {
			r := binary.LittleEndian.Uint64(packed[v+h:])
			last = last>>1 | r&0x8080808080808080
			mergeWord7((*[vectorLen + 8]byte)(dst[2*v+h:]), binary.LittleEndian.Uint64(symbols[v+h:]), r, base)
		}
		s := binary.LittleEndian.Uint64(symbols[7*vectorLen+h:])
		mergeWord7((*[vectorLen + 8]byte)(dst[14*vectorLen+h:]), s, last>>1, base)
	}
}

// mergeWord7 merges eight units: four neighbours in each half of a group. The
// bits of raw above the seventh do no harm.
func mergeWord7(dst *[vectorLen + 8]byte, symbols, raw, base uint64) {
	const mask = lanes16 * (1<<6 - 1)
	even, odd := symbols&lowBytes+base, symbols>>8&lowBytes+base
	binary.LittleEndian.PutUint64(dst[:], even<<6|raw&mask|raw<<9&signBits)
	raw >>= 8
	binary.LittleEndian.PutUint64(dst[vectorLen:], odd<<6|raw&mask|raw<<9&signBits)
}
