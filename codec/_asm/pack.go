package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// packAVX2 packs groups of symbols of k bits vertically: the inverse of
// unpackAVX2.
func packAVX2(k int) {
	in, out := groupVectors(k)
	TEXT(fmt.Sprintf("pack%dAVX2", k), NOSPLIT, "func(dst, src *byte, groups int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("pack%dAVX2 packs groups of %d symbols of %d bits.", k, in*64, k))
	dst := Load(Param("dst"), GP64())
	src := Load(Param("src"), GP64())
	groups := Load(Param("groups"), GP64())

	eachGroup(groups, func() {
		spare := 8 - k
		for h := 0; h < 64; h += 32 {
			for to := range out {
				sum := YMM()
				VMOVDQU(Mem{Base: src, Disp: 64*to + h}, sum)
				for bit := to * spare; bit < (to+1)*spare; {
					from, low := bit/k, bit%k
					high := k + bit%spare
					width := min(k-low, 8-high)
					part := YMM()
					VMOVDQU(Mem{Base: src, Disp: 64*(out+from) + h}, part)
					switch shift := high - low; {
					case shift > 0:
						VPSLLW(Imm(uint64(shift)), part, part)
					case shift < 0:
						VPSRLW(Imm(uint64(-shift)), part, part)
					}
					VPAND(byteMask(high, width), part, part)
					VPOR(part, sum, sum)
					bit += width
				}
				VMOVDQU(sum, Mem{Base: dst, Disp: 64*to + h})
			}
		}
		ADDQ(U32(uint32(64*in)), src)
		ADDQ(U32(uint32(64*out)), dst)
	})
}
