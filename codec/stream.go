package codec

import (
	"fmt"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// coder is how the symbols of one stream are coded. The numbers stand in
// chunk headers (docs/format.md, "Coders").
type coder uint8

const (
	coderStored   coder = 0 // one byte a symbol
	coderConstant coder = 1 // nothing: all symbols are the same
	coderBits     coder = 2 // packed vertically
	coderRANS     coder = 3
	coderZstd     coder = 4 // one zstd frame of one byte a symbol
	coderHuffman  coder = 5
	coderContexts coder = 6 // rANS with frequencies for each class
	coderLZMA     coder = 7 // one LZMA2 stream of one byte a symbol
	coderZstdDict coder = 8 // coderZstd with the dictionary of the profile

	// coderProfile is coderRANS with frequencies of the profile, and only in
	// headers.
	coderProfile coder = 9
)

// stream describes one stream of a model: what its symbols are, and how they
// are coded.
type stream struct {
	bits    int  // width of a symbol, 1 to 8
	symbols int  // a symbol is below it, 1 to 2^bits
	isFirst bool // of its model
	coder   coder

	constant  byte        // coderConstant
	lanesLog2 uint        // coderRANS, coderContexts
	freq      frequencies // coderRANS

	distribution int // coderRANS: 1 + the profile's that freq is of, or 0

	streamsLog2 uint        // coderHuffman
	lengths     codeLengths // coderHuffman
	table       []byte      // freq, lengths or freqs as they stand in the header

	context *context      // coderContexts
	freqs   []frequencies // coderContexts: of each class
	classOf [256]byte     // coderContexts by neighbour or symbol: the class that a symbol makes

	dict *dictionary // coderZstdDict

	kept          bool // more than one block needs the tables below
	lookup        lazy[ransTable]
	huffmanLookup lazy[huffmanTable]
	contextLookup lazy[contextTables]
}

// fixedLen is the coded length of n symbols, if it follows from n.
func (s *stream) fixedLen(n int) (length int, ok bool) {
	switch s.coder {
	case coderStored:
		return n, true
	case coderConstant:
		return 0, true
	case coderBits:
		return packedLen(n, s.bits), true
	}
	return 0, false
}

func (s *stream) marshal(dst []byte) []byte {
	if s.distribution > 0 {
		return append(dst, byte(coderProfile), byte(s.lanesLog2), byte(s.distribution-1))
	}
	dst = append(dst, byte(s.coder))
	switch s.coder {
	case coderConstant:
		dst = append(dst, s.constant)
	case coderRANS:
		dst = append(append(dst, byte(s.lanesLog2)), s.table...)
	case coderHuffman:
		dst = append(append(dst, byte(s.streamsLog2)), s.table...)
	case coderContexts:
		dst = s.context.marshal(append(dst, byte(s.lanesLog2)))
		dst = append(dst, s.table...)
	}
	return dst
}

// parse reads what marshal wrote; bits must be set before. key orders the
// symbols, for contexts. p is the profile at hand, or nil.
func (s *stream) parse(b []byte, key func(symbol int) int, p *Profile) (rest []byte, err error) {
	if len(b) == 0 {
		return nil, errShortHeader
	}
	s.coder, b = coder(b[0]), b[1:]
	switch s.coder {
	case coderStored, coderZstd, coderLZMA:
		return b, nil
	case coderZstdDict:
		if p.DictionaryLen() == 0 {
			return nil, fmt.Errorf("%w: no profile with the dictionary", ErrCorrupt)
		}
		s.dict = p.dict
		return b, nil
	case coderBits:
		if s.bits == 8 {
			return nil, fmt.Errorf("%w: bits of a whole byte", ErrCorrupt)
		}
		return b, nil
	case coderConstant, coderRANS, coderHuffman, coderContexts, coderProfile:
		if len(b) == 0 {
			return nil, errShortHeader
		}
	default:
		return nil, fmt.Errorf("%w: coder number %d", ErrUnsupported, s.coder)
	}
	param, b := b[0], b[1:]
	switch s.coder {
	case coderRANS:
		return s.parseRANS(uint(param), b)
	case coderProfile:
		return s.parseProfiled(uint(param), b, p)
	case coderHuffman:
		return s.parseHuffman(uint(param), b)
	case coderContexts:
		return s.parseContexts(uint(param), b, key)
	}
	s.constant = param
	if int(param) >= s.symbols {
		return nil, fmt.Errorf("%w: constant %d of %d symbols", ErrCorrupt, param, s.symbols)
	}
	return b, nil
}

func (s *stream) parseRANS(lanesLog2 uint, b []byte) (rest []byte, err error) {
	if s.lanesLog2, err = checkLanes(lanesLog2); err != nil {
		return nil, err
	}
	if s.freq, rest, err = s.parseFrequencies(b); err != nil {
		return nil, err
	}
	s.table = b[:len(b)-len(rest)]
	return rest, nil
}

func (s *stream) parseProfiled(lanesLog2 uint, b []byte, p *Profile) (rest []byte, err error) {
	if lanesLog2, err = checkLanes(lanesLog2); err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return nil, errShortHeader
	}
	if i := int(b[0]); i >= p.Distributions() {
		return nil, fmt.Errorf("%w: no profile with distribution %d", ErrCorrupt, i)
	}
	k := 1
	if s.isFirst {
		k = 0
	}
	s.setProfiled(p, k, int(b[0]), lanesLog2)
	return b[1:], s.checkSymbols(len(s.freq))
}

func checkLanes(log2 uint) (uint, error) {
	if log2 < minLanesLog2 || log2 > maxLanesLog2 {
		return 0, fmt.Errorf("%w: 2^%d lanes", ErrCorrupt, log2)
	}
	return log2, nil
}

func (s *stream) parseFrequencies(b []byte) (frequencies, []byte, error) {
	f, rest, err := readFrequencies(b)
	if err == nil {
		err = s.checkSymbols(len(f))
	}
	if err != nil {
		return nil, nil, err
	}
	return f, rest, nil
}

func (s *stream) parseContexts(lanesLog2 uint, b []byte, key func(symbol int) int) (rest []byte, err error) {
	if s.lanesLog2, err = checkLanes(lanesLog2); err != nil {
		return nil, err
	}
	s.context, b, err = parseContext(b)
	if err != nil {
		return nil, err
	}
	if s.context.kind == contextSymbol {
		if s.isFirst {
			return nil, fmt.Errorf("%w: classes of the first stream by itself", ErrCorrupt)
		}
		key = identity
	}
	var ok bool
	if s.classOf, ok = s.context.classOf(key); !ok {
		return nil, fmt.Errorf("%w: thresholds that do not rise", ErrCorrupt)
	}
	rest = b
	for range s.context.classes {
		var f frequencies
		if f, rest, err = s.parseFrequencies(rest); err != nil {
			return nil, err
		}
		s.freqs = append(s.freqs, f)
	}
	s.table = b[:len(b)-len(rest)]
	return rest, nil
}

func (s *stream) parseHuffman(streamsLog2 uint, b []byte) (rest []byte, err error) {
	if streamsLog2 > maxHuffmanStreamsLog2 {
		return nil, fmt.Errorf("%w: 2^%d Huffman streams", ErrCorrupt, streamsLog2)
	}
	s.streamsLog2 = streamsLog2
	if s.lengths, rest, err = readCodeLengths(b); err != nil {
		return nil, err
	}
	s.table = b[:len(b)-len(rest)]
	return rest, s.checkSymbols(len(s.lengths))
}

func (s *stream) checkSymbols(n int) error {
	if n > s.symbols {
		return fmt.Errorf("%w: %d symbols of %d", ErrCorrupt, n, s.symbols)
	}
	return nil
}

// checkBytes refuses symbols that stand for nothing: coders of bytes could give
// any.
func (s *stream) checkBytes(b []byte) error {
	if s.symbols == 256 || len(b) == 0 {
		return nil
	}
	if most := slices.Max(b); int(most) >= s.symbols {
		return fmt.Errorf("%w: symbol %d of %d", ErrCorrupt, most, s.symbols)
	}
	return nil
}

// streamDecoder gives the symbols of one coded stream in turn.
type streamDecoder struct {
	stream  *stream
	src     []byte // what is left, but for coderRANS and coderHuffman
	rans    ransDecoder
	huffman huffmanDecoder
	// The tables of a stream that keeps none.
	ownRANS     *ransTable
	ownHuffman  huffmanTable
	ownContexts contextTables

	tables  contextTables // coderContexts by symbol
	classes [tile]byte    // scratch
	whole   []byte        // scratch for coders that decode all at once
	tile    [tile]byte    // scratch: the symbols read last
}

// init starts on n symbols coded as src, the first of them that of element at
// of the chunk, and asks for what is ahead if that takes long.
func (d *streamDecoder) init(s *stream, n int, at uint64, src []byte, ahead lookahead, tools *decodeTools) (err error) {
	if length, ok := s.fixedLen(n); ok && length != len(src) {
		return fmt.Errorf("%w: stream of %d bytes, expected %d", ErrCorrupt, len(src), length)
	}
	d.stream, d.src = s, src
	switch s.coder {
	case coderConstant:
		fill(d.tile[:min(n, tile)], s.constant)
	case coderRANS:
		return d.rans.init(d.ransTable(s), s.lanesLog2, src)
	case coderHuffman:
		return d.huffman.init(d.huffmanTable(s, n), s.streamsLog2, n, src, ahead)
	case coderStored:
		return s.checkBytes(src)
	case coderZstd:
		err = decodeZstd(tools.zstdDecoder(), d.all(n), src)
	case coderLZMA:
		err = decodeLZMA(d.all(n), src)
	case coderZstdDict:
		err = s.dict.decode(d.all(n), src)
	case coderContexts:
		if s.context.kind == contextSymbol {
			d.tables = s.contextTables(&d.ownContexts)
			return d.rans.init(nil, s.lanesLog2, src)
		}
		return tools.contexts.decode(s, d.all(n), src, at)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	return s.checkBytes(d.src)
}

// ransTable gives the table of s, kept with it if more than one block needs it.
func (d *streamDecoder) ransTable(s *stream) *ransTable {
	if s.kept {
		return s.lookup.get(func() *ransTable { return newRANSTable(s.freq) })
	}
	if d.ownRANS == nil {
		d.ownRANS = new(ransTable)
	}
	d.ownRANS.fill(s.freq)
	return d.ownRANS
}

// huffmanTable is ransTable for coderHuffman, and a block of n symbols.
func (d *streamDecoder) huffmanTable(s *stream, n int) *huffmanTable {
	if s.kept {
		return s.huffmanLookup.get(func() *huffmanTable { return newHuffmanTable(s.lengths) })
	}
	d.ownHuffman.fill(s.lengths, entrySymbolsFor(n))
	return &d.ownHuffman
}

// all gives room for all n symbols, from which read takes them.
func (d *streamDecoder) all(n int) []byte {
	if cap(d.whole) < n {
		d.whole = make([]byte, n)
	}
	d.src = d.whole[:n]
	return d.src
}

// avail is how many of the next n symbols, at most a tile, read can give in
// one piece: n, or a multiple of maxGroup.
func (d *streamDecoder) avail(n int) int {
	if d.stream.coder == coderHuffman {
		return min(n, d.huffman.avail())
	}
	return n
}

// read gives the next n symbols, as many as avail allows: a multiple of
// maxGroup, but for the last call. They are valid until the next. Those of the
// first stream, which classes may go by, are symbols0; ahead is where the elements
// will be written.
func (d *streamDecoder) read(n int, symbols0, ahead []byte) ([]byte, error) {
	dst := d.tile[:n]
	switch d.stream.coder {
	case coderConstant:
		return dst, nil
	case coderBits:
		d.unpack(dst)
		if d.stream.symbols < 1<<d.stream.bits {
			return dst, d.stream.checkBytes(dst)
		}
		return dst, nil
	case coderRANS:
		return dst, d.rans.read(dst, ahead)
	case coderHuffman:
		return d.huffman.read(n), nil
	case coderContexts:
		if d.stream.context.kind == contextSymbol {
			classes := d.classes[:n]
			lookUp(classes, symbols0[:n], &d.stream.classOf, len(d.stream.classOf))
			return dst, d.rans.readClasses(dst, classes, d.tables)
		}
	}
	dst, d.src = d.src[:n], d.src[n:]
	return dst, nil
}

// unpack is read for coderBits.
func (d *streamDecoder) unpack(dst []byte) {
	unpackVertical(dst, d.src, d.stream.bits)
	d.src = d.src[packedLen(len(dst), d.stream.bits):]
}

// close checks that the stream ended with the last symbol read.
func (d *streamDecoder) close() error {
	if s := d.stream; s.coder == coderRANS || s.coder == coderContexts && s.context.kind == contextSymbol {
		return d.rans.close()
	}
	return nil
}

// decodeZstd fills dst with the content of the frame src, which must have
// just that length.
func decodeZstd(z *zstd.Decoder, dst, src []byte) error {
	out, err := z.DecodeAll(src, dst[:0:len(dst)])
	if err != nil {
		return fmt.Errorf("%w: zstd: %w", ErrCorrupt, err)
	}
	if len(out) != len(dst) {
		return fmt.Errorf("%w: zstd frame of %d bytes, expected %d", ErrCorrupt, len(out), len(dst))
	}
	return nil
}
