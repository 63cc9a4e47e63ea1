package codec

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// ransSymbol holds what encoding one symbol takes, with the division by its
// frequency as a multiplication: the upper word of x * reciprocal, which is
// exact as x < 2^32 and the frequency < 2^12.
type ransSymbol struct {
	reciprocal uint64
	limit      uint32 // states from here on are renormalised first
	bias       uint16
	complement uint16 // ransTotal less the frequency
}

// ransEncoder encodes streams by one table after another. It goes backwards
// through the symbols, and so through the words.
type ransEncoder struct {
	symbols [256]ransSymbol
	vector  ransVectorTable

	state [maxLanes]uint32
	words []byte // scratch, filled from its end; see ransPadding
	pos   int    // where the words in it begin
}

// ransPadding is how far below their words the kernels may write. words has
// room for a word a symbol and this, so that wherever a kernel is, what it
// writes is inside.
const ransPadding = 64

func (e *ransEncoder) init(f frequencies) {
	start := uint32(0)
	for s, v := range f {
		if v == 0 {
			e.symbols[s] = ransSymbol{}
			continue
		}
		sym := ransSymbol{limit: uint32(v) << (32 - ransBits), complement: ransTotal - v}
		if v == 1 {
			// 2^64 does not fit: the product is then x-1, which bias makes up for.
			sym.reciprocal, sym.bias = ^uint64(0), uint16(start+ransTotal-1)
		} else {
			sym.reciprocal, sym.bias = ^uint64(0)/uint64(v)+1, uint16(start)
		}
		e.symbols[s] = sym
		start += uint32(v)
	}
	e.vector.init(f)
}

// encode appends the stream of src to dst. Every symbol in src must have a
// frequency.
func (e *ransEncoder) encode(dst, src []byte, lanesLog2 uint) []byte {
	lanes := 1 << lanesLog2
	e.start(len(src), lanes)
	whole := len(src) &^ (maxLanes - 1)
	e.putRest(src[whole:], lanes)
	whole -= ransEncodeVector(e, src[:whole], lanesLog2)
	e.putGroups(src[:whole], lanes)
	return e.finish(dst, lanes)
}

// start makes room for n symbols, and sets the lanes to where they begin.
func (e *ransEncoder) start(n, lanes int) {
	if need := 2*n + ransPadding; len(e.words) < need {
		e.words = make([]byte, need)
	}
	e.pos = len(e.words)
	for i := range e.state[:lanes] {
		e.state[i] = ransLow
	}
}

// finish appends the states and the words to dst.
func (e *ransEncoder) finish(dst []byte, lanes int) []byte {
	for _, x := range e.state[:lanes] {
		dst = binary.LittleEndian.AppendUint32(dst, x)
	}
	return append(dst, e.words[e.pos:]...)
}

// putRest encodes the symbols after the last maxLanes.
func (e *ransEncoder) putRest(src []byte, lanes int) {
	if len(src) == 0 {
		return
	}
	p := unsafe.Pointer(&e.words[e.pos-2])
	for i := len(src) - 1; i >= 0; i-- {
		x := &e.state[i&(lanes-1)&(maxLanes-1)]
		*x, p = ransPut(&e.symbols[src[i]], *x, p)
	}
	e.moveTo(p)
}

// putGroups encodes whole groups of lanes, the last first. words has room for
// a word a symbol, so that no pointer leaves it.
func (e *ransEncoder) putGroups(src []byte, lanes int) {
	if len(src) == 0 {
		return
	}
	symbols := &e.symbols
	p := unsafe.Pointer(&e.words[e.pos-2])
	for ; len(src) > 0; src = src[:len(src)-lanes] {
		in := unsafe.Pointer(&src[len(src)-lanes])
		for l := lanes - 4; l >= 0; l -= 4 {
			x := (*[4]uint32)(unsafe.Add(unsafe.Pointer(&e.state), 4*l))
			s := (*[4]byte)(unsafe.Add(in, l))
			x[3], p = ransPut(&symbols[s[3]], x[3], p)
			x[2], p = ransPut(&symbols[s[2]], x[2], p)
			x[1], p = ransPut(&symbols[s[1]], x[1], p)
			x[0], p = ransPut(&symbols[s[0]], x[0], p)
		}
	}
	e.moveTo(p)
}

// moveTo sets where the words begin: behind p, where the next one would go.
func (e *ransEncoder) moveTo(p unsafe.Pointer) {
	e.pos = int(uintptr(p)-uintptr(unsafe.Pointer(&e.words[0]))) + 2
}

// ransPut takes a lane from its state x to that before the symbol, and leaves
// a word at p if the state has no room for it: without a branch, as that is
// not predictable.
func ransPut(sym *ransSymbol, x uint32, p unsafe.Pointer) (uint32, unsafe.Pointer) {
	binary.LittleEndian.PutUint16((*[2]byte)(p)[:], uint16(x))
	y, next := x>>16, unsafe.Add(p, -2)
	if x >= sym.limit {
		x, p = y, next
	}
	q, _ := bits.Mul64(uint64(x), sym.reciprocal)
	return x + uint32(sym.bias) + uint32(q)*uint32(sym.complement), p
}
