package codec

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// alphabet maps the symbols of a stream, bytes, to the values they stand for,
// of up to 16 bits. Symbols rise with their values.
type alphabet struct {
	kind  alphabetKind
	base  uint16   // contiguous kinds
	zero  bool     // contiguous: symbol 0 is value 0, and s > 0 is base+s
	list  []uint16 // alphabetList
	bound int      // values are below it

	shared bool // it stands in the profile
}

type alphabetKind uint8

const (
	alphabetContiguous alphabetKind = 0 // base+s
	alphabetZero       alphabetKind = 1 // 0 for 0, else base+s
	alphabetList       alphabetKind = 2

	// alphabetProfile is that of the profile, and only in headers.
	alphabetProfile alphabetKind = 3
)

// newAlphabet gives the smallest alphabet of the values present, which are
// sorted; false if it needs more than 256 symbols.
func newAlphabet(present []uint16, bound int) (alphabet, bool) {
	first, last := present[0], present[len(present)-1]
	if int(last)-int(first) < 256 {
		return alphabet{kind: alphabetContiguous, base: first, bound: bound}, true
	}
	if first == 0 && len(present) > 1 && int(last)-int(present[1]) < 255 {
		return alphabet{kind: alphabetZero, base: present[1] - 1, zero: true, bound: bound}, true
	}
	if len(present) <= 256 {
		return alphabet{kind: alphabetList, list: present, bound: bound}, true
	}
	return alphabet{}, false
}

// symbols is how many there are: from 0 on, each stands for a value below the
// bound.
func (a *alphabet) symbols() int {
	if a.kind == alphabetList {
		return len(a.list)
	}
	return min(a.bound-int(a.base), 256)
}

func (a *alphabet) value(symbol int) uint16 {
	switch {
	case a.kind == alphabetList:
		if symbol < len(a.list) {
			return a.list[symbol]
		}
		return 0
	case a.zero && symbol == 0:
		return 0
	}
	return a.base + uint16(symbol)
}

// symbol is the symbol of a value that the alphabet holds.
func (a *alphabet) symbol(value uint16) int {
	switch {
	case a.kind == alphabetList:
		i, _ := slices.BinarySearch(a.list, value)
		return i
	case a.zero && value == 0:
		return 0
	}
	return int(value - a.base)
}

func (a *alphabet) marshal(dst []byte) []byte {
	if a.shared {
		return append(dst, byte(alphabetProfile))
	}
	dst = append(dst, byte(a.kind))
	if a.kind != alphabetList {
		return binary.AppendUvarint(dst, uint64(a.base))
	}
	dst = binary.AppendUvarint(dst, uint64(len(a.list)))
	prev := -1
	for _, v := range a.list {
		dst = binary.AppendUvarint(dst, uint64(int(v)-prev-1))
		prev = int(v)
	}
	return dst
}

func parseAlphabet(b []byte, bound int, p *Profile) (a alphabet, rest []byte, err error) {
	if len(b) == 0 {
		return a, nil, errShortHeader
	}
	if alphabetKind(b[0]) == alphabetProfile {
		if p.Distributions() == 0 || p.alpha.bound != bound {
			return a, nil, fmt.Errorf("%w: no profile with the alphabet", ErrCorrupt)
		}
		a = p.alpha
		a.shared = true
		return a, b[1:], nil
	}
	a.kind, a.bound = alphabetKind(b[0]), bound
	n, b, err := readUvarint(b[1:], uint64(bound-1))
	if err != nil {
		return a, nil, err
	}
	switch a.kind {
	case alphabetContiguous, alphabetZero:
		a.base, a.zero = uint16(n), a.kind == alphabetZero
		return a, b, nil
	case alphabetList:
		if n == 0 || n > 256 {
			return a, nil, fmt.Errorf("%w: alphabet of %d values", ErrCorrupt, n)
		}
		a.list, rest, err = parseValues(b, int(n), bound)
		return a, rest, err
	}
	return a, nil, fmt.Errorf("%w: alphabet kind %d", ErrUnsupported, a.kind)
}

func parseValues(b []byte, n, bound int) ([]uint16, []byte, error) {
	list := make([]uint16, n)
	next := 0
	for i := range list {
		gap, rest, err := readUvarint(b, uint64(bound))
		if err != nil {
			return nil, nil, err
		}
		next += int(gap)
		if next >= bound {
			return nil, nil, fmt.Errorf("%w: alphabet value %d", ErrCorrupt, next)
		}
		list[i] = uint16(next)
		next++
		b = rest
	}
	return list, b, nil
}
