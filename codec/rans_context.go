package codec

import (
	"encoding/binary"
	"unsafe"
)

// Static rANS as in rans.go, with the frequencies of each symbol's class.

// contextTables are the tables of all classes, one behind the other.
type contextTables []uint32

func newContextTables(freqs []frequencies) *contextTables {
	t := new(contextTables)
	t.fill(freqs)
	return t
}

func (t *contextTables) fill(freqs []frequencies) {
	if n := len(freqs) * ransTotal; cap(*t) < n {
		*t = make(contextTables, n)
	} else {
		*t = (*t)[:n]
	}
	for i, f := range freqs {
		(*ransTable)((*t)[i*ransTotal:]).fill(f)
	}
}

// contextDecoder decodes a stream with classes, a block at a time.
type contextDecoder struct {
	rans    ransDecoder
	own     contextTables // of a stream that keeps none
	classes []byte        // scratch
	coded   []byte        // scratch: symbols in the order in which they are coded
}

// decode fills dst, the symbols of a block that begins at element at of its
// chunk, from src.
func (d *contextDecoder) decode(s *stream, dst, src []byte, at uint64) error {
	if err := d.rans.init(nil, s.lanesLog2, src); err != nil {
		return err
	}
	tables := s.contextTables(&d.own)
	if cap(d.classes) < len(dst) {
		d.classes, d.coded = make([]byte, len(dst)), make([]byte, len(dst))
	}
	var err error
	switch c := s.context; {
	case c.kind == contextPlace:
		d.classes = d.classes[:len(dst)]
		c.places(d.classes, at)
		err = d.rans.readClasses(dst, d.classes, tables)
	case c.segmented:
		coded := d.coded[:len(dst)]
		cut := len(dst) / vectorLen * vectorLen
		if err = d.afterNeighbours(s, coded[:cut], vectorLen*c.lag, tables); err == nil {
			fill(d.classes[:len(dst)-cut], c.first)
			err = d.rans.readClasses(coded[cut:], d.classes[:len(dst)-cut], tables)
		}
		joinSegments(dst, coded)
	default:
		err = d.afterNeighbours(s, dst, c.lag, tables)
	}
	if err != nil {
		return err
	}
	return d.rans.close()
}

// contextTables gives the tables of s, kept with it if more than one block needs
// them, else made in own.
func (s *stream) contextTables(own *contextTables) contextTables {
	if s.kept {
		return *s.contextLookup.get(func() *contextTables { return newContextTables(s.freqs) })
	}
	own.fill(s.freqs)
	return *own
}

// afterNeighbours decodes dst, in which a symbol's neighbour is lag before it:
// as many at a time as have their neighbours decoded.
func (d *contextDecoder) afterNeighbours(s *stream, dst []byte, lag int, tables contextTables) error {
	step := lag &^ (maxLanes - 1)
	symbols := 0
	for _, f := range s.freqs {
		symbols = max(symbols, len(f))
	}
	for at := 0; at < len(dst); at += step {
		n := min(step, len(dst)-at)
		classes := d.classes[:n]
		known := min(max(lag-at, 0), n) // those before lag have no neighbour
		fill(classes[:known], s.context.first)
		lookUp(classes[known:], dst[max(at-lag, 0):max(at-lag+n, 0)], &s.classOf, symbols)
		if err := d.rans.readClasses(dst[at:at+n], classes, tables); err != nil {
			return err
		}
	}
	return nil
}

// lookUp sets dst to the table's entries of the bytes of src, which are below
// symbols.
func lookUp(dst, src []byte, table *[256]byte, symbols int) {
	done := lookUpVector(dst, src, table, symbols)
	dst = dst[:len(src)]
	for i := done; i < len(src); i++ {
		dst[i] = table[src[i]]
	}
}

// cutSegments puts the vectorLen segments of src side by side: one symbol of
// each, then the next of each. What is left over follows as it is.
func cutSegments(dst, src []byte) {
	length := len(src) / vectorLen
	for i := range length {
		row := dst[i*vectorLen : (i+1)*vectorLen]
		for k := range row {
			row[k] = src[k*length+i]
		}
	}
	copy(dst[length*vectorLen:], src[length*vectorLen:])
}

// joinSegments is the inverse of cutSegments.
func joinSegments(dst, src []byte) {
	length := len(src) / vectorLen
	done := length &^ 7
	for i := 0; i < done; i += 8 {
		for k := 0; k < vectorLen; k += 8 {
			transpose8(dst[k*length+i:], length, src[i*vectorLen+k:], vectorLen)
		}
	}
	for i := done; i < length; i++ {
		for k := range vectorLen {
			dst[k*length+i] = src[i*vectorLen+k]
		}
	}
	copy(dst[length*vectorLen:], src[length*vectorLen:])
}

// transpose8 transposes 8 by 8 bytes, whose rows are so far apart.
func transpose8(dst []byte, dstRow int, src []byte, srcRow int) {
	var r [8]uint64
	for i := range r {
		r[i] = binary.LittleEndian.Uint64(src[i*srcRow:])
	}
	for i := 0; i < 8; i += 2 {
		r[i], r[i+1] = exchange(r[i], r[i+1], 8, 0x00ff00ff00ff00ff)
	}
	for _, i := range [...]int{0, 1, 4, 5} {
		r[i], r[i+2] = exchange(r[i], r[i+2], 16, 0x0000ffff0000ffff)
	}
	for i := range 4 {
		r[i], r[i+4] = exchange(r[i], r[i+4], 32, 0x00000000ffffffff)
	}
	for i := range r {
		binary.LittleEndian.PutUint64(dst[i*dstRow:], r[i])
	}
}

// exchange swaps the upper part of each field of a with the lower part of b.
func exchange(a, b uint64, shift uint, low uint64) (uint64, uint64) {
	return a&low | b&low<<shift, a>>shift&low | b&^low
}

// readClasses decodes len(dst) symbols, a multiple of the lanes but for the
// last call, the class of each given.
func (d *ransDecoder) readClasses(dst, classes []byte, tables contextTables) error {
	done := ransDecodeClassesVector(d, dst, classes, tables)
	done += d.readClassGroups(dst[done:], classes[done:], tables)
	for i := done; i < len(dst); i++ {
		var err error
		if dst[i], err = d.step((*ransTable)(tables[int(classes[i])*ransTotal:]), i); err != nil {
			return err
		}
	}
	return nil
}

// readClassGroups is readGroups with classes.
func (d *ransDecoder) readClassGroups(dst, classes []byte, tables contextTables) int {
	base, lanes := unsafe.Pointer(unsafe.SliceData(tables)), uintptr(d.lanes)
	groups := 0
	for len(dst) >= d.lanes && len(classes) >= d.lanes && len(d.words)-d.pos > 2*d.lanes {
		first := unsafe.Pointer(&d.words[d.pos])
		p, out, cls := first, unsafe.Pointer(&dst[0]), unsafe.Pointer(&classes[0])
		for l := uintptr(0); l < lanes; l += 4 {
			s := (*[4]uint32)(unsafe.Add(unsafe.Pointer(&d.state), 4*l))
			o, c := (*[4]byte)(unsafe.Add(out, l)), (*[4]byte)(unsafe.Add(cls, l))
			s[0], o[0], p = ransStep(tableOf(base, c[0]), s[0], p)
			s[1], o[1], p = ransStep(tableOf(base, c[1]), s[1], p)
			s[2], o[2], p = ransStep(tableOf(base, c[2]), s[2], p)
			s[3], o[3], p = ransStep(tableOf(base, c[3]), s[3], p)
		}
		d.pos += int(uintptr(p) - uintptr(first))
		dst, classes = dst[d.lanes:], classes[d.lanes:]
		groups++
	}
	return groups * d.lanes
}

// tableOf gives the table of a class that has one.
func tableOf(tables unsafe.Pointer, class byte) *ransTable {
	return (*ransTable)(unsafe.Add(tables, uintptr(class)<<(ransBits+2)))
}

// encodeClasses is encode with symbols of classes: of[c], prepared by init,
// serves class c, below len(of).
func (e *ransEncoder) encodeClasses(dst, src, classes []byte, of []ransEncoder, lanesLog2 uint) []byte {
	lanes := 1 << lanesLog2
	e.start(len(src), lanes)
	whole := len(src) &^ (maxLanes - 1)
	e.putClasses(src[whole:], classes[whole:], of, lanes)
	if tables, exact := vectorTables(of); exact {
		whole -= ransEncodeClassesVector(e, src[:whole], classes[:whole], tables, lanesLog2)
	}
	e.putClasses(src[:whole], classes[:whole], of, lanes)
	return e.finish(dst, lanes)
}

// vectorTables lists the kernels' tables of all classes; false if one of them
// does not divide exactly.
func vectorTables(of []ransEncoder) (tables [][256]uint64, exact bool) {
	for i := range of {
		if !of[i].vector.exact {
			return nil, false
		}
		tables = append(tables, of[i].vector.entries)
	}
	return tables, true
}

// putClasses encodes symbols, the first of which is lane 0's.
func (e *ransEncoder) putClasses(src, classes []byte, of []ransEncoder, lanes int) {
	if len(src) == 0 {
		return
	}
	classes = classes[:len(src)]
	p := unsafe.Pointer(&e.words[e.pos-2])
	for i := len(src) - 1; i >= 0; i-- {
		x := &e.state[i&(lanes-1)&(maxLanes-1)]
		*x, p = ransPut(&of[classes[i]].symbols[src[i]], *x, p)
	}
	e.moveTo(p)
}
