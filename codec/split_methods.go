package codec

// The methods of the field: sign and exponent of a 16-bit float as one symbol,
// the mantissa apart, and the same coder for both. One model serves a chunk.

// splitMethod says which elements such a method takes apart, and how it codes
// the streams.
type splitMethod struct {
	elem Elem
	code splitCoding
}

type splitCoding uint8

const (
	codeRANS     splitCoding = iota // frequencies fitted to the chunk
	codeContexts                    // those of the mantissa for each class of sign and exponent
	codeZstd
	codeLZMA
)

var splitMethods = map[Method]splitMethod{
	BF16Split:       {BF16, codeRANS},
	BF16SplitCtx:    {BF16, codeContexts},
	BF16SplitZstd19: {BF16, codeZstd},
	BF16SplitXZ9:    {BF16, codeLZMA},
	FP16Split:       {F16, codeRANS},
	FP16SplitCtx:    {F16, codeContexts},
	FP16SplitZstd19: {F16, codeZstd},
	FP16SplitXZ9:    {F16, codeLZMA},
}

// splitValueBits are the bits of sign and exponent of bf16.
const splitValueBits = 9

// lzmaBlockLen bounds a block by LZMA, which decodes slowly: a longer one makes
// no weights smaller.
const lzmaBlockLen = 1 << 20

// encodeSplit codes data by a splitMethod. What is of another type is left to
// zstd.
func (e *Encoder) encodeSplit(how splitMethod, data []byte, elem Elem) {
	if elem != how.elem {
		e.encodeRun(zstdModel(split{kind: splitPlain, width: 1}), data, MaxBlockLen)
		return
	}
	c, ok := e.countSplit(data, elem)
	if !ok {
		e.encodeRun(storedModel(), data, e.blockLen)
		return
	}
	switch how.code {
	case codeRANS:
		e.encodeRun(c.fitted(), data, e.blockLen)
	case codeContexts:
		e.encodeRun(c.withContexts(), data, e.blockLen)
	case codeZstd:
		e.encodeSplitBy(coderZstd, c, data, MaxBlockLen)
	case codeLZMA:
		e.encodeSplitBy(coderLZMA, c, data, min(MaxBlockLen, max(e.blockLen, lzmaBlockLen)))
	}
}

// encodeSplitBy codes all streams by one coder, or the mantissas without any
// where that is smaller: as a rule they are noise.
func (e *Encoder) encodeSplitBy(by coder, c splitCounts, data []byte, blockLen int) {
	all := newModel(c.split)
	for k := range all.streams {
		all.streams[k].coder = by
	}
	symbols := newModel(c.split)
	symbols.streams[0].coder = by
	for k := range symbols.streams[1:] {
		if s := &symbols.streams[k+1]; s.bits < 8 {
			s.coder = coderBits
		}
	}
	start := e.mark()
	e.encodeRun(symbols, data, blockLen)
	without, size := e.keep(start), e.size()
	e.rewind(start)
	e.encodeRun(all, data, blockLen)
	if e.size() > size {
		e.rewind(start)
		e.restore(without)
	}
}

// splitCounts counts the elements of a chunk as a splitMethod takes them apart.
type splitCounts struct {
	split     split
	perBlock  int      // elements
	symbols   []uint32 // of sign and exponent
	mantissas []uint32
	unit      *histogram
}

// countSplit counts data; false if its signs and exponents are more than an
// alphabet holds.
func (e *Encoder) countSplit(data []byte, elem Elem) (c splitCounts, ok bool) {
	c.split = split{kind: splitTop, width: 2, raw: int(elem.Mantissa), sign: signSymbol}
	c.unit = e.count.count(data, 2)
	v := c.unit.fold(signSymbol, c.split.raw)
	if c.split.alpha, ok = newAlphabet(v.present(), 1<<c.split.valueBits()); !ok {
		return c, false
	}
	c.perBlock = min(len(data), e.blockLen) / 2
	c.symbols, c.mantissas = v.bySymbol(&c.split.alpha), c.unit.mantissas(c.split.raw)
	return c, true
}

// fitted gives the model whose frequencies are those of the chunk.
func (c *splitCounts) fitted() *model {
	m := newModel(c.split)
	chooseSymbolCoder(&m.streams[0], c.symbols, c.perBlock, Balanced)
	for k := range m.streams[1:] {
		chooseSymbolCoder(&m.streams[k+1], c.split.mantissaPart(k+1, c.mantissas), c.perBlock, Balanced)
	}
	return m
}

// mantissaPart counts the symbols of stream k by the mantissas that hold them:
// the upper ones above whole bytes, or the lowest 8 bits.
func (s *split) mantissaPart(k int, mantissas []uint32) []uint32 {
	if s.raw < 8 {
		return mantissas
	}
	shift, bits := 8, s.raw-8
	if k == len(s.streamBits())-1 {
		shift, bits = 0, 8
	}
	counts := make([]uint32, 1<<bits)
	for v, c := range mantissas {
		counts[v>>shift&(1<<bits-1)] += c
	}
	return counts
}
