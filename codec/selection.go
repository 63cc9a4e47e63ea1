package codec

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// splitSelect, as the number of a split, says that a selection and the model
// that it wraps follow.
const splitSelect splitKind = 3

// fillKind is what stands in the place of the elements that are not coded.
type fillKind uint8

const (
	fillConstant  fillKind = 0 // one element
	fillReference fillKind = 1 // the elements at the same places of a Reference
	fillSigned    fillKind = 2 // one element, but for the top bit, which is coded
)

// Limits of a selection.
const (
	maxSelected = 1 << 20     // indices
	maxPeriod   = MaxChunkLen // elements until the indices repeat
	maxRow      = 1<<22 - 1   // of a Reference: an archive has no more rows
)

// selection says which elements of a run are coded, by an index along an axis
// of a tensor: element i of the run has the index (i+phase)/stride mod count.
// The others are filled in. The blocks of a run stand side by side, and no
// other block has the run's model.
type selection struct {
	width                int // bytes of an element
	fill                 fillKind
	constant             []byte // fillConstant, fillSigned
	row, off             int    // fillReference: where the run's begins
	stride, count, phase int
	coded                []byte // a bit an index, the lowest first
}

// Reference is a stretch of the original that a block is filled from: Len bytes
// at offset Off of the chunk that row Row of the index places.
type Reference struct{ Row, Off, Len int }

func (s *selection) marshal(dst []byte) []byte {
	dst = append(dst, byte(splitSelect), byte(s.width), byte(s.fill))
	if s.fill == fillReference {
		dst = binary.AppendUvarint(dst, uint64(s.row))
		dst = binary.AppendUvarint(dst, uint64(s.off))
	} else {
		dst = append(dst, s.constant...)
	}
	for _, v := range [...]int{s.stride, s.count, s.phase} {
		dst = binary.AppendUvarint(dst, uint64(v))
	}
	return append(dst, s.coded...)
}

// parseSelection reads what marshal wrote behind the number of the split.
func parseSelection(b []byte) (s *selection, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, errShortHeader
	}
	s = &selection{width: int(b[0]), fill: fillKind(b[1])}
	if !validWidth(s.width) {
		return nil, nil, fmt.Errorf("%w: selection of elements of width %d", ErrCorrupt, s.width)
	}
	if b, err = s.parseFill(b[2:]); err != nil {
		return nil, nil, err
	}
	if b, err = s.parseAxis(b); err != nil {
		return nil, nil, err
	}
	n := (s.count + 7) / 8
	if len(b) < n {
		return nil, nil, errShortHeader
	}
	s.coded = b[:n:n]
	if s.count%8 != 0 && s.coded[n-1]>>(s.count%8) != 0 {
		return nil, nil, fmt.Errorf("%w: selection of more than %d indices", ErrCorrupt, s.count)
	}
	return s, b[n:], nil
}

func (s *selection) parseFill(b []byte) (rest []byte, err error) {
	switch s.fill {
	case fillConstant, fillSigned:
		if len(b) < s.width {
			return nil, errShortHeader
		}
		s.constant = b[:s.width:s.width]
		if s.fill == fillSigned && b[s.width-1]>>7 != 0 {
			return nil, fmt.Errorf("%w: signs are to be set in a constant that has one", ErrCorrupt)
		}
		return b[s.width:], nil
	case fillReference:
		row, b, err := readUvarint(b, maxRow)
		if err != nil {
			return nil, err
		}
		off, b, err := readUvarint(b, MaxChunkLen)
		s.row, s.off = int(row), int(off)
		return b, err
	}
	return nil, fmt.Errorf("%w: fill number %d", ErrUnsupported, s.fill)
}

func (s *selection) parseAxis(b []byte) (rest []byte, err error) {
	var v [3]uint64
	for i := range v {
		if v[i], b, err = readUvarint(b, maxPeriod); err != nil {
			return nil, err
		}
	}
	if v[0] == 0 || v[1] == 0 || v[1] > maxSelected || v[0]*v[1] > maxPeriod || v[2] >= v[0]*v[1] {
		return nil, fmt.Errorf("%w: selection with stride %d, count %d, phase %d", ErrCorrupt, v[0], v[1], v[2])
	}
	s.stride, s.count, s.phase = int(v[0]), int(v[1]), int(v[2])
	return b, nil
}

// isCoded tells whether the elements of an index are coded.
func (s *selection) isCoded(index int) bool { return s.coded[index>>3]>>(index&7)&1 != 0 }

// each calls f for the stretches of n elements, from element start of the run
// on, that are all coded or all not. Their places are counted from start.
func (s *selection) each(start, n int, f func(at, size int, coded bool)) {
	place := (start + s.phase) % (s.stride * s.count)
	index, passed := place/s.stride, place%s.stride
	for at := 0; at < n; {
		from, coded := at, s.isCoded(index)
		for at < n && s.isCoded(index) == coded {
			same := s.alike(index)
			at += min(same*s.stride-passed, n-at)
			passed = 0
			if index += same; index == s.count {
				index = 0
			}
		}
		f(from, at-from, coded)
	}
}

// alike counts the indices from index on that are coded or not like it: it may
// stop short at a multiple of 8, and does so at the last index.
func (s *selection) alike(index int) int {
	bit := index & 7
	same := s.coded[index>>3] >> bit
	if same&1 == 0 {
		same = ^same
	}
	return min(bits.TrailingZeros8(^same), 8-bit, s.count-index)
}

// codedOf counts the coded ones of n elements from element start of the run.
func (s *selection) codedOf(start, n int) int {
	return s.codedBefore(start+s.phase+n) - s.codedBefore(start+s.phase)
}

// codedBefore counts the coded ones of the elements before number i, with the
// first at its index's first place.
func (s *selection) codedBefore(i int) int {
	periods, place := i/(s.stride*s.count), i%(s.stride*s.count)
	index, part := place/s.stride, place%s.stride
	n := periods*s.stride*s.codedIndices(s.count) + s.stride*s.codedIndices(index)
	if part > 0 && s.isCoded(index) {
		n += part
	}
	return n
}

// codedIndices counts the coded ones of the first n indices.
func (s *selection) codedIndices(n int) (sum int) {
	b := s.coded[:n>>3]
	for ; len(b) >= 8; b = b[8:] {
		sum += bits.OnesCount64(binary.LittleEndian.Uint64(b))
	}
	for _, v := range b {
		sum += bits.OnesCount8(v)
	}
	if n&7 != 0 {
		sum += bits.OnesCount8(s.coded[n>>3] & (1<<(n&7) - 1))
	}
	return sum
}

// gather appends the coded elements of data, which begins at byte start of the
// run, to dst.
func (s *selection) gather(dst, data []byte, start int) []byte {
	w := s.width
	s.each(start/w, len(data)/w, func(at, size int, coded bool) {
		if coded {
			dst = append(dst, data[at*w:(at+size)*w]...)
		}
	})
	return dst
}

// scatter fills dst, which begins at byte start of the run, with the coded
// elements from src, and the others from ref or the constant and signs.
func (s *selection) scatter(dst, src, ref, signs []byte, start int) {
	if s.fill == fillReference {
		copy(dst, ref)
	} else {
		fillWith(dst, s.constant)
	}
	w, signed := s.width, 0
	s.each(start/w, len(dst)/w, func(at, size int, coded bool) {
		if coded {
			src = src[copy(dst[at*w:(at+size)*w], src):]
		} else if s.fill == fillSigned {
			putSigns(dst[at*w:(at+size)*w], w, signs, signed)
			signed += size
		}
	})
}

// signsLen is the number of bytes for the signs of n elements that are filled in.
func (s *selection) signsLen(n int) int {
	if s.fill != fillSigned {
		return 0
	}
	return (n + 7) / 8
}

// putSigns sets the top bits of dst's elements to those of signs from number at
// on.
func putSigns(dst []byte, width int, signs []byte, at int) {
	for i := width - 1; i < len(dst); i += width {
		dst[i] |= signs[at>>3] >> (at & 7) << 7
		at++
	}
}

// appendSigns appends the top bits of the elements of data, which begins at byte
// start of the run, that are not coded.
func (s *selection) appendSigns(dst, data []byte, start int) []byte {
	if s.fill != fillSigned {
		return dst
	}
	w, n := s.width, 0
	s.each(start/w, len(data)/w, func(at, size int, coded bool) {
		for i := (at+1)*w - 1; !coded && i < (at+size)*w; i += w {
			if n&7 == 0 {
				dst = append(dst, 0)
			}
			dst[len(dst)-1] |= data[i] >> 7 << (n & 7)
			n++
		}
	})
	return dst
}

// fillWith repeats pattern, whose length divides dst's, all through dst.
func fillWith(dst, pattern []byte) {
	for done := copy(dst, pattern); done < len(dst); {
		done += copy(dst[done:], dst[:done])
	}
}

// decodeSelected decodes a block whose model selects: signs, then the coded
// bytes of the inner model, of which there are none if no element is coded.
func (d *Decoder) decodeSelected(m *model, b *Block, dst, src, ref []byte) error {
	s := m.sel
	n := s.width * s.codedOf(b.runOff/s.width, b.Len/s.width)
	if cap(d.compact) < n {
		d.compact = make([]byte, n)
	}
	coded := d.compact[:n]
	filled := (b.Len - n) / s.width
	signsLen := s.signsLen(filled)
	if len(src) < signsLen {
		return fmt.Errorf("%w: %d bytes for %d signs", ErrCorrupt, len(src), filled)
	}
	signs, src := src[:signsLen], src[signsLen:]
	if signsLen > 0 && filled%8 != 0 && signs[signsLen-1]>>(filled%8) != 0 {
		return fmt.Errorf("%w: more than %d signs", ErrCorrupt, filled)
	}
	if n > 0 {
		if err := d.decode(m, coded, src, 0); err != nil {
			return err
		}
	} else if len(src) > 0 {
		return fmt.Errorf("%w: %d bytes for a block without coded elements", ErrCorrupt, len(src))
	}
	s.scatter(dst, coded, ref, signs, b.runOff)
	return nil
}

// placeInRun places block i in its run: the blocks of a selection
// stand side by side.
func (c *Chunk) placeInRun(i int) error {
	b := &c.blocks[i]
	if c.models[b.model].sel == nil {
		return nil
	}
	if i > 0 && c.blocks[i-1].model == b.model {
		b.runOff = c.blocks[i-1].runOff + c.blocks[i-1].Len
		return nil
	}
	if c.models[b.model].placed {
		return fmt.Errorf("%w: blocks of selection %d stand apart", ErrCorrupt, b.model)
	}
	c.models[b.model].placed = true
	return nil
}

// Reference gives what block i needs to be decoded beside its coded bytes, if
// it needs anything. The stretch may not be there: the archive is corrupt then,
// as it is if a block of the stretch itself needs a reference.
func (c *Chunk) Reference(i int) (Reference, bool) {
	b := &c.blocks[i]
	s := c.models[b.model].sel
	if s == nil || s.fill != fillReference {
		return Reference{}, false
	}
	return Reference{Row: s.row, Off: s.off + b.runOff, Len: b.Len}, true
}
