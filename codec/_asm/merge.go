package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// mergeAVX2 merges paired symbols and raw bits, with the sign on top of them,
// to 16-bit units.
func mergeAVX2() {
	TEXT("mergePairedAVX2", NOSPLIT, "func(dst, symbols, raw *byte, groups int, p *[4]uint64)")
	Pragma("noescape")
	Doc("mergePairedAVX2 merges groups of 64 units.")
	dst := Load(Param("dst"), GP64())
	symbols := Load(Param("symbols"), GP64())
	raw := Load(Param("raw"), GP64())
	groups := Load(Param("groups"), GP64())
	p := Load(Param("p"), GP64())

	base, key, mask, sign, low := YMM(), YMM(), YMM(), YMM(), YMM()
	VPBROADCASTW(Mem{Base: p, Disp: 0}, base)
	VPBROADCASTW(Mem{Base: p, Disp: 2}, key)
	VPBROADCASTW(Mem{Base: p, Disp: 4}, mask)
	VPCMPEQW(sign, sign, sign)
	VPSRLW(Imm(8), sign, low)
	VPSLLW(Imm(15), sign, sign)
	shift, up, upOdd := XMM(), XMM(), XMM()
	VMOVQ(Mem{Base: p, Disp: 8}, shift)
	VMOVQ(Mem{Base: p, Disp: 16}, up)
	VMOVQ(Mem{Base: p, Disp: 24}, upOdd)

	Label("loop")
	TESTQ(groups, groups)
	JE(LabelRef("end"))
	for h := 0; h < 64; h += 32 {
		s, r := YMM(), YMM()
		VMOVDQU(Mem{Base: symbols, Disp: h}, s)
		VMOVDQU(Mem{Base: raw, Disp: h}, r)
		for odd := range 2 {
			v, z, m, g := YMM(), YMM(), YMM(), YMM()
			if odd == 0 {
				VPAND(low, s, v)
				VPAND(mask, r, m)
				VPSLLW(up, r, g)
			} else {
				VPSRLW(Imm(8), s, v)
				VPSRLW(Imm(8), r, m)
				VPAND(mask, m, m)
				VPSLLW(upOdd, r, g)
			}
			VPCMPEQW(key, v, z)
			VPANDN(base, z, z)
			VPADDW(z, v, v)
			VPSLLW(shift, v, v)
			VPAND(sign, g, g)
			VPOR(m, v, v)
			VPOR(g, v, v)
			VMOVDQU(v, Mem{Base: dst, Disp: h + 64*odd})
		}
	}
	ADDQ(Imm(64), symbols)
	ADDQ(Imm(64), raw)
	ADDQ(U32(128), dst)
	DECQ(groups)
	JMP(LabelRef("loop"))
	Label("end")
	VZEROUPPER()
	RET()
}
