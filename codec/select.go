package codec

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// A tensor whose rows or columns are partly constant, or partly those of an
// earlier tensor, is coded without them, in a run of its own.

const (
	// minSelectLen is how many elements a part must have to be looked at.
	minSelectLen = 1000
	// fastSelectLen is the like in bytes where speed counts.
	fastSelectLen = 16 << 10
	// maxSelects bounds the runs of their own of a chunk.
	maxSelects = MaxModels / 8
	// A sixteenth of the elements are compared before more are, within these
	// bounds, and minSelectShare of them must be equal.
	fewestProbes   = 128
	mostProbes     = 256
	minSelectShare = 1. / 32
	// selectGain is how many bytes a selection must save: it keeps a part from
	// sharing tables with its neighbours.
	selectGain = 128
)

// stretch is a part of a chunk that is coded by itself: with a selection, or
// the parts that stand between two such.
type stretch struct {
	from, to  int // bytes of the chunk
	parts     []Part
	selection *selection
}

// stretches cuts a chunk around the parts in which something may be left out.
func stretches(data []byte, elem Elem, parts []Part, level Level) []stretch {
	var list []stretch
	selects := 0
	last := stretch{} // without a selection
	for i, p := range parts {
		end := len(data)
		if i+1 < len(parts) {
			end = parts[i+1].Off
		}
		if p.Off < last.to || end <= p.Off || end > len(data) || p.Off%int(elem.Width) != 0 || end%int(elem.Width) != 0 {
			continue
		}
		var s *selection
		if selects < maxSelects {
			s = findSelection(data[p.Off:end], elem, p, level)
		}
		if s == nil {
			last.parts, last.to = append(last.parts, p), end
			continue
		}
		last.to = p.Off
		list = append(last.appendTo(list), stretch{p.Off, end, rebased(parts[i:i+1], p.Off), s})
		last = stretch{from: end, to: end}
		selects++
	}
	last.to = len(data)
	return last.appendTo(list)
}

// appendTo appends s to list, if there is anything in it.
func (s stretch) appendTo(list []stretch) []stretch {
	if s.from == s.to {
		return list
	}
	s.parts = rebased(s.parts, s.from)
	return append(list, s)
}

// rebased gives parts with their offsets counted from byte from.
func rebased(parts []Part, from int) []Part {
	if from == 0 {
		return parts
	}
	moved := make([]Part, len(parts))
	for i, p := range parts {
		p.Off -= from
		moved[i] = p
	}
	return moved
}

// findSelection gives the selection that leaves out most of a part, or nil if
// none is worth trying.
func findSelection(data []byte, elem Elem, p Part, level Level) *selection {
	width := int(elem.Width)
	if len(data) < minSelectLen*width || level == Fast && len(data) < fastSelectLen {
		return nil
	}
	f := finder{part: p}
	probes := level.probesOf(len(data) / width)
	if len(p.RefData) == len(data) && probablyShares(data, p.RefData, width, probes) {
		f.try(data, p.RefData, selection{width: width, fill: fillReference, row: p.Ref.Row, off: p.Ref.Off})
	}
	if constant := commonElement(data, width, probes); constant != nil {
		filler := make([]byte, len(data))
		fillWith(filler, constant)
		f.try(data, filler, selection{width: width, fill: fillConstant, constant: constant})
		if elem.Exponent > 0 {
			constant = withoutSigns(constant, width)
			fillWith(filler, constant)
			f.try(withoutSigns(data, width), filler, selection{width: width, fill: fillSigned, constant: constant})
		}
	}
	if f.saved < selectGain {
		return nil
	}
	return f.best
}

// finder keeps the best selection for a part.
type finder struct {
	part  Part
	best  *selection
	saved int // bytes that it leaves out, less what it takes
}

// try tries s along every axis: what is equal in data and filler is left out.
func (f *finder) try(data, filler []byte, s selection) {
	for _, a := range f.part.axes(len(data) / s.width) {
		s := s
		s.stride, s.count, s.phase = a.stride, a.count, a.phase
		saved := s.leaveOut(data, filler)
		if saved -= s.count/8 + s.signsLen(saved/s.width); saved > f.saved {
			f.best, f.saved = &s, saved
		}
	}
}

// withoutSigns gives data with the top bits of its elements clear.
func withoutSigns(data []byte, width int) []byte {
	data = slices.Clone(data)
	for i := width - 1; i < len(data); i += width {
		data[i] &= 0x7f
	}
	return data
}

// probesOf is how many of n elements are probed.
func (l Level) probesOf(n int) int {
	if l == Fast {
		return fewestProbes
	}
	return min(max(n/16, fewestProbes), mostProbes)
}

// probe gives the place of one of some elements of n: spread over all, and not
// by a regular distance that may be that of a row; but four side by side, as
// most of the time goes into getting at each place.
func probe(k, n int) int {
	const golden, together = 0x9e3779b97f4a7c15, 4
	hi := uint64(k/together) * golden >> 32
	return int(hi*uint64(n/together)>>32)*together + k%together
}

// probablyShares tells by probes whether elements of a and b are equal.
func probablyShares(a, b []byte, width, probes int) bool {
	equal := 0
	n := len(a) / width
	for k := range probes {
		at := probe(k, n)
		if elementAt(a, at, width) == elementAt(b, at, width) {
			equal++
		}
	}
	return float64(equal) >= float64(probes)*minSelectShare
}

// commonElement gives the element of data that is the most common, as far as
// probes tell; nil if none is.
func commonElement(data []byte, width, probes int) []byte {
	// A slot has the upper bits of a hash and, below them, how often it was met.
	const slotBits, countBits = 10, 10
	var slots [1 << slotBits]uint32
	var common uint64
	most := uint32(0)
	n := len(data) / width
	if !mayHaveCommon(data, n, width, probes) {
		return nil
	}
	for k := range probes {
		v := elementAt(data, probe(k, n), width)
		hash := v * 0x9e3779b97f4a7c15
		tag := uint32(hash>>22)&^(1<<countBits-1) | 1<<countBits
		at := hash >> (64 - slotBits)
		for slots[at] != 0 && slots[at]&^(1<<countBits-1) != tag {
			at = (at + 1) & (1<<slotBits - 1)
		}
		slots[at] = max(slots[at], tag) + 1
		if met := slots[at] & (1<<countBits - 1); met > most {
			most, common = met, v
		}
	}
	if float64(most) < float64(probes)*minSelectShare {
		return nil
	}
	return binary.LittleEndian.AppendUint64(nil, common)[:width]
}

// mayHaveCommon tells by the same probes, faster, whether so many of n elements
// have a hash in common.
func mayHaveCommon(data []byte, n, width, probes int) bool {
	const hashBits = 10
	var counts [1 << hashBits]uint16
	most := uint16(0)
	count := func(element uint64) {
		c := &counts[element*0x9e3779b97f4a7c15>>(64-hashBits)]
		*c++
		most = max(most, *c)
	}
	k := 0
	if width == 2 {
		// Those that lie together are read together.
		for ; k+4 <= probes; k += 4 {
			four := binary.LittleEndian.Uint64(data[2*probe(k, n):])
			count(four & 0xffff)
			count(four >> 16 & 0xffff)
			count(four >> 32 & 0xffff)
			count(four >> 48)
		}
	}
	for ; k < probes; k++ {
		count(elementAt(data, probe(k, n), width))
	}
	return float64(most) >= float64(probes)*minSelectShare
}

// elementAt is element i of data as a number.
func elementAt(data []byte, i, width int) uint64 {
	switch b := data[i*width:]; width {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	default:
		return binary.LittleEndian.Uint64(b)
	}
}

// leaveOut sets the bits of the indices under which data differs from filler, and
// gives how many bytes need not be coded then. It gives up, with 0, when hardly
// an index is left.
func (s *selection) leaveOut(data, filler []byte) int {
	s.coded = make([]byte, (s.count+7)/8)
	w, left := s.width, s.count
	n := len(data) / w
	place := s.phase % (s.stride * s.count)
	index, size := place/s.stride, s.stride-place%s.stride
	for at := 0; at < n; {
		to := min(at+size, n)
		if !s.isCoded(index) && !bytes.Equal(data[at*w:to*w], filler[at*w:to*w]) {
			s.coded[index>>3] |= 1 << (index & 7)
			if left--; float64(left) < minSelectShare/2*float64(s.count) {
				return 0
			}
		}
		if index++; index == s.count {
			index = 0
		}
		at, size = to, s.stride
	}
	return w * (n - s.codedOf(0, n))
}

// encodeStretch codes a stretch; without its selection, where that is smaller.
func (e *Encoder) encodeStretch(data []byte, elem Elem, s stretch) {
	start := e.mark()
	e.encodePlain(data, elem, s.parts)
	if s.selection == nil {
		return
	}
	before := e.size()
	plain := e.keep(start)
	e.rewind(start)
	e.encodeSmaller(data, e.selecting(data, elem, s.selection)...)
	if e.size()+selectGain > before {
		e.rewind(start)
		e.restore(plain)
	}
}

// selecting gives the models that may code what a selection leaves of data.
func (e *Encoder) selecting(data []byte, elem Elem, s *selection) []*model {
	left := s.gather(nil, data, 0)
	var models []*model
	switch {
	case len(left) == 0:
	case elem.Exponent > 0:
		r := run{to: len(left)}
		e.top.init(elem, e.fast())
		r.set(e.measure(left, elem))
		models = e.floatModels(left, r, elem)
	default:
		models = e.planeModels(left, elem)
	}
	models = append(models, storedModel())
	for _, m := range models {
		m.sel = s
	}
	return models
}

// encodeSelected codes data by a model that selects. Its blocks are longer the
// less is left of them.
func (e *Encoder) encodeSelected(m *model, data []byte) {
	w := m.sel.width
	left := w * m.sel.codedOf(0, len(data)/w)
	longest := int(min(int64(e.blockLen)*int64(len(data))/int64(max(left, 1)), wideBlockLen))
	e.models = append(e.models, m)
	at := 0
	for _, n := range blockLens(len(data), max(longest, e.blockLen), w) {
		block := data[at : at+n]
		e.selected = m.sel.gather(e.selected[:0], block, at)
		stored := len(e.payload)
		e.payload = m.sel.appendSigns(e.payload, block, at)
		if len(e.selected) > 0 {
			e.payload = e.appendBlock(e.payload, m, e.selected, 0)
		}
		e.appendEntry(len(e.models)-1, block, stored)
		at += n
	}
}
