package codec

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// context tells the symbols of a stream apart into classes, each with
// frequencies of its own (docs/format.md, "Contexts"): by the place of an
// element in its tensor, for rows or columns that differ in scale; by an element
// before it, for filters and embeddings whose neighbours are alike; or by the
// symbol that the element has in the first stream.
type context struct {
	kind    contextKind
	classes int // 2 to maxClasses

	// contextPlace: the places of an element on one or two axes add up to its
	// class, less a floor; what is beyond the classes is in the outermost.
	axes  []placeAxis
	floor byte

	// contextNeighbour: the symbol lag elements before gives the class. In a
	// segmented stream the block is cut into vectorLen segments that are coded
	// side by side, so that the symbol is known when it is needed.
	lag       int
	segmented bool
	first     byte // class of those that have no such neighbour

	// contextNeighbour and contextSymbol, where the element's symbol in the first
	// stream gives the class: symbols; a class counts those that are not above.
	thresholds []byte
}

// placeAxis gives element i of the chunk what stands at (i+phase)/stride mod
// len(class).
type placeAxis struct {
	stride, phase uint64
	class         []byte // each below maxClasses
}

// period is after how many elements the places repeat themselves.
func (a *placeAxis) period() uint64 { return a.stride * uint64(len(a.class)) }

type contextKind uint8

const (
	contextPlace     contextKind = 0
	contextNeighbour contextKind = 1
	contextSymbol    contextKind = 2
)

const (
	maxClasses = 16
	maxAxes    = 2
	maxPlaces  = 1 << 20 // places that have a class of their own
	maxStride  = 1 << 40 // elements

	// maxFreePlaces is how many places may take no bits of a header: a short one
	// could otherwise ask for much memory.
	maxFreePlaces = 256
	maxLag        = MaxBlockLen
)

// fromChunk makes a context for elements that begin at element first of a
// chunk from one that counts them from 0.
func (c *context) fromChunk(first int) {
	for i := range c.axes {
		a := &c.axes[i]
		a.phase = (a.phase + a.period() - uint64(first)%a.period()) % a.period()
	}
}

func (c *context) marshal(dst []byte) []byte {
	dst = append(dst, byte(c.kind), byte(c.classes))
	switch c.kind {
	case contextSymbol:
		return append(dst, c.thresholds...)
	case contextNeighbour:
		dst = binary.AppendUvarint(dst, uint64(c.lag))
		segmented := byte(0)
		if c.segmented {
			segmented = 1
		}
		dst = append(dst, segmented, c.first, byte(len(c.thresholds)))
		return append(dst, c.thresholds...)
	}
	dst = append(dst, byte(len(c.axes)), c.floor)
	for i := range c.axes {
		dst = c.axes[i].marshal(dst)
	}
	return dst
}

func (a *placeAxis) marshal(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, a.stride)
	dst = binary.AppendUvarint(dst, uint64(len(a.class)))
	dst = binary.AppendUvarint(dst, a.phase)
	width := uint(bits.Len8(slices.Max(a.class)))
	dst = append(dst, byte(width))
	w := bitWriter{buf: dst}
	for _, v := range a.class {
		w.write(uint32(v), width)
	}
	return w.close()
}

func parseContext(b []byte) (c *context, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, errShortHeader
	}
	c = &context{kind: contextKind(b[0]), classes: int(b[1])}
	if c.classes < 2 || c.classes > maxClasses {
		return nil, nil, fmt.Errorf("%w: %d classes", ErrCorrupt, c.classes)
	}
	switch c.kind {
	case contextPlace:
		rest, err = c.parsePlaces(b[2:])
	case contextNeighbour:
		rest, err = c.parseNeighbour(b[2:])
	case contextSymbol:
		rest, err = c.parseSymbol(b[2:])
	default:
		err = fmt.Errorf("%w: context kind %d", ErrUnsupported, c.kind)
	}
	if err != nil {
		return nil, nil, err
	}
	return c, rest, nil
}

func (c *context) parsePlaces(b []byte) ([]byte, error) {
	if len(b) < 2 {
		return nil, errShortHeader
	}
	axes := int(b[0])
	c.floor, b = b[1], b[2:]
	if axes < 1 || axes > maxAxes || int(c.floor) >= 2*maxClasses {
		return nil, fmt.Errorf("%w: %d axes, floor %d", ErrCorrupt, axes, c.floor)
	}
	c.axes = make([]placeAxis, axes)
	for i := range c.axes {
		var err error
		if b, err = c.axes[i].parse(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (a *placeAxis) parse(b []byte) ([]byte, error) {
	var v [3]uint64
	for i, limit := range [...]uint64{maxStride, maxPlaces, maxStride * maxPlaces} {
		var err error
		if v[i], b, err = readUvarint(b, limit); err != nil {
			return nil, err
		}
	}
	a.stride, a.phase = v[0], v[2]
	if a.stride == 0 || v[1] == 0 || a.phase >= a.stride*v[1] {
		return nil, fmt.Errorf("%w: place %d of %d by %d", ErrCorrupt, v[2], v[1], v[0])
	}
	if len(b) == 0 {
		return nil, errShortHeader
	}
	width, b := uint(b[0]), b[1:]
	if width > uint(bits.Len(maxClasses-1)) || width == 0 && v[1] > maxFreePlaces {
		return nil, fmt.Errorf("%w: places of %d bits", ErrCorrupt, width)
	}
	if uint64(len(b)) < (v[1]*uint64(width)+7)/8 {
		return nil, errShortHeader
	}
	a.class = make([]byte, v[1])
	r := bitReader{buf: b}
	for i := range a.class {
		a.class[i] = byte(r.read(width))
	}
	rest, ok := r.close(b)
	if !ok || uint(bits.Len8(slices.Max(a.class))) != width {
		return nil, fmt.Errorf("%w: places of %d bits, or their padding", ErrCorrupt, width)
	}
	return rest, nil
}

func (c *context) parseNeighbour(b []byte) ([]byte, error) {
	lag, b, err := readUvarint(b, maxLag)
	if err != nil {
		return nil, err
	}
	if len(b) < 3 {
		return nil, errShortHeader
	}
	segmented, first, n, b := b[0], b[1], int(b[2]), b[3:]
	switch {
	case segmented > 1, int(first) >= c.classes, n == 0, n >= c.classes:
		return nil, fmt.Errorf("%w: %d thresholds, class %d of %d", ErrCorrupt, n, first, c.classes)
	case lag == 0, segmented == 0 && lag < maxLanes:
		return nil, fmt.Errorf("%w: neighbour %d before", ErrCorrupt, lag)
	case len(b) < n:
		return nil, errShortHeader
	}
	c.lag, c.segmented, c.first, c.thresholds = int(lag), segmented == 1, first, b[:n]
	return b[n:], nil
}

func (c *context) parseSymbol(b []byte) ([]byte, error) {
	n := c.classes - 1
	if len(b) < n {
		return nil, errShortHeader
	}
	c.thresholds = b[:n]
	return b[n:], nil
}

// places fills dst with the classes of the elements from number at of the
// chunk on.
func (c *context) places(dst []byte, at uint64) {
	for i := range c.axes {
		c.axes[i].fill(dst, at, i > 0)
	}
	if len(c.axes) == 1 && c.floor == 0 && int(slices.Max(c.axes[0].class)) < c.classes {
		return
	}
	clampPlaces(dst, c.floor, byte(c.classes-1))
}

// clampPlaces takes floor from the sums in dst, and brings what is below 0 or
// above last to these: eight bytes at a time, all of them below 128.
func clampPlaces(dst []byte, floor, last byte) {
	const top = 0x8080808080808080
	low, high := spread8(uint64(floor)), spread8(uint64(last))
	for ; len(dst) >= 8; dst = dst[8:] {
		v := binary.LittleEndian.Uint64(dst)
		v = (v | top) - low
		v &= keptBytes(v)
		kept := keptBytes((high | top) - v)
		binary.LittleEndian.PutUint64(dst, v&kept|high&^kept)
	}
	for i, v := range dst {
		dst[i] = byte(min(max(int(v)-int(floor), 0), int(last)))
	}
}

// keptBytes gives the lower 7 bits of every byte whose top bit is set.
func keptBytes(v uint64) uint64 {
	v &= 0x8080808080808080
	return v - v>>7
}

// fill sets dst to what stands at the places of the elements from number at
// on, or adds it.
func (a *placeAxis) fill(dst []byte, at uint64, add bool) {
	place := (at + a.phase) % a.period()
	index, run := place/a.stride, a.stride-place%a.stride
	for len(dst) > 0 {
		var n int
		if a.stride == 1 {
			n = min(len(dst), len(a.class)-int(index))
			put(dst[:n], a.class[index:], add)
			index = 0
		} else {
			n = int(min(run, uint64(len(dst))))
			if run = a.stride; add {
				addTo(dst[:n], a.class[index])
			} else {
				fill(dst[:n], a.class[index])
			}
			if index++; index == uint64(len(a.class)) {
				index = 0
			}
		}
		dst = dst[n:]
	}
}

// put copies src to dst, or adds it. No sum reaches 128.
func put(dst, src []byte, add bool) {
	if !add {
		copy(dst, src)
		return
	}
	src = src[:len(dst)]
	for ; len(dst) >= 8 && len(src) >= 8; dst, src = dst[8:], src[8:] {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(dst)+binary.LittleEndian.Uint64(src))
	}
	for i, v := range src {
		dst[i] += v
	}
}

func addTo(dst []byte, v byte) {
	for w := spread8(uint64(v)); len(dst) >= 8; dst = dst[8:] {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(dst)+w)
	}
	for i := range dst {
		dst[i] += v
	}
}

func fill(dst []byte, v byte) {
	for w := spread8(uint64(v)); len(dst) >= 8; dst = dst[8:] {
		binary.LittleEndian.PutUint64(dst, w)
	}
	for i := range dst {
		dst[i] = v
	}
}

// memSize is about the bytes that the context takes.
func (c *context) memSize() int {
	size := 256
	for i := range c.axes {
		size += len(c.axes[i].class)
	}
	return size
}

// classOf gives the class that each symbol makes of the element whose
// neighbour it is. It reports false if the thresholds do not rise.
func (c *context) classOf(key func(symbol int) int) (classes [256]byte, ok bool) {
	last := 0
	for i, t := range c.thresholds {
		k := key(int(t))
		if i > 0 && k <= last {
			return classes, false
		}
		last = k
		for s := range classes {
			if k <= key(s) {
				classes[s]++
			}
		}
	}
	return classes, true
}

// symbolKey gives the order of the symbols of stream k by the values that
// their elements have: with the sign in the symbol, the negative ones first.
func (s *split) symbolKey(k int) func(symbol int) int {
	if s.kind != splitTop || k > 0 {
		return func(symbol int) int { return symbol }
	}
	return func(symbol int) int {
		v := int(s.alpha.value(symbol))
		switch {
		case s.sign != signSymbol:
			return v
		case v&1 == 1:
			return -(v >> 1) - 1
		}
		return v >> 1
	}
}
