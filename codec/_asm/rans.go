package main

import (
	"fmt"
	"sync"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// ransArgs are the registers that both rANS decoders take their arguments in.
type ransArgs struct {
	dst, groups, state, table, words, limit Register
	classes                                 Register // nil: one table for all
	ahead                                   Register // nil: nothing to ask for
	lanes                                   int
}

// ransKernel describes a decoder to generate.
type ransKernel struct {
	lanes   int
	classes bool
}

// start begins the function of a kernel for that instruction set.
func (k ransKernel) start(set string) ransArgs {
	name := fmt.Sprintf("ransDecode%d%s", k.lanes, set)
	doc := fmt.Sprintf("%s decodes groups of %d symbols until groups are done or words passes limit, behind which %d bytes are readable. Meanwhile it may ask for the lines from ahead on, two bytes a symbol.", name, k.lanes, 2*k.lanes)
	signature := "func(dst *byte, groups int, state *[64]uint32, table *[4096]uint32, words, limit, ahead *byte) (done, taken int)"
	if k.classes {
		plain := name
		name = fmt.Sprintf("ransDecodeClasses%d%s", k.lanes, set)
		doc = fmt.Sprintf("%s is %s with a table for each class, the class of each symbol, and nothing ahead.", name, plain)
		signature = "func(dst *byte, groups int, state *[64]uint32, table *uint32, words, limit, classes *byte) (done, taken int)"
	}
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(doc)
	a := ransArgs{
		lanes: k.lanes,
		dst:   Load(Param("dst"), GP64()), groups: Load(Param("groups"), GP64()),
		state: Load(Param("state"), GP64()), table: Load(Param("table"), GP64()),
		words: Load(Param("words"), GP64()), limit: Load(Param("limit"), GP64()),
	}
	switch {
	case k.classes:
		a.classes = Load(Param("classes"), GP64())
	case k.lanes >= 16:
		a.ahead = Load(Param("ahead"), GP64())
	}
	return a
}

// ransWordsAhead is how far ahead of the words decoded their lines are asked for, in
// bytes: far enough to come from memory in time.
const ransWordsAhead = 512

// prefetch asks for what later groups read, and for where the elements of
// this one will be written to, a line for 32 of them.
func (a *ransArgs) prefetch() {
	PREFETCHT0(Mem{Base: a.words, Disp: ransWordsAhead})
	if a.ahead == nil {
		return
	}
	for at := 0; at < 2*a.lanes; at += 64 {
		PREFETCHT0(Mem{Base: a.ahead, Disp: at})
	}
	ADDQ(U32(uint32(2*a.lanes)), a.ahead)
}

// loadEntries builds a vector of four table entries from the slots in slots.
func loadEntries(table, slots, out Register) {
	a, b, low := GP64(), GP64(), GP64()
	VMOVQ(slots, a)
	VPEXTRQ(Imm(1), slots, b)
	MOVL(a.As32(), low.As32())
	SHRQ(Imm(32), a)
	VMOVD(Mem{Base: table, Index: low, Scale: 4}, out)
	VPINSRD(Imm(1), Mem{Base: table, Index: a, Scale: 4}, out, out)
	MOVL(b.As32(), low.As32())
	SHRQ(Imm(32), b)
	VPINSRD(Imm(2), Mem{Base: table, Index: low, Scale: 4}, out, out)
	VPINSRD(Imm(3), Mem{Base: table, Index: b, Scale: 4}, out, out)
}

// selectWords[mask] lists, for the set bits of mask in turn, which of the next
// words each lane takes.
var selectWords = sync.OnceValue(func() Mem {
	m := GLOBL("selectWords", 16|8)
	for mask := range 256 {
		var v uint64
		for lane, next := 0, uint64(0); lane < 8; lane++ {
			if mask>>lane&1 == 1 {
				v |= next << (8 * lane)
				next++
			}
		}
		DATA(8*mask, U64(v))
	}
	return m
})

// ransOrder undoes how packing interleaves the halves of two vectors.
var ransOrder = sync.OnceValue(func() Mem {
	m := GLOBL("ransOrder", 16|8)
	for i, v := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
		DATA(4*i, U32(v))
	}
	return m
})

// avx2 generates a kernel for 16 lanes or more.
func (k ransKernel) avx2() {
	a := k.start("AVX2")
	sel := selectWords()
	selBase := GP64()
	LEAQ(sel, selBase)
	start, left := GP64(), GP64()
	MOVQ(a.words, start)
	MOVQ(a.groups, left)
	// By hand, as the allocator would reach for the registers that AVX2 lacks.
	x := []VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7}[:k.lanes/8]
	mask, zero := Y8, Y9
	for i := range x {
		VMOVDQU(Mem{Base: a.state, Disp: 32 * i}, x[i])
	}
	VPCMPEQD(mask, mask, mask)
	VPSRLD(Imm(20), mask, mask)
	VPXOR(zero, zero, zero)

	Label("loop")
	CMPQ(a.words, a.limit)
	JA(LabelRef("end"))
	TESTQ(left, left)
	JE(LabelRef("end"))
	a.prefetch()
	for at := 0; at < len(x); at += 4 {
		ransSymbolsAVX2(a, x[at:min(at+4, len(x))], selBase, 8*at)
	}
	a.advance()
	DECQ(left)
	JMP(LabelRef("loop"))

	Label("end")
	for i := range x {
		VMOVDQU(x[i], Mem{Base: a.state, Disp: 32 * i})
	}
	ransReturn(a, left, start)
}

// ransSymbolsAVX2 takes the lanes of two or four vectors, the first of
// them number at, a symbol on, and stores the symbols.
func ransSymbolsAVX2(a ransArgs, x []VecPhysical, sel Register, at int) {
	dst := Mem{Base: a.dst, Disp: at}
	ransVectorAVX2(a, x[0], Y10, sel, at)
	ransVectorAVX2(a, x[1], Y12, sel, at+8)
	VPACKUSDW(Y12, Y10, Y10)
	if len(x) == 2 {
		VPERMQ(Imm(0xd8), Y10, Y10)
		VEXTRACTI128(Imm(1), Y10, X12)
		VPACKUSWB(X12, X10, X10)
		VMOVDQU(X10, dst)
		return
	}
	ransVectorAVX2(a, x[2], Y11, sel, at+16)
	ransVectorAVX2(a, x[3], Y12, sel, at+24)
	VPACKUSDW(Y12, Y11, Y11)
	VPACKUSWB(Y11, Y10, Y10)
	VMOVDQU(ransOrder(), Y12)
	VPERMD(Y10, Y12, Y10)
	VMOVDQU(Y10, dst)
}

// advance goes on to the next group.
func (a *ransArgs) advance() {
	ADDQ(Imm(uint64(a.lanes)), a.dst)
	if a.classes != nil {
		ADDQ(Imm(uint64(a.lanes)), a.classes)
	}
}

// ransVectorAVX2 takes the eight lanes of x, the first of them number at, a
// symbol on, and puts their symbols into e as 32-bit words. Y8 holds the mask
// of a slot, Y9 zero.
func ransVectorAVX2(a ransArgs, x, e VecPhysical, sel Register, at int) {
	mask, zero, t, need, words := Y8, Y9, Y13, Y14, Y15
	VPAND(mask, x, t)
	if a.classes != nil {
		VPMOVZXBD(Mem{Base: a.classes, Disp: at}, words)
		VPSLLD(Imm(12), words, words)
		VPOR(words, t, t)
	}
	VEXTRACTI128(Imm(1), t, need.AsX())
	loadEntries(a.table, t.AsX(), e.AsX())
	loadEntries(a.table, need.AsX(), need.AsX())
	VINSERTI128(Imm(1), need.AsX(), e, e)

	VPAND(mask, e, t)
	VPSRLD(Imm(12), x, x)
	VPMULLD(t, x, x)
	VPSRLD(Imm(12), e, t)
	VPAND(mask, t, t)
	VPADDD(t, x, x)
	VPSRLD(Imm(24), e, e)

	VPSRLD(Imm(16), x, need)
	VPCMPEQD(zero, need, need)
	bits := GP64()
	VMOVMSKPS(need, bits.As32())
	VPMOVZXWD(Mem{Base: a.words}, words)
	VPMOVZXBD(Mem{Base: sel, Index: bits, Scale: 8}, t)
	VPERMD(words, t, words)
	VPSLLD(Imm(16), x, t)
	VPOR(t, words, words)
	VPBLENDVB(need, words, x, x)
	POPCNTL(bits.As32(), bits.As32())
	LEAQ(Mem{Base: a.words, Index: bits, Scale: 2}, a.words)
}

// avx512 generates a kernel for 16 lanes or more.
func (k ransKernel) avx512() {
	a := k.start("AVX512")
	start, left := GP64(), GP64()
	MOVQ(a.words, start)
	MOVQ(a.groups, left)
	x := make([]VecVirtual, k.lanes/16)
	for i := range x {
		x[i] = ZMM()
		VMOVDQU32(Mem{Base: a.state, Disp: 64 * i}, x[i])
	}
	mask, low := ZMM(), ZMM()
	VPTERNLOGD(Imm(0xff), mask, mask, mask)
	VPSRLD(Imm(20), mask, mask)
	VPTERNLOGD(Imm(0xff), low, low, low)
	VPSRLD(Imm(16), low, low)

	Label("loop")
	CMPQ(a.words, a.limit)
	JA(LabelRef("end"))
	TESTQ(left, left)
	JE(LabelRef("end"))
	a.prefetch()
	for i := range x {
		ransVectorAVX512(a, x[i], mask, low, 16*i)
	}
	a.advance()
	DECQ(left)
	JMP(LabelRef("loop"))

	Label("end")
	for i := range x {
		VMOVDQU32(x[i], Mem{Base: a.state, Disp: 64 * i})
	}
	ransReturn(a, left, start)
}

func ransVectorAVX512(a ransArgs, x, mask, low VecVirtual, at int) {
	slots, e := ZMM(), ZMM()
	VPANDD(mask, x, slots)
	if a.classes != nil {
		c := ZMM()
		VPMOVZXBD(Mem{Base: a.classes, Disp: at}, c)
		VPSLLD(Imm(12), c, c)
		VPORD(c, slots, slots)
	}
	loadEntries(a.table, slots.AsX(), e.AsX())
	for q := uint64(1); q < 4; q++ {
		part := XMM()
		VEXTRACTI32X4(Imm(q), slots, part)
		loadEntries(a.table, part, part)
		VINSERTI32X4(Imm(q), part, e, e)
	}
	f, b := ZMM(), ZMM()
	VPANDD(mask, e, f)
	VPSRLD(Imm(12), x, x)
	VPMULLD(f, x, x)
	VPSRLD(Imm(12), e, b)
	VPANDD(mask, b, b)
	VPADDD(b, x, x)
	VPSRLD(Imm(24), e, e)
	VPMOVDB(e, Mem{Base: a.dst, Disp: at})

	need, bits, words := K(), GP64(), ZMM()
	VPCMPUD(Imm(2), low, x, need) // x <= 0xffff
	VPMOVZXWD(Mem{Base: a.words}, words)
	VPEXPANDD_Z(words, need, words)
	VPSLLD(Imm(16), x, need, x)
	VPORD(words, x, x)
	KMOVW(need, bits.As32())
	POPCNTL(bits.As32(), bits.As32())
	LEAQ(Mem{Base: a.words, Index: bits, Scale: 2}, a.words)
}

func ransReturn(a ransArgs, left, start Register) {
	VZEROUPPER()
	SUBQ(left, a.groups)
	Store(a.groups, ReturnIndex(0))
	SUBQ(start, a.words)
	Store(a.words, ReturnIndex(1))
	RET()
}
