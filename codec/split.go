package codec

import (
	"encoding/binary"
	"fmt"
)

// splitKind is how the elements of a block are taken apart into streams of
// bytes. The numbers stand in chunk headers (docs/format.md, "Splits").
type splitKind uint8

const (
	splitPlain  splitKind = 0 // the bytes as they are
	splitPlanes splitKind = 1 // byte k of every element in stream k
	splitTop    splitKind = 2 // the top bits as symbols, the rest raw
)

// signPlace says where the sign of an element goes in a splitTop.
type signPlace uint8

const (
	signNone   signPlace = 0 // no sign: the top bit is like any other
	signRaw    signPlace = 1 // the top bit of the raw part
	signSymbol signPlace = 2 // the lowest bit of the symbol's value
)

// split describes how elements are taken apart.
//
// A splitTop looks at the unit of an element: its upper 16 bits, or all 8 of
// a single byte. The lower raw bits of the unit (with the sign, if it is
// signRaw) are stored apart from the upper ones, which an alphabet maps to
// symbols. Bytes below the unit are a stream each, the highest first.
type split struct {
	kind    splitKind
	width   int // bytes of an element
	columns int // splitPlanes: taken column by column, if above 1
	raw     int // splitTop: raw bits of the unit
	sign    signPlace
	natural bool // splitTop: streams in the order of elements, not paired
	alpha   alphabet
}

const maxSplitWidth = 8

// unitBits is the width of a splitTop's unit.
func (s *split) unitBits() int { return 8 * min(s.width, 2) }

// valueBits is the width of the values that symbols stand for.
func (s *split) valueBits() int { return s.unitBits() - s.raw }

// streamBits gives the width of the symbols of each stream.
func (s *split) streamBits() []int {
	switch s.kind {
	case splitPlain:
		return []int{8}
	case splitPlanes:
		return repeat(8, s.width)
	}
	bits := []int{min(8, s.valueBits())}
	if s.raw%8 != 0 {
		bits = append(bits, s.raw%8)
	}
	if s.raw >= 8 {
		bits = append(bits, 8)
	}
	return append(bits, repeat(8, max(s.width-2, 0))...)
}

func repeat(v, n int) []int {
	r := make([]int, n)
	for i := range r {
		r[i] = v
	}
	return r
}

// elements is the number of elements in n bytes.
func (s *split) elements(n int) int { return n / s.width }

const splitNatural = 1 << 2 // beside the sign's place, in one byte

func (s *split) marshal(dst []byte) []byte {
	dst = append(dst, byte(s.kind))
	switch s.kind {
	case splitPlanes:
		dst = append(dst, byte(s.width))
		dst = binary.AppendUvarint(dst, uint64(max(s.columns, 1)))
	case splitTop:
		flags := byte(s.sign)
		if s.natural {
			flags |= splitNatural
		}
		dst = append(dst, byte(s.width), byte(s.raw), flags)
		dst = s.alpha.marshal(dst)
	}
	return dst
}

func parseSplit(b []byte, p *Profile) (s split, rest []byte, err error) {
	if len(b) < 1 {
		return s, nil, errShortHeader
	}
	s.kind, s.width, b = splitKind(b[0]), 1, b[1:]
	switch s.kind {
	case splitPlain:
		return s, b, nil
	case splitPlanes:
		if len(b) < 1 {
			return s, nil, errShortHeader
		}
		if s.width = int(b[0]); !validWidth(s.width) {
			return s, nil, fmt.Errorf("%w: planes of width %d", ErrCorrupt, s.width)
		}
		s.columns, rest, err = parseColumns(b[1:])
		return s, rest, err
	case splitTop:
		return parseTop(s, b, p)
	case splitSelect:
		return s, nil, fmt.Errorf("%w: a selection within a selection", ErrCorrupt)
	}
	return s, nil, fmt.Errorf("%w: split number %d", ErrUnsupported, s.kind)
}

func validWidth(w int) bool { return w == 1 || w == 2 || w == 4 || w == maxSplitWidth }

func parseTop(s split, b []byte, p *Profile) (split, []byte, error) {
	if len(b) < 3 {
		return s, nil, errShortHeader
	}
	s.width, s.raw = int(b[0]), int(b[1])
	s.sign, s.natural = signPlace(b[2]&^splitNatural), b[2]&splitNatural != 0
	switch {
	case !validWidth(s.width):
		return s, nil, fmt.Errorf("%w: elements of width %d", ErrCorrupt, s.width)
	case s.raw >= s.unitBits(), s.sign == signRaw && s.raw == 0, s.sign == signSymbol && s.valueBits() < 2:
		return s, nil, fmt.Errorf("%w: %d raw bits", ErrCorrupt, s.raw)
	case s.sign > signSymbol:
		return s, nil, fmt.Errorf("%w: sign place %d", ErrUnsupported, s.sign)
	}
	var err error
	s.alpha, b, err = parseAlphabet(b[3:], 1<<s.valueBits(), p)
	return s, b, err
}

// pairedIndex gives the element of a group of vectorLen that stands at
// position p of a paired stream: the even bytes are the first half of the
// group, the odd ones the second, so that both halves widen to 16 bits in
// place.
func pairedIndex(p int) int { return p>>1 + p&1*(vectorLen/2) }

// valuePart and rawPart are the bits of the unit that a value and the raw
// bits stand for.
func (s *split) valuePart(value uint16) uint16 {
	switch s.sign {
	case signRaw:
		return value << (s.raw - 1)
	case signSymbol:
		return value>>1<<s.raw | value&1<<(s.unitBits()-1)
	}
	return value << s.raw
}

func (s *split) rawPart(raw uint16) uint16 {
	if s.sign != signRaw {
		return raw
	}
	low := s.raw - 1
	return raw&(1<<low-1) | raw>>low<<(s.unitBits()-1)
}

var errShortHeader = fmt.Errorf("%w: header cut short", ErrCorrupt)

// readUvarint reads a minimal varint of at most limit.
func readUvarint(b []byte, limit uint64) (v uint64, rest []byte, err error) {
	v, n := binary.Uvarint(b)
	switch {
	case n == 0:
		return 0, nil, errShortHeader
	case n < 0 || v > limit:
		return 0, nil, fmt.Errorf("%w: number beyond %d", ErrCorrupt, limit)
	case n > 1 && b[n-1] == 0:
		return 0, nil, fmt.Errorf("%w: number not in its shortest form", ErrCorrupt)
	}
	return v, b[n:], nil
}
