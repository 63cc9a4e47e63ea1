package codec

import "encoding/binary"

// apart takes blocks apart into the streams of a model: the inverse of a
// Decoder's join.
type apart struct {
	streams [2 + maxSplitWidth][]byte
	units   [2 * tile]byte // of elements wider than a unit
	rank    [1 << 16]byte  // symbol by the upper bits of the unit
}

// take fills streams with the symbols of data's elements.
func (a *apart) take(s *split, data []byte) [][]byte {
	n := s.elements(len(data))
	streams := a.streams[:len(s.streamBits())]
	for k := range streams {
		if cap(streams[k]) < n {
			streams[k] = make([]byte, n)
		}
		streams[k] = streams[k][:n]
	}
	switch s.kind {
	case splitPlain:
		copy(streams[0], data)
	case splitPlanes:
		if s.columns > 1 {
			gatherTransposed(streams, data, s.width, s.columns)
			break
		}
		for k := range streams {
			gatherPlane(streams[k], data[k:], s.width)
		}
	case splitTop:
		a.takeTop(s, streams, data)
	}
	return streams
}

// setRank prepares take for the alphabet of s.
func (a *apart) setRank(s *split) {
	if s.kind != splitTop {
		return
	}
	for symbol := 255; symbol >= 0; symbol-- {
		value := s.alpha.value(symbol)
		if int(value) >= s.alpha.bound || s.alpha.kind == alphabetList && symbol >= len(s.alpha.list) {
			continue
		}
		shift := s.rankShift()
		a.rank[s.valuePart(value)>>shift] = byte(symbol)
		if s.sign == signRaw {
			a.rank[(s.valuePart(value)|1<<(s.unitBits()-1))>>shift] = byte(symbol)
		}
	}
}

// rankShift is how many low bits of a unit its symbol does not depend on.
func (s *split) rankShift() uint {
	if s.sign == signRaw {
		return uint(s.raw - 1)
	}
	return uint(s.raw)
}

// fields are the shifts and masks that take a unit apart.
type fields struct {
	shift    uint   // low bits that the symbol does not depend on
	mask     uint16 // the raw bits among them
	signMask uint16 // where the sign goes in the raw bits; 0 if elsewhere
	top      uint   // the sign's place in the unit
}

func (s *split) fields() fields {
	f := fields{shift: s.rankShift(), top: uint(s.unitBits() - 1)}
	f.mask = 1<<f.shift - 1
	if s.sign == signRaw {
		f.signMask = 1 << f.shift
	}
	return f
}

func (f *fields) raw(unit uint16) uint16 {
	return unit&f.mask | unit>>(f.top&15)<<(f.shift&15)&f.signMask
}

func (a *apart) takeTop(s *split, streams [][]byte, data []byte) {
	symbols := streams[0]
	next := 1
	var mid, low []byte
	if s.raw%8 != 0 {
		mid = streams[next]
		next++
	}
	if s.raw >= 8 {
		low = streams[next]
		next++
	}
	n := len(symbols)
	whole := n &^ (vectorLen - 1)
	paired := !s.natural && s.width > 1
	f := s.fields()
	start := 0
	if p, ok := newPairing(s); ok {
		a.takeByPairing(&p, s, symbols[:whole], mid, low, data)
		start = whole
	}
	for p := start; p < n; p++ {
		i := p
		if paired && p < whole {
			i = p&^(vectorLen-1) + pairedIndex(p&(vectorLen-1))
		}
		unit := unitAt(data, i, s.width)
		symbols[p] = a.rank[unit>>(f.shift&15)]
		raw := f.raw(unit)
		if low != nil {
			low[p] = byte(raw)
			raw >>= 8
		}
		if mid != nil {
			mid[p] = byte(raw)
		}
	}
	for k := range s.width - 2 {
		gatherPlane(streams[next+k], data[s.width-3-k:], s.width)
	}
}

// takeByPairing takes whole groups apart, by arithmetic but for the symbols of
// a list. mid and low are as in takeTop.
func (a *apart) takeByPairing(p *pairing, s *split, symbols, mid, low, data []byte) {
	high := mid
	if low == nil {
		low = mid
	}
	for at := 0; at < len(symbols); at += tile {
		n := min(tile, len(symbols)-at)
		units := data[at*s.width : (at+n)*s.width]
		if s.width > 2 {
			gatherUnits(a.units[:2*n], units, s.width)
			units = a.units[:2*n]
		}
		if p.hasTop {
			p.take(symbols[at:at+n], low[at:at+n], high[at:at+n], units)
		} else {
			p.take(symbols[at:at+n], low[at:at+n], nil, units)
		}
		if s.alpha.kind == alphabetList {
			p.takeRanked(symbols[at:at+n], units, &a.rank, s.rankShift())
		}
	}
}

// unitAt is the unit of element i.
func unitAt(data []byte, i, width int) uint16 {
	if width == 1 {
		return uint16(data[i])
	}
	return binary.LittleEndian.Uint16(data[(i+1)*width-2:])
}
