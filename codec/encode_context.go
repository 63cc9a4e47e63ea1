package codec

// contextEncoder codes streams with classes.
type contextEncoder struct {
	rans    ransEncoder
	of      [maxClasses]ransEncoder
	classes []byte
	coded   []byte
}

// encode appends the symbols of a block that begins at element at of its
// chunk, as contextDecoder.decode finds them.
func (e *contextEncoder) encode(dst []byte, s *stream, symbols []byte, at uint64) []byte {
	for k, f := range s.freqs {
		e.of[k].init(f)
	}
	coded := e.prepare(s, symbols, at)
	return e.rans.encodeClasses(dst, coded, e.classes, e.of[:s.context.classes], s.lanesLog2)
}

// prepare finds the classes of symbols, and puts both into the order in which
// they are coded.
func (e *contextEncoder) prepare(s *stream, symbols []byte, at uint64) (coded []byte) {
	if cap(e.classes) < len(symbols) {
		e.classes, e.coded = make([]byte, len(symbols)), make([]byte, len(symbols))
	}
	e.classes = e.classes[:len(symbols)]
	c := s.context
	switch {
	case c.kind == contextPlace:
		c.places(e.classes, at)
		return symbols
	case c.segmented:
		coded = e.coded[:len(symbols)]
		cut := len(symbols) / vectorLen * vectorLen
		cutSegments(coded, symbols)
		e.byNeighbour(s, e.classes[:cut], coded[:cut], vectorLen*c.lag)
		fill(e.classes[cut:], c.first)
		return coded
	}
	e.byNeighbour(s, e.classes, symbols, c.lag)
	return symbols
}

func (e *contextEncoder) byNeighbour(s *stream, classes, symbols []byte, lag int) {
	for i := range classes {
		if i < lag {
			classes[i] = s.context.first
		} else {
			classes[i] = s.classOf[symbols[i-lag]]
		}
	}
}
