package codec

import (
	"fmt"

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
	coderContexts coder = 6 // rANS with frequencies for each class
)

// stream describes one stream of a model: what its symbols are, and how they
// are coded.
type stream struct {
	bits  int // width of a symbol, 1 to 8
	coder coder

	constant  byte        // coderConstant
	lanesLog2 uint        // coderRANS, coderContexts
	freq      frequencies // coderRANS
	table     []byte      // coderRANS: freq as it stands in the header; coderContexts: all freqs

	context *context      // coderContexts
	freqs   []frequencies // coderContexts: of each class
	classOf [256]byte     // coderContexts by neighbour: the class that a symbol makes

	lookup        lazy[ransTable]
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
	dst = append(dst, byte(s.coder))
	switch s.coder {
	case coderConstant:
		dst = append(dst, s.constant)
	case coderRANS:
		dst = append(append(dst, byte(s.lanesLog2)), s.table...)
	case coderContexts:
		dst = s.context.marshal(append(dst, byte(s.lanesLog2)))
		dst = append(dst, s.table...)
	}
	return dst
}

// parse reads what marshal wrote; bits must be set before. key orders the
// symbols, for contexts.
func (s *stream) parse(b []byte, key func(symbol int) int) (rest []byte, err error) {
	if len(b) == 0 {
		return nil, errShortHeader
	}
	s.coder, b = coder(b[0]), b[1:]
	switch s.coder {
	case coderStored, coderZstd:
		return b, nil
	case coderBits:
		if s.bits == 8 {
			return nil, fmt.Errorf("%w: bits of a whole byte", ErrCorrupt)
		}
		return b, nil
	case coderConstant, coderRANS, coderContexts:
		if len(b) == 0 {
			return nil, errShortHeader
		}
	default:
		return nil, fmt.Errorf("%w: coder number %d", ErrUnsupported, s.coder)
	}
	param, b := b[0], b[1:]
	if s.coder == coderConstant {
		s.constant = param
		if param>>s.bits != 0 {
			return nil, fmt.Errorf("%w: constant of more than %d bits", ErrCorrupt, s.bits)
		}
		return b, nil
	}
	s.lanesLog2 = uint(param)
	if s.lanesLog2 < minLanesLog2 || s.lanesLog2 > maxLanesLog2 {
		return nil, fmt.Errorf("%w: 2^%d lanes", ErrCorrupt, param)
	}
	if s.coder == coderContexts {
		return s.parseContexts(b, key)
	}
	s.freq, rest, err = s.parseFrequencies(b)
	s.table = b[:len(b)-len(rest)]
	return rest, err
}

func (s *stream) parseFrequencies(b []byte) (frequencies, []byte, error) {
	f, rest, err := readFrequencies(b)
	if err == nil && len(f) > 1<<s.bits {
		return nil, nil, fmt.Errorf("%w: %d symbols of %d bits", ErrCorrupt, len(f), s.bits)
	}
	return f, rest, err
}

func (s *stream) parseContexts(b []byte, key func(symbol int) int) (rest []byte, err error) {
	s.context, b, err = parseContext(b)
	if err != nil {
		return nil, err
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

// streamDecoder gives the symbols of one coded stream in turn.
type streamDecoder struct {
	stream *stream
	src    []byte // what is left, but for coderRANS
	rans   ransDecoder
	whole  []byte // scratch for coders that decode all at once
}

// init starts on n symbols coded as src, the first of them that of element at
// of the chunk.
func (d *streamDecoder) init(s *stream, n int, at uint64, src []byte, tools *decodeTools) (err error) {
	if length, ok := s.fixedLen(n); ok && length != len(src) {
		return fmt.Errorf("%w: stream of %d bytes, expected %d", ErrCorrupt, len(src), length)
	}
	d.stream, d.src = s, src
	switch s.coder {
	case coderRANS:
		return d.rans.init(s.lookup.get(func() *ransTable { return newRANSTable(s.freq) }), s.lanesLog2, src)
	case coderZstd:
		return decodeZstd(tools.zstdDecoder(), d.all(n), src)
	case coderContexts:
		return tools.contexts.decode(s, d.all(n), src, at)
	}
	return nil
}

// all gives room for all n symbols, from which read takes them.
func (d *streamDecoder) all(n int) []byte {
	if cap(d.whole) < n {
		d.whole = make([]byte, n)
	}
	d.src = d.whole[:n]
	return d.src
}

// read gives the next len(dst) symbols: a multiple of maxGroup, but for the
// last call.
func (d *streamDecoder) read(dst []byte) error {
	switch d.stream.coder {
	case coderConstant:
		for i := range dst {
			dst[i] = d.stream.constant
		}
	case coderBits:
		unpackVertical(dst, d.src, d.stream.bits)
		d.src = d.src[packedLen(len(dst), d.stream.bits):]
	case coderRANS:
		return d.rans.read(dst)
	default:
		copy(dst, d.src)
		d.src = d.src[len(dst):]
	}
	return nil
}

// close checks that the stream ended with the last symbol read.
func (d *streamDecoder) close() error {
	if d.stream.coder == coderRANS {
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
