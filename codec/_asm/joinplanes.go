package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// joinPlanesAVX2 puts the two bytes of elements side by side.
func joinPlanesAVX2() {
	TEXT("joinPlanesAVX2", NOSPLIT, "func(dst, low, high *byte, groups int)")
	Pragma("noescape")
	Doc("joinPlanesAVX2 joins groups of 32 elements of two bytes.")
	dst := Load(Param("dst"), GP64())
	low := Load(Param("low"), GP64())
	high := Load(Param("high"), GP64())
	groups := Load(Param("groups"), GP64())
	eachGroup(groups, func() {
		for h := range 2 {
			words := joinWords(low, high, 16*h)
			VMOVDQU(words, Mem{Base: dst, Disp: 32 * h})
		}
		ADDQ(Imm(32), low)
		ADDQ(Imm(32), high)
		ADDQ(Imm(64), dst)
	})
}

// joinWords gives 16 words of the bytes at disp of low and high.
func joinWords(low, high Register, disp int) VecVirtual {
	l, h := YMM(), YMM()
	VPMOVZXBW(Mem{Base: low, Disp: disp}, l)
	VPMOVZXBW(Mem{Base: high, Disp: disp}, h)
	VPSLLW(Imm(8), h, h)
	VPOR(h, l, l)
	return l
}

// joinWideAVX2 puts the upper half and the two bytes below it of elements of
// four bytes side by side.
func joinWideAVX2() {
	TEXT("joinWideAVX2", NOSPLIT, "func(dst, low, high, units *byte, groups int)")
	Pragma("noescape")
	Doc("joinWideAVX2 joins groups of 32 elements of four bytes: of the lowest, the next, and the upper two in units.")
	dst := Load(Param("dst"), GP64())
	low := Load(Param("low"), GP64())
	high := Load(Param("high"), GP64())
	units := Load(Param("units"), GP64())
	groups := Load(Param("groups"), GP64())
	eachGroup(groups, func() {
		for h := range 2 {
			words, u, a, b := joinWords(low, high, 16*h), YMM(), YMM(), YMM()
			VMOVDQU(Mem{Base: units, Disp: 32 * h}, u)
			VPUNPCKLWD(u, words, a)
			VPUNPCKHWD(u, words, b)
			VPERM2I128(Imm(0x20), b, a, u)
			VPERM2I128(Imm(0x31), b, a, words)
			VMOVDQU(u, Mem{Base: dst, Disp: 64 * h})
			VMOVDQU(words, Mem{Base: dst, Disp: 64*h + 32})
		}
		ADDQ(Imm(32), low)
		ADDQ(Imm(32), high)
		ADDQ(Imm(64), units)
		ADDQ(U32(128), dst)
	})
}
