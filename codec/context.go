package codec

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// context tells the symbols of a stream apart into classes, each with
// frequencies of its own (docs/format.md, "Contexts"): by the place of an
// element in its tensor, for rows or columns that differ in scale; or by an
// element before it, for filters and embeddings whose neighbours are alike.
type context struct {
	kind    contextKind
	classes int // 2 to maxClasses

	// contextPlace: element i of the chunk has the class of
	// (i+phase)/stride mod len(class).
	stride, phase uint64
	class         []byte

	// contextNeighbour: the symbol lag elements before gives the class. In a
	// segmented stream the block is cut into vectorLen segments that are coded
	// side by side, so that the symbol is known when it is needed.
	lag        int
	segmented  bool
	first      byte   // class of those that have no such neighbour
	thresholds []byte // symbols; a class counts those that are not above the neighbour
}

type contextKind uint8

const (
	contextPlace     contextKind = 0
	contextNeighbour contextKind = 1
)

const (
	maxClasses = 16
	maxPlaces  = 1 << 20 // places that have a class of their own
	maxStride  = 1 << 40 // elements
	maxLag     = MaxBlockLen
)

// classBits is the width of a class in the list of classes.
func (c *context) classBits() uint { return uint(bits.Len(uint(c.classes - 1))) }

// fromChunk makes a context for elements that begin at element first of a
// chunk from one that counts them from 0.
func (c *context) fromChunk(first int) {
	if c.kind == contextPlace {
		whole := c.stride * uint64(len(c.class))
		c.phase = (c.phase + whole - uint64(first)%whole) % whole
	}
}

func (c *context) marshal(dst []byte) []byte {
	dst = append(dst, byte(c.kind), byte(c.classes))
	if c.kind == contextNeighbour {
		dst = binary.AppendUvarint(dst, uint64(c.lag))
		segmented := byte(0)
		if c.segmented {
			segmented = 1
		}
		dst = append(dst, segmented, c.first, byte(len(c.thresholds)))
		return append(dst, c.thresholds...)
	}
	dst = binary.AppendUvarint(dst, c.stride)
	dst = binary.AppendUvarint(dst, uint64(len(c.class)))
	dst = binary.AppendUvarint(dst, c.phase)
	w := bitWriter{buf: dst}
	for _, v := range c.class {
		w.write(uint32(v), c.classBits())
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
	default:
		err = fmt.Errorf("%w: context kind %d", ErrUnsupported, c.kind)
	}
	if err != nil {
		return nil, nil, err
	}
	return c, rest, nil
}

func (c *context) parsePlaces(b []byte) ([]byte, error) {
	var v [3]uint64
	for i, limit := range [...]uint64{maxStride, maxPlaces, maxStride * maxPlaces} {
		var err error
		if v[i], b, err = readUvarint(b, limit); err != nil {
			return nil, err
		}
	}
	c.stride, c.phase = v[0], v[2]
	if c.stride == 0 || v[1] == 0 || c.phase >= c.stride*v[1] {
		return nil, fmt.Errorf("%w: place %d of %d by %d", ErrCorrupt, v[2], v[1], v[0])
	}
	if uint64(len(b)) < (v[1]*uint64(c.classBits())+7)/8 {
		return nil, errShortHeader
	}
	c.class = make([]byte, v[1])
	r := bitReader{buf: b}
	for i := range c.class {
		if c.class[i] = byte(r.read(c.classBits())); int(c.class[i]) >= c.classes {
			return nil, fmt.Errorf("%w: class %d of %d", ErrCorrupt, c.class[i], c.classes)
		}
	}
	rest, ok := r.close()
	if !ok {
		return nil, fmt.Errorf("%w: padding of the classes", ErrCorrupt)
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

// places fills dst with the classes of the elements from number at of the
// chunk on.
func (c *context) places(dst []byte, at uint64) {
	place := (at + c.phase) % (c.stride * uint64(len(c.class)))
	index, run := place/c.stride, c.stride-place%c.stride
	if c.stride == 1 {
		for len(dst) > 0 {
			n := copy(dst, c.class[index:])
			dst, index = dst[n:], 0
		}
		return
	}
	for len(dst) > 0 {
		n := int(min(run, uint64(len(dst))))
		fill(dst[:n], c.class[index])
		dst, run = dst[n:], c.stride
		if index++; index == uint64(len(c.class)) {
			index = 0
		}
	}
}

func fill(dst []byte, v byte) {
	for i := range dst {
		dst[i] = v
	}
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
