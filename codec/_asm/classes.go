package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// lookUpAVX2 looks bytes up in a table, sixteen entries after the other: as
// many as there may be symbols.
func lookUpAVX2() {
	TEXT("lookUpAVX2", NOSPLIT, "func(dst, src *byte, groups int, table *[256]byte, sixteens int)")
	Pragma("noescape")
	Doc("lookUpAVX2 looks groups of 64 bytes up among the first entries of a table; what is beyond them gives 0.")
	dst := Load(Param("dst"), GP64())
	src := Load(Param("src"), GP64())
	groups := Load(Param("groups"), GP64())
	table := Load(Param("table"), GP64())
	sixteens := Load(Param("sixteens"), GP64())

	eachGroup(groups, func() {
		var v, found [2]VecVirtual
		for i := range v {
			v[i], found[i] = YMM(), YMM()
			VMOVDQU(Mem{Base: src, Disp: 32 * i}, v[i])
			VPXOR(found[i], found[i], found[i])
		}
		at, left := GP64(), GP64()
		MOVQ(table, at)
		MOVQ(sixteens, left)
		Label("entries")
		entries := YMM()
		VBROADCASTI128(Mem{Base: at}, entries)
		for i := range v {
			// Bytes above 15 get their top bit set, by which a shuffle gives 0.
			t := YMM()
			VPADDUSB(bytes32("seventies", 0x70), v[i], t)
			VPSHUFB(t, entries, t)
			VPOR(t, found[i], found[i])
			VPSUBB(bytes32("sixteens", 16), v[i], v[i])
		}
		ADDQ(Imm(16), at)
		DECQ(left)
		JNE(LabelRef("entries"))
		for i := range v {
			VMOVDQU(found[i], Mem{Base: dst, Disp: 32 * i})
		}
		ADDQ(Imm(64), src)
		ADDQ(Imm(64), dst)
	})
}
