package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
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

// mergePackedAVX2 merges symbols with raw bits as they are packed, k bits each
// and the sign on top of them: unpackAVX2 and mergeAVX2 in one.
func mergePackedAVX2(k int) {
	in, out := groupVectors(k)
	TEXT(fmt.Sprintf("mergePacked%dAVX2", k), NOSPLIT, "func(dst, symbols, packed *byte, groups int, p *[4]uint64)")
	Pragma("noescape")
	Doc(fmt.Sprintf("mergePacked%dAVX2 merges groups of %d units, of which %d bits each are packed.", k, 64*in, k))
	dst := Load(Param("dst"), GP64())
	symbols := Load(Param("symbols"), GP64())
	packed := Load(Param("packed"), GP64())
	groups := Load(Param("groups"), GP64())
	p := Load(Param("p"), GP64())
	m := packedMerger{bits: k, base: YMM(), key: YMM(), mask: YMM(), sign: YMM(), low: YMM()}
	VPBROADCASTW(Mem{Base: p, Disp: 0}, m.base)
	VPBROADCASTW(Mem{Base: p, Disp: 2}, m.key)
	VPBROADCASTW(Mem{Base: p, Disp: 4}, m.mask)
	VPCMPEQW(m.sign, m.sign, m.sign)
	VPSRLW(Imm(8), m.sign, m.low)
	VPSLLW(Imm(15), m.sign, m.sign)

	Label("loop")
	TESTQ(groups, groups)
	JE(LabelRef("end"))
	for h := 0; h < 64; h += 32 {
		// One vector of a group is not stored: the others' spare bits are its.
		last := YMM()
		for v := range out {
			raw := YMM()
			VMOVDQU(Mem{Base: packed, Disp: 64*v + h}, raw)
			addSpare(last, raw, v, k)
			m.merge(Mem{Base: symbols, Disp: 64*v + h}, raw, Mem{Base: dst, Disp: 128*v + h})
		}
		m.merge(Mem{Base: symbols, Disp: 64*out + h}, last, Mem{Base: dst, Disp: 128*out + h})
	}
	ADDQ(U32(uint32(64*in)), symbols)
	ADDQ(U32(uint32(64*out)), packed)
	ADDQ(U32(uint32(128*in)), dst)
	DECQ(groups)
	JMP(LabelRef("loop"))
	Label("end")
	VZEROUPPER()
	RET()
}

// addSpare adds the bits above the k low ones of stored vector v to last.
func addSpare(last, raw VecVirtual, v, k int) {
	spare := 8 - k
	part := last
	if v > 0 {
		part = YMM()
	}
	VPSRLW(Imm(uint64(k-v*spare)), raw, part)
	VPAND(byteMask(v*spare, spare), part, part)
	if v > 0 {
		VPOR(part, last, last)
	}
}

type packedMerger struct {
	bits                       int
	base, key, mask, sign, low VecVirtual
}

// merge is a step of mergeAVX2. Bits of raw above the sign do no harm.
func (p *packedMerger) merge(symbols Mem, raw VecVirtual, dst Mem) {
	s := YMM()
	VMOVDQU(symbols, s)
	for odd := range 2 {
		v, z, m, g := YMM(), YMM(), YMM(), YMM()
		if odd == 0 {
			VPAND(p.low, s, v)
			VPAND(p.mask, raw, m)
			VPSLLW(Imm(uint64(16-p.bits)), raw, g)
		} else {
			VPSRLW(Imm(8), s, v)
			VPSRLW(Imm(8), raw, m)
			VPAND(p.mask, m, m)
			VPSLLW(Imm(uint64(8-p.bits)), raw, g)
		}
		VPCMPEQW(p.key, v, z)
		VPANDN(p.base, z, z)
		VPADDW(z, v, v)
		VPSLLW(Imm(uint64(p.bits-1)), v, v)
		VPAND(p.sign, g, g)
		VPOR(m, v, v)
		VPOR(g, v, v)
		VMOVDQU(v, dst.Offset(64*odd))
	}
}
