package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// ransTableAVX2 fills a table that rANS is decoded by: eight slots at a time,
// of which those beyond a symbol's are the next one's.
func ransTableAVX2() {
	TEXT("ransTableAVX2", NOSPLIT, "func(table *[4096]uint32, freq *uint16, symbols int) (done, filled int)")
	Pragma("noescape")
	Doc("ransTableAVX2 fills the slots of symbols until they are done, or those of one may reach beyond the table.")
	table := Load(Param("table"), GP64())
	freq := Load(Param("freq"), GP64())
	symbols := Load(Param("symbols"), GP64())
	slots, step := ransSlots()
	done, filled := GP64(), GP64()
	XORQ(done, done)
	XORQ(filled, filled)

	Label("symbol")
	CMPQ(done, symbols)
	JE(LabelRef("end"))
	f, at, last, e := GP64(), GP64(), GP64(), GP64()
	MOVWLZX(Mem{Base: freq, Index: done, Scale: 2}, f.As32())
	MOVQ(filled, at)
	LEAQ(Mem{Base: filled, Index: f, Scale: 1}, last)
	entries := YMM()
	MOVQ(done, e)
	SHLQ(Imm(24), e)
	ORQ(f, e)
	VMOVD(e.As32(), entries.AsX())
	VPBROADCASTD(entries.AsX(), entries)
	VPADDD(slots, entries, entries)

	Label("slots")
	CMPQ(at, last)
	JGE(LabelRef("next"))
	CMPQ(at, U32(4096-8))
	JG(LabelRef("end"))
	VMOVDQU(entries, Mem{Base: table, Index: at, Scale: 4})
	VPADDD(step, entries, entries)
	ADDQ(Imm(8), at)
	JMP(LabelRef("slots"))

	Label("next")
	MOVQ(last, filled)
	INCQ(done)
	JMP(LabelRef("symbol"))

	Label("end")
	VZEROUPPER()
	Store(done, ReturnIndex(0))
	Store(filled, ReturnIndex(1))
	RET()
}

// ransSlots gives what the entries of a symbol's first eight slots have above
// the first one's, and what the next eight have above these.
func ransSlots() (slots, step VecVirtual) {
	m := GLOBL("ransSlots", 16|8)
	for i := range 8 {
		DATA(4*i, U32(uint32(i)<<12))
	}
	slots, step = YMM(), YMM()
	VMOVDQU(m, slots)
	VPCMPEQD(step, step, step)
	VPSRLD(Imm(31), step, step)
	VPSLLD(Imm(15), step, step)
	return slots, step
}
