package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// scalar generates a kernel that keeps 4 or 8 states in registers: so few lanes
// do not hide what it takes to go from vectors to look-ups and back.
func (k ransKernel) scalar() {
	a := k.start("BMI2")
	// What is needed once a group is in memory: the states need the registers.
	last, left, state := AllocLocal(8), AllocLocal(8), AllocLocal(8)
	MOVQ(a.groups, left)
	MOVQ(a.state, state)
	SUBQ(a.words, a.limit)
	SARQ(Imm(1), a.limit)
	MOVQ(a.limit, last)
	taken := GP64() // in words
	XORQ(taken, taken)
	x := make([]GPVirtual, k.lanes)
	for i := range x {
		x[i] = GP64()
	}
	for i := range x {
		// The register of the states' address is one of theirs in the end.
		at := GP64()
		MOVQ(state, at)
		MOVL(Mem{Base: at, Disp: 4 * i}, x[i].As32())
	}

	Label("loop")
	CMPQ(taken, last)
	JG(LabelRef("end"))
	CMPQ(left, Imm(0))
	JE(LabelRef("end"))
	for i := range x {
		ransLane(a, x[i], taken, i)
	}
	a.advance()
	DECQ(left)
	JMP(LabelRef("loop"))

	Label("end")
	SHLQ(Imm(1), taken)
	Store(taken, ReturnIndex(1))
	at := GP64()
	MOVQ(state, at)
	for i := range x {
		MOVL(x[i].As32(), Mem{Base: at, Disp: 4 * i})
	}
	groups := Load(Param("groups"), GP64())
	SUBQ(left, groups)
	Store(groups, ReturnIndex(0))
	RET()
}

// ransLane takes lane number at, of state x, a symbol on.
func ransLane(a ransArgs, x, taken Register, at int) {
	e, t := GP64(), GP64()
	x32, e32, t32 := x.(GP).As32(), e.As32(), t.As32()
	MOVL(x32, e32)
	ANDL(U32(0xfff), e32)
	if a.classes != nil {
		MOVBLZX(Mem{Base: a.classes, Disp: at}, t32)
		SHLL(Imm(12), t32)
		ORL(t32, e32)
	}
	MOVL(Mem{Base: a.table, Index: e, Scale: 4}, e32)
	MOVL(e32, t32)
	ANDL(U32(0xfff), t32)
	SHRL(Imm(12), x32)
	IMULL(t32, x32)
	MOVL(e32, t32)
	SHRL(Imm(24), t32)
	MOVB(t.As8(), Mem{Base: a.dst, Disp: at})
	SHRL(Imm(12), e32)
	ANDL(U32(0xfff), e32)
	ADDL(e32, x32)
	// A state that is too low takes a word, without a branch.
	MOVWLZX(Mem{Base: a.words, Index: taken, Scale: 2}, t32)
	MOVL(x32, e32)
	SHLL(Imm(16), e32)
	ORL(t32, e32)
	CMPL(x32, U32(1<<16))
	CMOVLCS(e32, x32)
	ADCQ(Imm(0), taken)
}
