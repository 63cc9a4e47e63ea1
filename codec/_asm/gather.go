package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// gatherOrder puts the halves of vectors that packing left crosswise in order.
func gatherOrder() Mem {
	m := GLOBL("gatherOrder", 16|8)
	for i, v := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
		DATA(4*i, U32(v))
	}
	return m
}

// gatherPlaneAVX2 takes the first byte of each of 32 words of 32 bits.
func gatherPlaneAVX2() {
	TEXT("gatherPlane4AVX2", NOSPLIT, "func(dst, src *byte, groups int)")
	Pragma("noescape")
	Doc("gatherPlane4AVX2 takes the first byte of every four, in groups of 32.")
	dst := Load(Param("dst"), GP64())
	src := Load(Param("src"), GP64())
	groups := Load(Param("groups"), GP64())
	mask, order := YMM(), YMM()
	VPCMPEQD(mask, mask, mask)
	VPSRLD(Imm(24), mask, mask)
	VMOVDQU(gatherOrder(), order)

	eachGroup(groups, func() {
		a, b, c, d := YMM(), YMM(), YMM(), YMM()
		VPAND(Mem{Base: src}, mask, a)
		VPAND(Mem{Base: src, Disp: 32}, mask, b)
		VPAND(Mem{Base: src, Disp: 64}, mask, c)
		VPAND(Mem{Base: src, Disp: 96}, mask, d)
		VPACKUSDW(b, a, a)
		VPACKUSDW(d, c, c)
		VPACKUSWB(c, a, a)
		VPERMD(a, order, a)
		VMOVDQU(a, Mem{Base: dst})
		ADDQ(U32(128), src)
		ADDQ(Imm(32), dst)
	})
}

// gatherUnitsAVX2 takes the upper halves of 16 words of 32 bits.
func gatherUnitsAVX2() {
	TEXT("gatherUnits4AVX2", NOSPLIT, "func(dst, src *byte, groups int)")
	Pragma("noescape")
	Doc("gatherUnits4AVX2 takes the upper two bytes of every four, in groups of 32.")
	dst := Load(Param("dst"), GP64())
	src := Load(Param("src"), GP64())
	groups := Load(Param("groups"), GP64())

	eachGroup(groups, func() {
		for h := range 2 {
			a, b := YMM(), YMM()
			VMOVDQU(Mem{Base: src, Disp: 64 * h}, a)
			VMOVDQU(Mem{Base: src, Disp: 64*h + 32}, b)
			VPSRLD(Imm(16), a, a)
			VPSRLD(Imm(16), b, b)
			VPACKUSDW(b, a, a)
			VPERMQ(Imm(0xd8), a, a)
			VMOVDQU(a, Mem{Base: dst, Disp: 32 * h})
		}
		ADDQ(U32(128), src)
		ADDQ(Imm(64), dst)
	})
}
