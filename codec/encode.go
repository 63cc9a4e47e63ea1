package codec

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/xxh3"
)

// DefaultBlockLen is how many original bytes a block holds by default: see
// docs/format.md, "Why these sizes".
const DefaultBlockLen = 256 << 10

// Encoder codes chunks by one method. It holds scratch memory, and serves one
// goroutine at a time.
type Encoder struct {
	method   Method
	level    Level
	blockLen int
	profile  *Profile // what method needs of one, or nil

	// The chunk being coded.
	models  []*model
	blocks  []Block
	payload []byte
	header  []byte
	scape   bool // no other method
	stored  int  // the model that stores bytes as they are, or -1
	at      int  // how many of its bytes are coded

	apart    apart
	count    counter
	top      topChooser
	rans     ransEncoder
	huffman  huffmanEncoder
	contexts contextEncoder
	finder   contextFinder
	zstd     *zstd.Encoder
	zstdDict *zstd.Encoder // by the dictionary of profile
	repeats  repeats
	trial    *zstd.Encoder
	trialled []byte
	selected []byte // what a selection leaves of a block
}

// NewEncoder gives an Encoder for m; blockLen 0 means DefaultBlockLen.
func NewEncoder(m Method, blockLen int) *Encoder {
	if blockLen <= 0 {
		blockLen = DefaultBlockLen
	}
	return &Encoder{method: m, blockLen: min(blockLen, MaxBlockLen)}
}

// SetLevel sets how the method scape weighs size against speed; an Encoder
// begins with Balanced.
func (e *Encoder) SetLevel(l Level) { e.level = l }

func (e *Encoder) fast() bool { return e.level == Fast }

// Part is what one tensor has of a chunk, up to the next part.
type Part struct {
	Off   int     // its first byte in the chunk
	Shape []int64 // of the whole tensor in elements, row-major; nil if not known
	Skip  int64   // elements of the tensor that lie before the chunk

	// What the part may be coded as a reference to, where it has equal bytes: a
	// stretch of the original as long as the part. Without RefData, nothing.
	Ref     Reference
	RefData []byte
}

// Encode codes data, 1 to MaxChunkLen bytes of elements elem. parts, their
// offsets rising and within data, tell the tensors apart; an Encoder may give
// each a model of its own. The result is valid until the next call.
func (e *Encoder) Encode(data []byte, elem Elem, parts []Part) (Encoded, error) {
	if len(data) == 0 || len(data) > MaxChunkLen {
		return Encoded{}, fmt.Errorf("encode: chunk of %d bytes", len(data))
	}
	if !validWidth(int(elem.Width)) || len(data)%int(elem.Width) != 0 {
		elem, parts = Bytes, nil
	}
	method := e.method
	if method == Auto {
		method = Scape
	}
	e.reset()
	switch method {
	case Scape:
		e.encodeScape(data, elem, parts)
	case BF16SplitPretrained, BF16SplitMixture, Zstd19Dict:
		if err := e.encodeProfiled(method, data, elem); err != nil {
			return Encoded{}, fmt.Errorf("encode: %w", err)
		}
	default:
		if !e.encodePlainly(method, data, elem) {
			return Encoded{}, fmt.Errorf("encode: %w: %v", ErrUnsupported, method)
		}
	}
	if e.method == Auto {
		method = e.settle(data, elem)
	}
	return Encoded{Method: method, Header: e.marshal(method), Payload: e.payload, Refers: e.refers()}, nil
}

// encodePlainly codes data by a method that looks at the chunk as a whole. It
// reports false if m is none.
func (e *Encoder) encodePlainly(m Method, data []byte, elem Elem) bool {
	e.scape = false
	switch m {
	case Raw:
		e.encodeRun(storedModel(), data, e.blockLen)
	case Zstd19:
		e.encodeRun(zstdModel(split{kind: splitPlain, width: 1}), data, MaxBlockLen)
	case Zstd19ByteGrouped:
		e.encodeRun(zstdModel(planesOf(elem)), data, MaxBlockLen)
	default:
		how, ok := splitMethods[m]
		if ok {
			e.encodeSplit(how, data, elem)
		}
		return ok
	}
	return true
}

// refers tells whether a model fills from a reference.
func (e *Encoder) refers() bool {
	return slices.ContainsFunc(e.models, func(m *model) bool { return m.sel != nil && m.sel.fill == fillReference })
}

func (e *Encoder) reset() {
	e.models, e.blocks, e.payload, e.stored, e.at = e.models[:0], e.blocks[:0], e.payload[:0], -1, 0
}

// size is what the chunk takes so far, header included.
func (e *Encoder) size() int { return len(e.marshal(e.method)) + len(e.payload) }

func (e *Encoder) marshal(method Method) []byte {
	e.header = appendHeader(e.header[:0], method, e.models, e.blocks)
	return e.header
}

// appendHeader appends the header that ParseChunk reads.
func appendHeader(h []byte, method Method, models []*model, blocks []Block) []byte {
	h = append(h, byte(method))
	h = binary.AppendUvarint(h, uint64(len(models)))
	h = binary.AppendUvarint(h, uint64(len(blocks)))
	for _, m := range models {
		h = m.marshal(h)
	}
	for i := range blocks {
		h = blocks[i].marshal(h)
	}
	return h
}

func storedModel() *model { return newModel(split{kind: splitPlain, width: 1}) }

// stores tells whether m leaves bytes as they are.
func (m *model) stores() bool {
	return m.split.kind == splitPlain && m.streams[0].coder == coderStored
}

func zstdModel(s split) *model {
	m := newModel(s)
	for i := range m.streams {
		m.streams[i].coder = coderZstd
	}
	return m
}

func planesOf(elem Elem) split {
	if elem.Width == 1 {
		return split{kind: splitPlain, width: 1}
	}
	return split{kind: splitPlanes, width: int(elem.Width)}
}

// encodeRun codes data by one model, in blocks of about equal length of at
// most blockLen, or stores it where the model does not pay for itself.
func (e *Encoder) encodeRun(m *model, data []byte, blockLen int) {
	if m.sel != nil {
		e.encodeSelected(m, data)
		return
	}
	start := e.mark()
	e.models = append(e.models, m)
	index := len(e.models) - 1
	used := false
	rest := data
	for _, n := range blockLens(len(data), blockLen, m.split.width) {
		used = e.encodeBlock(index, rest[:n]) || used
		rest = rest[n:]
	}
	switch {
	case !used:
		e.dropModel(index)
	case !m.stores() && len(e.payload)-start.payload+len(m.marshal(nil)) > len(data):
		e.rewind(start)
		e.encodeRun(storedModel(), data, e.blockLen)
	}
}

// dropModel removes a model that no block came to use; only the one that
// stores bytes can stand behind it.
func (e *Encoder) dropModel(index int) {
	e.models = append(e.models[:index], e.models[index+1:]...)
	if e.stored > index {
		e.stored--
	}
	for i := range e.blocks {
		if e.blocks[i].model > index {
			e.blocks[i].model--
		}
	}
}

// blockLens cuts n bytes into blocks of at most limit, whole elements and,
// where there is more than one, whole groups of vectors.
func blockLens(n, limit, width int) []int {
	align := width * maxGroup
	limit = max(limit/align*align, align)
	count := (n + limit - 1) / limit
	size := (n/count + align - 1) / align * align
	var lens []int
	for ; n > size; n -= size {
		lens = append(lens, size)
	}
	return append(lens, n)
}

// encodeBlock appends one block, stored as it is if the model makes it no
// smaller. It reports whether the model was used.
func (e *Encoder) encodeBlock(index int, data []byte) bool {
	at := len(e.payload)
	m := e.models[index]
	if m.stores() {
		e.payload = append(e.payload, data...)
		e.stored = index
	} else if e.payload = e.appendBlock(e.payload, m, data, e.at); len(e.payload)-at >= len(data) {
		e.payload = append(e.payload[:at], data...)
		if e.stored < 0 {
			e.models = append(e.models, storedModel())
			e.stored = len(e.models) - 1
		}
		index = e.stored
	}
	e.appendEntry(index, data, at)
	return e.models[index] == m
}

// appendEntry appends the entry of a block whose coded bytes begin at byte at
// of the payload.
func (e *Encoder) appendEntry(index int, data []byte, at int) {
	b := Block{Len: len(data), StoredLen: len(e.payload) - at, Sum: xxh3.Hash(data), model: index}
	e.blocks = append(e.blocks, b)
	e.at += len(data)
}

// appendBlock appends the coded streams of data, which begins at byte at of
// the chunk, as Decoder.start finds them.
func (e *Encoder) appendBlock(dst []byte, m *model, data []byte, at int) []byte {
	first := uint64(m.split.elements(at))
	e.apart.setRank(&m.split)
	streams := e.apart.take(&m.split, data)
	start := len(dst)
	var lengths []byte
	last, length := -1, 0
	for k := range m.streams {
		from := len(dst)
		dst = e.appendStream(dst, &m.streams[k], streams[k], streams[0], first)
		if _, fixed := m.streams[k].fixedLen(0); fixed {
			continue
		}
		if last >= 0 {
			lengths = binary.AppendUvarint(lengths, uint64(length))
		}
		last, length = k, len(dst)-from
	}
	if lengths == nil {
		return dst
	}
	return slices.Insert(dst, start, lengths...)
}

// appendStream appends a stream of a block whose first stream, which classes may
// go by, is symbols0.
func (e *Encoder) appendStream(dst []byte, s *stream, symbols, symbols0 []byte, first uint64) []byte {
	switch s.coder {
	case coderConstant:
		return dst
	case coderBits:
		return packVertical(dst, symbols, s.bits)
	case coderRANS:
		e.rans.init(s.freq)
		return e.rans.encode(dst, symbols, s.lanesLog2)
	case coderContexts:
		return e.contexts.encode(dst, s, symbols, symbols0, first)
	case coderHuffman:
		e.huffman.init(s.lengths)
		return e.huffman.encode(dst, symbols, s.streamsLog2)
	case coderZstd:
		return e.zstdEncoder().EncodeAll(symbols, dst)
	case coderLZMA:
		return appendLZMA(dst, symbols)
	case coderZstdDict:
		return e.dictEncoder().EncodeAll(symbols, dst)
	}
	return append(dst, symbols...)
}

// zstdEncoder is the strongest for the methods that are named after it, and for
// scape at the level Small: it takes several times as long as the other, which makes
// what repeats itself larger by a few thousandths.
func (e *Encoder) zstdEncoder() *zstd.Encoder {
	if e.scape && e.level != Small {
		return e.trialEncoder()
	}
	return encoderAt(&e.zstd, zstd.SpeedBestCompression)
}

// trialEncoder is a quick one, for samples and where speed counts.
func (e *Encoder) trialEncoder() *zstd.Encoder { return encoderAt(&e.trial, zstd.SpeedDefault) }

// encoderAt gives the encoder at z, made when it is first asked for.
func encoderAt(z **zstd.Encoder, level zstd.EncoderLevel) *zstd.Encoder {
	if *z == nil {
		*z = newZstdEncoder(level)
	}
	return *z
}

func newZstdEncoder(level zstd.EncoderLevel, more ...zstd.EOption) *zstd.Encoder {
	options := append([]zstd.EOption{zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), zstd.WithWindowSize(MaxBlockLen)}, more...)
	z, err := zstd.NewWriter(nil, options...)
	if err != nil {
		panic(err) // the options are constants, and valid
	}
	return z
}
