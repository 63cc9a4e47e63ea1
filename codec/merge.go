package codec

import "encoding/binary"

// merger puts the elements of a splitTop together again from tiles of its
// streams.
type merger struct {
	split   *split
	low     bool // there is a stream of the unit's lowest 8 raw bits
	joining joining
	joins   bool // joining serves whole groups
	tables  lazy[mergeTables]
}

// mergeTables serve the units that joining does not.
type mergeTables struct {
	symbol [256]uint16 // part of the unit that each symbol stands for
	mid    [128]uint16 // part of each symbol of the stream of raw%8 bits
	low    [256]uint16
}

func newMerger(s *split) *merger {
	m := &merger{split: s, low: s.raw >= 8}
	m.joining, m.joins = newJoining(s)
	return m
}

func newMergeTables(s *split) *mergeTables {
	t := new(mergeTables)
	for i := range t.symbol {
		v := s.alpha.value(i) & (1<<s.valueBits() - 1)
		t.symbol[i] = s.valuePart(v)
	}
	shift := 0
	if s.raw >= 8 {
		shift = 8
		for i := range t.low {
			t.low[i] = s.rawPart(uint16(i))
		}
	}
	for i := range 1 << (s.raw % 8) {
		t.mid[i] = s.rawPart(uint16(i) << shift)
	}
	return t
}

func (m *merger) table() *mergeTables {
	return m.tables.get(func() *mergeTables { return newMergeTables(m.split) })
}

// merge16 writes the 16-bit units of one tile to dst, little-endian. mid and
// low may be nil if the split has no such stream.
func (m *merger) merge16(dst, symbols, mid, low []byte) {
	done := 0
	if m.joins && low == nil {
		done = m.joining.join(dst, symbols, mid, nil)
	} else if m.joins {
		done = m.joining.join(dst, symbols, low, mid)
	}
	if done == len(symbols) {
		return
	}
	t := m.table()
	if !m.split.natural {
		for ; done < len(symbols)&^(vectorLen-1); done++ {
			at := done&^(vectorLen-1) + pairedIndex(done&(vectorLen-1))
			binary.LittleEndian.PutUint16(dst[2*at:], t.unit(symbols, mid, low, done))
		}
	}
	for i := done; i < len(symbols); i++ {
		binary.LittleEndian.PutUint16(dst[2*i:], t.unit(symbols, mid, low, i))
	}
}

func (t *mergeTables) unit(symbols, mid, low []byte, i int) uint16 {
	u := t.symbol[symbols[i]]
	if mid != nil {
		u |= t.mid[mid[i]&127]
	}
	if low != nil {
		u |= t.low[low[i]]
	}
	return u
}

// merge8 is merge16 for elements of one byte.
func (m *merger) merge8(dst, symbols, mid []byte) {
	t := m.table()
	for i, s := range symbols {
		u := t.symbol[s]
		if mid != nil {
			u |= t.mid[mid[i]&127]
		}
		dst[i] = byte(u)
	}
}
