package main

import (
	"sync"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const lanes = 64

// ransArgs are the registers that both rANS decoders take their arguments in.
type ransArgs struct {
	dst, groups, state, table, words, limit Register
	classes                                 Register // nil: one table for all
}

func ransStart(name, doc string, classes bool) ransArgs {
	signature := "func(dst *byte, groups int, state *[64]uint32, table *[4096]uint32, words, limit *byte) (done, taken int)"
	if classes {
		signature = "func(dst *byte, groups int, state *[64]uint32, table *uint32, words, limit, classes *byte) (done, taken int)"
	}
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	Doc(doc)
	a := ransArgs{
		dst: Load(Param("dst"), GP64()), groups: Load(Param("groups"), GP64()),
		state: Load(Param("state"), GP64()), table: Load(Param("table"), GP64()),
		words: Load(Param("words"), GP64()), limit: Load(Param("limit"), GP64()),
	}
	if classes {
		a.classes = Load(Param("classes"), GP64())
	}
	return a
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

func ransAVX2(classes bool) {
	name, doc := "ransDecodeAVX2", "ransDecodeAVX2 decodes groups of 64 symbols until groups are done or words passes limit, behind which 128 bytes are readable."
	if classes {
		name, doc = "ransDecodeClassesAVX2", "ransDecodeClassesAVX2 is ransDecodeAVX2 with a table for each class, and the class of each symbol."
	}
	a := ransStart(name, doc, classes)
	order, sel := ransOrder(), selectWords()

	selBase := GP64()
	LEAQ(sel, selBase)
	start, left := GP64(), GP64()
	MOVQ(a.words, start)
	MOVQ(a.groups, left)
	// By hand, as the allocator would reach for the registers that AVX2 lacks.
	x := [8]VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7}
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
	for half := range 2 {
		for q, pair := range []VecPhysical{Y10, Y11} {
			ransVectorAVX2(a, x[4*half+2*q], pair, selBase, 32*half+16*q)
			ransVectorAVX2(a, x[4*half+2*q+1], Y12, selBase, 32*half+16*q+8)
			VPACKUSDW(Y12, pair, pair)
		}
		VPACKUSWB(Y11, Y10, Y10)
		VMOVDQU(order, Y12)
		VPERMD(Y10, Y12, Y10)
		VMOVDQU(Y10, Mem{Base: a.dst, Disp: 32 * half})
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

// advance goes on to the next group.
func (a *ransArgs) advance() {
	ADDQ(Imm(lanes), a.dst)
	if a.classes != nil {
		ADDQ(Imm(lanes), a.classes)
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

func ransAVX512(classes bool) {
	name, doc := "ransDecodeAVX512", "ransDecodeAVX512 is ransDecodeAVX2 with vectors of 512 bits."
	if classes {
		name, doc = "ransDecodeClassesAVX512", "ransDecodeClassesAVX512 is ransDecodeClassesAVX2 with vectors of 512 bits."
	}
	a := ransStart(name, doc, classes)
	start, left := GP64(), GP64()
	MOVQ(a.words, start)
	MOVQ(a.groups, left)
	var x [4]VecVirtual
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
