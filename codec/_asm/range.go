package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// rangeUnitsAVX2 finds the largest magnitude of 16-bit units, the least, and
// the least above zero.
func rangeUnitsAVX2() {
	TEXT("rangeUnitsAVX2", NOSPLIT, "func(units *byte, groups int, out *[3][16]uint16)")
	Pragma("noescape")
	Doc("rangeUnitsAVX2 takes the range of magnitudes in out, per lane, on by groups of 64 units: the largest,",
		"the least, and the least less one, with zero as the largest of all.")
	units := Load(Param("units"), GP64())
	groups := Load(Param("groups"), GP64())
	out := Load(Param("out"), GP64())

	mask, ones := YMM(), YMM()
	VPCMPEQW(ones, ones, ones)
	VPSRLW(Imm(1), ones, mask)
	most, least, above := YMM(), YMM(), YMM()
	all := []VecVirtual{most, least, above}
	for k, v := range all {
		VMOVDQU(Mem{Base: out, Disp: 32 * k}, v)
	}
	Label("loop")
	TESTQ(groups, groups)
	JE(LabelRef("end"))
	for h := range 4 {
		m, below := YMM(), YMM()
		VPAND(Mem{Base: units, Disp: 32 * h}, mask, m)
		VPADDW(ones, m, below)
		VPMAXUW(m, most, most)
		VPMINUW(m, least, least)
		VPMINUW(below, above, above)
	}
	ADDQ(U32(128), units)
	DECQ(groups)
	JMP(LabelRef("loop"))
	Label("end")
	for k, v := range all {
		VMOVDQU(v, Mem{Base: out, Disp: 32 * k})
	}
	VZEROUPPER()
	RET()
}
