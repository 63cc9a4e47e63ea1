package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// takeAVX2 takes 16-bit units apart to symbols and raw bits: see pairing in
// package codec. wide is with more than eight raw bits, the upper of which go
// to high; paired is the order of the streams.
func takeAVX2(name, doc string, wide, paired bool) {
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

	eachGroup(groups, func() {
		for h := 0; h < 64; h += 32 {
			var v, r [2]VecVirtual
			for odd := range 2 {
				u, m := YMM(), YMM()
				v[odd], r[odd] = YMM(), YMM()
				disp := 2*h + 32*odd
				if paired {
					disp = h + 64*odd
				}
				VMOVDQU(Mem{Base: src, Disp: disp}, u)
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
			VMOVDQU(joinBytes(v[0], v[1], paired), Mem{Base: symbols, Disp: h})
			if wide {
				upper := [2]VecVirtual{YMM(), YMM()}
				for odd := range 2 {
					VPSRLW(Imm(8), r[odd], upper[odd])
					VPAND(lowBytes, r[odd], r[odd])
				}
				VMOVDQU(joinBytes(upper[0], upper[1], paired), Mem{Base: outs[1], Disp: h})
			}
			VMOVDQU(joinBytes(r[0], r[1], paired), Mem{Base: outs[0], Disp: h})
		}
		ADDQ(U32(128), src)
		for _, out := range append(outs, symbols) {
			ADDQ(Imm(64), out)
		}
	})
}

// joinBytes joins the low bytes of the words of a and b, whose upper bytes are
// zero: those of b between those of a if paired, else behind them.
func joinBytes(a, b VecVirtual, paired bool) VecVirtual {
	if paired {
		VPSLLW(Imm(8), b, b)
		VPOR(b, a, a)
		return a
	}
	VPACKUSWB(b, a, a)
	VPERMQ(Imm(0xd8), a, a)
	return a
}
