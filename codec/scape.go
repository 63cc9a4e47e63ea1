package codec

import "math"

// The method scape: exponent and the top t mantissa bits of a float as one
// symbol, coded by rANS, with t and the sign's place chosen by cost; the other
// bits raw. Each tensor, or run of tensors that are alike, has a model of its
// own. What is not a float, or repeats itself, goes by byte planes.

// run is a part of a chunk that shares a model.
type run struct {
	from, to int     // bytes of the chunk
	shape    []int64 // of the tensor, if it is all of one
	top      measured
	context  *contextChoice // nil: none
	cost     float64        // bits, with the overhead of a model and a block
}

// runOverhead is about the bits that a run of its own adds: the fixed part of
// a model, an entry of the block table, and the lanes' states.
const runOverhead = 8 * 40

// maxRuns leaves room for the models that blocks fall back to.
const maxRuns = MaxModels / 2

func (e *Encoder) encodeScape(data []byte, elem Elem, parts []Part) {
	e.scape = true
	for _, s := range stretches(data, elem, parts, e.level) {
		e.encodeStretch(data[s.from:s.to], elem, s)
	}
}

// encodePlain codes all elements of data.
func (e *Encoder) encodePlain(data []byte, elem Elem, parts []Part) {
	if elem.Exponent == 0 {
		e.encodePlanes(data, elem)
		return
	}
	for _, r := range e.runs(data, elem, e.level.parts(parts, len(data))) {
		e.encodeFloats(data[r.from:r.to], r, elem)
	}
}

// runs cuts a chunk at the tensors' borders wherever tables of their own make
// the parts smaller.
func (e *Encoder) runs(data []byte, elem Elem, parts []Part) []run {
	e.top.init(elem, e.fast())
	var runs []run
	start := 0
	for i := range len(parts) + 1 {
		end := len(data)
		if i < len(parts) {
			end = parts[i].Off
		}
		var part Part
		if i > 0 {
			part = parts[i-1]
		}
		if end <= start || end > len(data) || end%int(elem.Width) != 0 {
			continue
		}
		next := run{from: start, to: end, shape: part.Shape}
		next.set(e.measure(data[start:end], elem))
		if c, ok := e.finder.find(data[start:end], elem, part, next.top.choice, e.level, e.contextBlockLen()); ok {
			c.context.fromChunk((e.at + start) / int(elem.Width))
			next.context = &c
			next.cost = c.cost + runOverhead
		}
		start = end
		if last := len(runs) - 1; last >= 0 && e.join(&runs[last], &next, data, elem, len(e.models)+len(runs) >= maxRuns) {
			continue
		}
		runs = append(runs, next)
	}
	return runs
}

// join makes a longer run of last and next, if neither has contexts and one
// model for both is cheaper, or must do.
func (e *Encoder) join(last, next *run, data []byte, elem Elem, must bool) bool {
	if last.context != nil || next.context != nil {
		return false
	}
	limit := last.cost + next.cost - runOverhead
	if must {
		limit = math.Inf(1)
	}
	if !must && !e.top.mayJoin(&last.top, &next.top, runOverhead) {
		return false
	}
	both := run{from: last.from, to: next.to}
	m := e.top.chooseJoined(&last.top, &next.top, limit, func() *histogram {
		return e.count.count(data[both.from:both.to], int(elem.Width))
	})
	both.set(m)
	if !must && both.cost > limit+runOverhead {
		return false
	}
	*last = both
	return true
}

// set takes what was measured of a run.
func (r *run) set(m measured) {
	if r.top = m; !m.ok {
		r.top.cost = max(float64(8*(r.to-r.from)), m.cost)
	}
	r.cost = r.top.cost + runOverhead
}

func (e *Encoder) encodeFloats(data []byte, r run, elem Elem) {
	e.encodeSmaller(data, e.floatModels(data, r, elem)...)
}

// floatModels gives the models that may code data, a run of floats.
func (e *Encoder) floatModels(data []byte, r run, elem Elem) []*model {
	planes := planesOf(elem)
	if r.top.split.kind != splitTop {
		models := []*model{e.planeModel(data, elem), zstdModel(planes)}
		if columns, ok := e.transposedPlanes(data, elem, r.shape, math.Inf(1)); ok {
			models = append(models, zstdModel(columns))
		}
		return models
	}
	m, bits := e.topModel(data, r, elem)
	models := []*model{m}
	most := bits / 8 / float64(len(data)) * e.level.zstdShare()
	plain := e.planesShare(&planes, data, most)
	columns, transposed := e.transposedPlanes(data, elem, r.shape, min(most, plain))
	if plain < most && !transposed {
		models = append(models, zstdModel(planes))
	}
	if transposed {
		models = append(models, zstdModel(columns))
	}
	return models
}

// topModel gives the model of a run that has a splitTop, and the bits it takes.
func (e *Encoder) topModel(data []byte, r run, elem Elem) (m *model, bits float64) {
	r.top.settle()
	s, blockLen := r.top.split, e.blockLen
	if r.context != nil {
		s, blockLen = r.context.split, e.contextBlockLen()
	}
	m = newModel(s)
	perBlock := min(len(data), blockLen) / int(elem.Width)
	if r.context != nil {
		bits = e.chooseContexts(m, r.context, data, blockLen)
	} else {
		bits = chooseSymbolCoder(&m.streams[0], r.top.freq.bySymbol(&m.split.alpha), perBlock, e.level)
	}
	manyZeros := r.top.freq.manyZeros(len(data) / int(elem.Width))
	return m, bits + e.chooseRest(m, data, perBlock, manyZeros)
}

// chooseRest sets the coders of the streams below the symbols. Mantissa bits
// are noise as a rule, so the bits beside the symbol are packed, unless many
// elements are zero, whose bits are zeros too. Whole bytes are looked at, as
// those of a widened float are all zero.
func (e *Encoder) chooseRest(m *model, data []byte, perBlock int, manyZeros bool) float64 {
	bits := 0.0
	var counts [][256]uint32
	for k := 1; k < len(m.streams); k++ {
		s := &m.streams[k]
		if s.bits < 8 && !manyZeros {
			s.coder = coderBits
			bits += float64(s.bits * m.split.elements(len(data)))
			continue
		}
		if counts == nil {
			counts = e.countStreams(m, data)
		}
		bits += chooseSymbolCoder(s, counts[k][:1<<s.bits], perBlock, e.level)
	}
	return bits
}

// countStreams counts the symbols of the streams but those of a splitTop's first,
// a block at a time so that they stay in the cache.
func (e *Encoder) countStreams(m *model, data []byte) [][256]uint32 {
	counts := make([][256]uint32, len(m.streams))
	for _, n := range blockLens(len(data), e.blockLen, m.split.width) {
		for k, symbols := range e.apart.take(&m.split, data[:n]) {
			if k > 0 || m.split.kind != splitTop {
				countBytes(&counts[k], symbols)
			}
		}
		data = data[n:]
	}
	return counts
}

// encodePlanes codes integers and bytes: every byte plane by rANS, or by zstd
// where that is smaller.
func (e *Encoder) encodePlanes(data []byte, elem Elem) {
	e.encodeSmaller(data, e.planeModels(data, elem)...)
}

func (e *Encoder) planeModels(data []byte, elem Elem) []*model {
	return []*model{e.planeModel(data, elem), zstdModel(planesOf(elem)), zstdModel(split{kind: splitPlain, width: 1})}
}

func (e *Encoder) planeModel(data []byte, elem Elem) *model {
	m := newModel(planesOf(elem))
	counts := e.countStreams(m, data)
	for k := range m.streams {
		chooseSymbolCoder(&m.streams[k], counts[k][:], min(len(data), e.blockLen)/int(elem.Width), e.level)
	}
	return m
}

// encodeSmaller codes data by the model that makes it smallest; the first of
// equals.
func (e *Encoder) encodeSmaller(data []byte, models ...*model) {
	if lens := e.blockLensFor(models[0], len(data)); len(models) == 1 && len(lens) == 1 {
		e.encodeRun(models[0], data, lens[0])
		return
	}
	start := e.mark()
	var best kept
	bestSize := math.MaxInt
	for i, m := range models {
		lens := e.blockLensFor(m, len(data))
		for k, blockLen := range lens {
			e.rewind(start)
			e.encodeRun(m, data, blockLen)
			size := e.size()
			last := i == len(models)-1 && k == len(lens)-1
			switch {
			case size < bestSize && !last:
				best, bestSize = e.keep(start), size
			case size >= bestSize && last:
				e.rewind(start)
				e.restore(best)
			}
		}
	}
}

// mark remembers how far the chunk has come, for rewind.
type mark struct{ models, blocks, payload, stored, at int }

func (e *Encoder) mark() mark {
	return mark{len(e.models), len(e.blocks), len(e.payload), e.stored, e.at}
}

func (e *Encoder) rewind(m mark) {
	e.models, e.blocks, e.payload = e.models[:m.models], e.blocks[:m.blocks], e.payload[:m.payload]
	e.stored, e.at = m.stored, m.at
}
