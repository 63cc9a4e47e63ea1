package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// huffmanLanes of package codec, as words: the lanes' windows, and their
// offsets in and out.
const (
	huffmanLanes = 8
	laneWindow   = 0
	laneIn       = 8 * huffmanLanes
	laneOut      = 16 * huffmanLanes
)

// aheadLines is how many lines a step asks for of each part of what is ahead: aheadBytes of
// package codec.
var aheadLines = [2]int{3, 4}

// huffmanKernel holds where a decoder keeps its state. Of eight lanes, the
// windows, the table and three pointers out fill the registers; the other pointers are in
// the frame, where an update is a store that the next look-up loads again.
// That is faster than fewer lanes at a time with all they have in registers:
// a lane's look-ups wait for one another, and the scheduler would fill with
// them.
type huffmanKernel struct {
	window       []GPPhysical
	out          map[int]GPPhysical // of the lanes whose pointer is in a register
	table, index GPPhysical
	frame        Mem
}

func (h *huffmanKernel) inMem(k int) Mem  { return h.frame.Offset(8 * k) }
func (h *huffmanKernel) outMem(k int) Mem { return h.frame.Offset(8 * (huffmanLanes + k)) }
func (h *huffmanKernel) count() Mem       { return h.frame.Offset(8 * 2 * huffmanLanes) }
func (h *huffmanKernel) top() Mem         { return h.frame.Offset(8 * (2*huffmanLanes + 1)) } // 2^63

// ahead is where the lines to ask for begin, of those to be read (0) or written
// (1), and end where they end.
func (h *huffmanKernel) ahead(k int) Mem { return h.frame.Offset(8 * (2*huffmanLanes + 2 + 2*k)) }
func (h *huffmanKernel) end(k int) Mem   { return h.ahead(k).Offset(8) }

// huffmanBMI2 decodes four or eight lanes side by side by a table of 2^index
// entries, with as many look-ups in a step as a window of 56 bits is good for.
func huffmanBMI2(lanes, index, lookups int) {
	name := fmt.Sprintf("huffmanDecode%dx%dBMI2", lanes, index)
	TEXT(name, NOSPLIT, "func(dst, src *byte, table *uint64, lanes *[24]uint64, steps int, ahead *[2][]byte)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s takes the first %d lanes at least one step on, by a table of 2^%d entries. Each step asks for the next lines of both parts of ahead.", name, lanes, index))
	h := huffmanKernel{
		window: []GPPhysical{R8, R9, R10, R11, R12, R13, R14, R15}[:lanes],
		out:    map[int]GPPhysical{5: RBX, 6: RBP, 7: RDX},
		table:  RDI, index: RSI,
		frame: AllocLocal(8 * (2*huffmanLanes + 6)),
	}
	if lanes == 4 {
		h.out = map[int]GPPhysical{0: R12, 1: RBX, 2: RBP, 3: RDX}
	}
	h.load(index)
	Label("step")
	for i := range lookups {
		for k := range h.window {
			h.lookUp(k)
		}
		for k := range aheadLines {
			h.prefetch(k, i)
		}
	}
	for k := range h.window {
		h.refill(k)
	}
	for k := range aheadLines {
		h.advance(k)
	}
	DECQ(h.count())
	JNE(LabelRef("step"))
	h.store()
	RET()
}

// load takes the lanes' state, offsets as pointers.
func (h *huffmanKernel) load(index int) {
	dst, src, lanes := Load(Param("dst"), RDI), Load(Param("src"), RSI), Load(Param("lanes"), RCX)
	for k := range h.window {
		MOVQ(Mem{Base: lanes, Disp: laneIn + 8*k}, RAX)
		ADDQ(src, RAX)
		MOVQ(RAX, h.inMem(k))
		MOVQ(Mem{Base: lanes, Disp: laneOut + 8*k}, RAX)
		ADDQ(dst, RAX)
		MOVQ(RAX, h.outMem(k))
		if r, ok := h.out[k]; ok {
			MOVQ(RAX, r)
		}
		MOVQ(Mem{Base: lanes, Disp: laneWindow + 8*k}, h.window[k])
	}
	ahead := Load(Param("ahead"), RCX)
	for k := range aheadLines {
		MOVQ(Mem{Base: ahead, Disp: 24 * k}, RAX)
		MOVQ(RAX, h.ahead(k))
		ADDQ(Mem{Base: ahead, Disp: 24*k + 8}, RAX)
		MOVQ(RAX, h.end(k))
	}
	Load(Param("steps"), RAX)
	MOVQ(RAX, h.count())
	Load(Param("table"), h.table)
	MOVQ(U32(uint32(index)), h.index)
	MOVQ(U64(1<<63), RAX)
	MOVQ(RAX, h.top())
}

func (h *huffmanKernel) store() {
	for k := range h.window {
		if r, ok := h.out[k]; ok {
			MOVQ(r, h.outMem(k))
		}
	}
	dst, src, lanes := Load(Param("dst"), RDI), Load(Param("src"), RSI), Load(Param("lanes"), RCX)
	for k := range h.window {
		MOVQ(h.inMem(k), RAX)
		SUBQ(src, RAX)
		MOVQ(RAX, Mem{Base: lanes, Disp: laneIn + 8*k})
		MOVQ(h.outMem(k), RAX)
		SUBQ(dst, RAX)
		MOVQ(RAX, Mem{Base: lanes, Disp: laneOut + 8*k})
		MOVQ(h.window[k], Mem{Base: lanes, Disp: laneWindow + 8*k})
	}
}

// lookUp writes the symbols of lane k's next entry, and two bytes below them
// that later ones overwrite.
func (h *huffmanKernel) lookUp(k int) {
	BZHIQ(h.index, h.window[k], RAX)
	MOVQ(Mem{Base: h.table, Index: RAX, Scale: 8}, RAX)
	SHRXQ(RAX, h.window[k], h.window[k])
	if r, ok := h.out[k]; ok {
		MOVQ(RAX, Mem{Base: r, Disp: -8})
		MOVBLZX(AH, ECX)
		SUBQ(RCX, r)
		return
	}
	MOVQ(h.outMem(k), RCX)
	MOVQ(RAX, Mem{Base: RCX, Disp: -8})
	MOVBLZX(AH, ECX)
	SUBQ(RCX, h.outMem(k))
}

// refill reads lane k's window anew from where the zeros above it say.
func (h *huffmanKernel) refill(k int) {
	w := h.window[k]
	LZCNTQ(w, RAX)
	MOVL(EAX, ECX)
	SHRL(Imm(3), ECX)
	ADDQ(h.inMem(k), RCX)
	MOVQ(RCX, h.inMem(k))
	ANDL(Imm(7), EAX)
	MOVQ(Mem{Base: RCX}, w)
	ORQ(h.top(), w)
	SHRXQ(RAX, w, w)
}

// prefetch asks for line i of a step, if it is due, of part k of what is ahead. Not
// for all of them together: there is room for a few on their way.
func (h *huffmanKernel) prefetch(k, i int) {
	if i < aheadLines[k] {
		MOVQ(h.ahead(k), RCX)
		PREFETCHT1(Mem{Base: RCX, Disp: 64 * i})
	}
}

// advance goes on behind the lines of a step, up to the end.
func (h *huffmanKernel) advance(k int) {
	MOVQ(h.ahead(k), RCX)
	ADDQ(U32(uint32(64*aheadLines[k])), RCX)
	CMPQ(RCX, h.end(k))
	CMOVQHI(h.end(k), RCX)
	MOVQ(RCX, h.ahead(k))
}
