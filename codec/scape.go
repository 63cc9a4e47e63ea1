package codec

import (
	"math"

	"github.com/klauspost/compress/zstd"
)

// The method scape: exponent and the top t mantissa bits of a float as one
// symbol, coded by rANS, with t and the sign's place chosen by cost; the other
// bits raw. Each tensor, or run of tensors that are alike, has a model of its
// own. What is not a float, or repeats itself, goes by byte planes.

// run is a part of a chunk that shares a model.
type run struct {
	from, to int     // bytes of the chunk
	shape    []int64 // of the tensor, if it is all of one
	hist     *histogram
	top      choice
	cost     float64 // bits, with the overhead of a model and a block
}

// runOverhead is about the bits that a run of its own adds: the fixed part of
// a model, an entry of the block table, and the lanes' states.
const runOverhead = 8 * 40

// maxRuns leaves room for the models that blocks fall back to.
const maxRuns = MaxModels / 2

func (e *Encoder) encodeScape(data []byte, elem Elem, parts []Part) {
	for _, s := range stretches(data, elem, parts) {
		e.encodeStretch(data[s.from:s.to], elem, s)
	}
}

// encodePlain codes all elements of data.
func (e *Encoder) encodePlain(data []byte, elem Elem, parts []Part) {
	if elem.Exponent == 0 {
		e.encodePlanes(data, elem)
		return
	}
	for _, r := range e.runs(data, elem, parts) {
		e.encodeFloats(data[r.from:r.to], r, elem)
	}
}

// runs cuts a chunk at the tensors' borders wherever tables of their own make
// the parts smaller.
func (e *Encoder) runs(data []byte, elem Elem, parts []Part) []run {
	var runs []run
	start := 0
	for i := range len(parts) + 1 {
		end := len(data)
		if i < len(parts) {
			end = parts[i].Off
		}
		if end <= start || end > len(data) || end%int(elem.Width) != 0 {
			continue
		}
		next := run{from: start, to: end, hist: e.count.count(data[start:end], int(elem.Width))}
		if i > 0 {
			next.shape = parts[i-1].Shape
		}
		next.measure(elem)
		start = end
		if last := len(runs) - 1; last >= 0 {
			both := run{from: runs[last].from, to: end, hist: runs[last].hist.join(next.hist)}
			both.measure(elem)
			if both.cost <= runs[last].cost+next.cost || len(e.models)+len(runs) >= maxRuns {
				runs[last] = both
				continue
			}
		}
		runs = append(runs, next)
	}
	return runs
}

func (r *run) measure(elem Elem) {
	var ok bool
	if r.top, ok = chooseTop(r.hist, elem); !ok {
		r.top.cost = float64(8 * (r.to - r.from))
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
		return e.withTransposed([]*model{e.planeModel(data, elem), zstdModel(planes)}, data, r, elem, math.Inf(1))
	}
	m := newModel(r.top.split)
	perBlock := min(len(data), e.blockLen) / int(elem.Width)
	bits := chooseSymbolCoder(&m.streams[0], r.top.freq.bySymbol(&m.split.alpha), perBlock)
	bits += e.chooseRest(m, data, perBlock)
	models := []*model{m}
	if e.zstdPromises(&planes, data, bits) {
		models = append(models, zstdModel(planes))
	}
	return e.withTransposed(models, data, r, elem, bits)
}

// chooseRest sets the coders of the streams below the symbols. Mantissa bits
// are noise as a rule, so the bits beside the symbol are packed; whole bytes
// are looked at, as those of a widened float are all zero.
func (e *Encoder) chooseRest(m *model, data []byte, perBlock int) float64 {
	bits := 0.0
	var streams [][]byte
	for k := 1; k < len(m.streams); k++ {
		s := &m.streams[k]
		if s.bits < 8 {
			s.coder = coderBits
			bits += float64(s.bits * m.split.elements(len(data)))
			continue
		}
		if streams == nil {
			streams = e.apart.take(&m.split, data)
		}
		bits += chooseSymbolCoder(s, countBytes(streams[k]), perBlock)
	}
	return bits
}

func countBytes(b []byte) []uint32 {
	counts := make([]uint32, 256)
	for _, v := range b {
		counts[v]++
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
	streams := e.apart.take(&m.split, data)
	for k := range m.streams {
		chooseSymbolCoder(&m.streams[k], countBytes(streams[k]), min(len(data), e.blockLen)/int(elem.Width))
	}
	return m
}

// encodeSmaller codes data by the model that makes it smallest; the first of
// equals.
func (e *Encoder) encodeSmaller(data []byte, models ...*model) {
	if len(models) == 1 {
		e.encodeRun(models[0], data, e.blockLen)
		return
	}
	start := e.mark()
	var best *model
	bestSize, bestLen := 0, 0
	for _, m := range models {
		for _, blockLen := range e.blockLensFor(m, len(data)) {
			e.encodeRun(m, data, blockLen)
			if size := e.size(); best == nil || size < bestSize {
				best, bestSize, bestLen = m, size, blockLen
			}
			e.rewind(start)
		}
	}
	e.encodeRun(best, data, bestLen)
}

// mark remembers how far the chunk has come, for rewind.
type mark struct{ models, blocks, payload, stored int }

func (e *Encoder) mark() mark {
	return mark{len(e.models), len(e.blocks), len(e.payload), e.stored}
}

func (e *Encoder) rewind(m mark) {
	e.models, e.blocks, e.payload, e.stored = e.models[:m.models], e.blocks[:m.blocks], e.payload[:m.payload], m.stored
}

// sampleLen is how much of a run is tried before zstd codes all of it.
const sampleLen = 32 << 10

// zstdPromises tells by a sample whether zstd on a run's planes may beat what
// the other model takes.
func (e *Encoder) zstdPromises(planes *split, data []byte, bits float64) bool {
	return e.sampleSize(planes, sampleOf(data, planes.width, sampleLen)) < bits/8/float64(len(data))
}

// sampleSize gives the share of its size that a quick zstd makes of a sample's
// streams.
func (e *Encoder) sampleSize(s *split, sample []byte) float64 {
	if e.trial == nil {
		e.trial = newZstdEncoder(zstd.SpeedDefault)
	}
	size := 0
	for _, stream := range e.apart.take(s, sample) {
		e.parts = e.trial.EncodeAll(stream, e.parts[:0])
		size += len(e.parts)
	}
	return float64(size) / float64(len(sample))
}
