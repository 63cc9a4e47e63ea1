package codec

// contextEncoder codes streams with classes.
type contextEncoder struct {
	rans    ransEncoder
	of      [maxClasses]ransEncoder
	classes []byte
	coded   []byte
}

// encode appends the symbols of a block that begins at element at of its
// chunk, as contextDecoder.decode finds them. The block's first stream is
// symbols0.
func (e *contextEncoder) encode(dst []byte, s *stream, symbols, symbols0 []byte, at uint64) []byte {
	for k, f := range s.freqs {
		e.of[k].init(f)
	}
	coded := symbols
	if s.context.kind == contextSymbol {
		e.room(len(symbols))
		lookUp(e.classes, symbols0, &s.classOf, len(s.classOf))
	} else {
		coded = e.prepare(s, symbols, at)
	}
	return e.rans.encodeClasses(dst, coded, e.classes, e.of[:s.context.classes], s.lanesLog2)
}

// prepare finds the classes of symbols, and puts both into the order in which
// they are coded.
func (e *contextEncoder) prepare(s *stream, symbols []byte, at uint64) (coded []byte) {
	e.room(len(symbols))
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

// room makes classes those of n symbols.
func (e *contextEncoder) room(n int) {
	if cap(e.classes) < n {
		e.classes, e.coded = make([]byte, n), make([]byte, n)
	}
	e.classes = e.classes[:n]
}

func (e *contextEncoder) byNeighbour(s *stream, classes, symbols []byte, lag int) {
	known := min(lag, len(classes)) // those before lag have no neighbour
	fill(classes[:known], s.context.first)
	lookUp(classes[known:], symbols[:len(symbols)-known], &s.classOf, len(s.classOf))
}

// contextBlockLen is how long a block of a run with contexts may be: each
// begins without neighbours.
const contextBlockLen = 512 << 10

func (e *Encoder) contextBlockLen() int { return max(e.blockLen, contextBlockLen) }

// chooseContexts sets the coder of the symbols of m, and gives what they take
// in bits.
func (e *Encoder) chooseContexts(m *model, c *contextChoice, data []byte, blockLen int) (cost float64) {
	s := &m.streams[0]
	s.coder, s.context = coderContexts, &c.context
	s.classOf, _ = s.context.classOf(m.split.symbolKey(0))
	counts := make([][256]uint32, c.context.classes)
	e.apart.setRank(&m.split)
	at, blocks := e.at, blockLens(len(data), blockLen, m.split.width)
	for _, n := range blocks {
		symbols := e.apart.take(&m.split, data[:n])[0]
		coded := e.contexts.prepare(s, symbols, uint64(m.split.elements(at)))
		for i, class := range e.contexts.classes {
			counts[class][coded[i]]++
		}
		data, at = data[n:], at+n
	}
	for k := range counts {
		f, table, bits := chooseFrequencies(atLeastTwo(counts[k][:]))
		s.freqs = append(s.freqs, f)
		s.table = append(s.table, table...)
		cost += bits
	}
	return cost + s.setLanes(cost, float64(len(blocks)), e.level)
}

// atLeastTwo trims counts to the symbols that occur, and has two of them
// occur, as a frequency table needs.
func atLeastTwo(counts []uint32) []uint32 {
	for i := 0; used(counts) < 2; i++ {
		counts[i] = max(counts[i], 1)
	}
	last := len(counts)
	for counts[last-1] == 0 {
		last--
	}
	return counts[:last]
}

func used(counts []uint32) (n int) {
	for _, c := range counts {
		if c > 0 {
			n++
		}
	}
	return n
}
