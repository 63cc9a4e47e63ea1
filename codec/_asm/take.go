package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// takeAVX2 takes 16-bit units apart to paired symbols and raw bits: see pairing
// in package codec. wide is with more than eight
// raw bits, the upper of which go to high.
func takeAVX2(name, doc string, wide bool) {
	high := ""
	if wide {
		high = "high, "
	}
	TEXT(name, NOSPLIT, "func(symbols, low, "+high+"src *byte, groups int, p *[4]uint64)")
	Pragma("noescape")
	Doc(doc)
	outs := []Register{Load(Param("low"), GP64())}
	if wide {
		outs = append(outs, Load(Param("high"), GP64()))
	}
	symbols := Load(Param("symbols"), GP64())
	src := Load(Param("src"), GP64())
	groups := Load(Param("groups"), GP64())
	p := Load(Param("p"), GP64())

	base, value, mask, sign, minus, lowBytes := YMM(), YMM(), YMM(), YMM(), YMM(), YMM()
	VPBROADCASTW(Mem{Base: p, Disp: 0}, base)
	VPBROADCASTW(Mem{Base: p, Disp: 2}, value)
	VPBROADCASTW(Mem{Base: p, Disp: 4}, mask)
	VPBROADCASTW(Mem{Base: p, Disp: 6}, sign)
	VPCMPEQW(lowBytes, lowBytes, lowBytes)
	VPSRLW(Imm(8), lowBytes, lowBytes)
	shift, up := XMM(), XMM()
	VMOVQ(Mem{Base: p, Disp: 8}, shift)
	VMOVQ(Mem{Base: p, Disp: 16}, up)
	VPBROADCASTW(Mem{Base: p, Disp: 24}, minus)

	Label("loop")
	TESTQ(groups, groups)
	JE(LabelRef("end"))
	for h := 0; h < 64; h += 32 {
		var v, r [2]VecVirtual
		for odd := range 2 {
			u, m := YMM(), YMM()
			v[odd], r[odd] = YMM(), YMM()
			VMOVDQU(Mem{Base: src, Disp: h + 64*odd}, u)
			VPAND(value, u, v[odd])
			VPSRLW(shift, v[odd], v[odd])
			VPSRLW(Imm(15), u, m)
			VPAND(minus, m, m)
			VPOR(m, v[odd], v[odd])
			VPSUBUSW(base, v[odd], v[odd])
			VPSRLW(up, u, r[odd])
			VPAND(sign, r[odd], r[odd])
			VPAND(mask, u, u)
			VPOR(u, r[odd], r[odd])
		}
		VPSLLW(Imm(8), v[1], v[1])
		VPOR(v[1], v[0], v[0])
		VMOVDQU(v[0], Mem{Base: symbols, Disp: h})
		if wide {
			upper, odd := YMM(), YMM()
			VPSRLW(Imm(8), r[0], upper)
			VPANDN(r[1], lowBytes, odd)
			VPOR(odd, upper, upper)
			VMOVDQU(upper, Mem{Base: outs[1], Disp: h})
			VPAND(lowBytes, r[0], r[0])
		}
		VPSLLW(Imm(8), r[1], r[1])
		VPOR(r[1], r[0], r[0])
		VMOVDQU(r[0], Mem{Base: outs[0], Disp: h})
	}
	ADDQ(U32(128), src)
	for _, out := range append(outs, symbols) {
		ADDQ(Imm(64), out)
	}
	DECQ(groups)
	JMP(LabelRef("loop"))
	Label("end")
	VZEROUPPER()
	RET()
}
