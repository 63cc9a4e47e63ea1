package codec

import (
	"fmt"
	"unsafe"
)

// model is how blocks are coded: a split, and a coder for each of its streams;
// of all elements, or of those that a selection leaves.
type model struct {
	sel     *selection // or nil
	placed  bool       // while parsing: a block of sel's run was seen
	used    bool       // while parsing: a block was seen
	split   split
	streams []stream

	merge lazy[merger]
}

func newModel(s split) *model {
	m := &model{split: s}
	widths := s.streamBits()
	m.streams = make([]stream, len(widths))
	for i, w := range widths {
		m.streams[i].bits, m.streams[i].symbols, m.streams[i].isFirst = w, 1<<w, i == 0
	}
	if s.kind == splitTop {
		m.streams[0].symbols = min(1<<widths[0], s.alpha.symbols())
	}
	return m
}

// useOnce counts a block of the model: tables that serve one alone are made
// anew when it is read, in the decoder's memory, rather than kept.
func (m *model) useOnce() {
	for i := range m.streams {
		m.streams[i].kept = m.used
	}
	m.used = true
}

// keepNothing has tables made anew for each block.
func (m *model) keepNothing() {
	for i := range m.streams {
		m.streams[i].kept = false
	}
}

func (m *model) merger() *merger {
	return m.merge.get(func() *merger { return newMerger(&m.split) })
}

// packedRaw tells whether elements are 16 bits whose raw ones are all in stream
// 1, packed, and that a kernel may merge as they are.
func (m *model) packedRaw() bool {
	return m.split.kind == splitTop && m.split.width == 2 && m.split.raw < 8 && m.split.raw > 0 &&
		m.streams[1].coder == coderBits && m.merger().joins && m.merger().joining.packed
}

func (m *model) marshal(dst []byte) []byte {
	if m.sel != nil {
		dst = m.sel.marshal(dst)
	}
	dst = m.split.marshal(dst)
	for i := range m.streams {
		dst = m.streams[i].marshal(dst)
	}
	return dst
}

// parseModel reads what marshal wrote; p is the profile at hand, or nil.
func parseModel(b []byte, p *Profile) (m *model, rest []byte, err error) {
	var sel *selection
	if len(b) > 0 && splitKind(b[0]) == splitSelect {
		if sel, b, err = parseSelection(b[1:]); err != nil {
			return nil, nil, err
		}
	}
	s, b, err := parseSplit(b, p)
	if err != nil {
		return nil, nil, err
	}
	m = newModel(s)
	m.sel = sel
	if sel != nil && s.width > sel.width {
		return nil, nil, fmt.Errorf("%w: elements of %d bytes of a selection of %d", ErrCorrupt, s.width, sel.width)
	}
	for i := range m.streams {
		if b, err = m.streams[i].parse(b, s.symbolKey(i), p); err != nil {
			return nil, nil, err
		}
	}
	return m, b, nil
}

// width is how many bytes a block has a multiple of.
func (m *model) width() int {
	if m.sel != nil {
		return m.sel.width
	}
	return m.split.width
}

// memSize is about the bytes that the model takes with its tables made.
func (m *model) memSize() int {
	size := int(unsafe.Sizeof(*m)) + len(m.streams)*int(unsafe.Sizeof(stream{}))
	if m.sel != nil {
		size += 128 + len(m.sel.coded)
	}
	if m.split.kind == splitTop {
		size += 2048
	}
	for i := range m.streams {
		size += m.streams[i].memSize()
	}
	return size
}

// memSize is about the bytes that the stream's parameters take, and the tables
// that are kept.
func (s *stream) memSize() (size int) {
	switch s.coder {
	case coderRANS:
		size = 1024
	case coderContexts:
		size = s.context.classes*1024 + s.context.memSize()
	case coderHuffman:
		size = 512
	}
	if !s.kept {
		return size
	}
	switch s.coder {
	case coderRANS:
		size += 4 * ransTotal
	case coderContexts:
		size += s.context.classes * 4 * ransTotal
	case coderHuffman:
		size += 8 << max(shortIndex, s.lengths.longest())
	}
	return size
}
