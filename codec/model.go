package codec

// model is how blocks are coded: a split, and a coder for each of its streams.
type model struct {
	split   split
	streams []stream

	merge lazy[merger]
}

func newModel(s split) *model {
	m := &model{split: s}
	widths := s.streamBits()
	m.streams = make([]stream, len(widths))
	for i, w := range widths {
		m.streams[i].bits = w
	}
	return m
}

func (m *model) merger() *merger {
	return m.merge.get(func() *merger { return newMerger(&m.split) })
}

// packedRaw tells whether elements are 16 bits whose raw ones are all in stream
// 1, packed, and that a kernel may merge as they are.
func (m *model) packedRaw() bool {
	return m.split.kind == splitTop && m.split.width == 2 && m.split.raw < 8 && m.split.raw > 0 &&
		m.streams[1].coder == coderBits && m.merger().swar
}

func (m *model) marshal(dst []byte) []byte {
	dst = m.split.marshal(dst)
	for i := range m.streams {
		dst = m.streams[i].marshal(dst)
	}
	return dst
}

func parseModel(b []byte) (*model, []byte, error) {
	s, b, err := parseSplit(b)
	if err != nil {
		return nil, nil, err
	}
	m := newModel(s)
	for i := range m.streams {
		if b, err = m.streams[i].parse(b, s.symbolKey(i)); err != nil {
			return nil, nil, err
		}
	}
	return m, b, nil
}

// memSize is about the bytes that the model takes with its tables made.
func (m *model) memSize() int {
	size := 512
	if m.split.kind == splitTop {
		size += 2048
	}
	for i := range m.streams {
		switch s := &m.streams[i]; s.coder {
		case coderRANS:
			size += 4*ransTotal + 1024
		case coderContexts:
			size += s.context.classes*(4*ransTotal+1024) + s.context.memSize()
		case coderHuffman:
			size += 8<<max(shortIndex, s.lengths.longest()) + 512
		}
	}
	return size
}
