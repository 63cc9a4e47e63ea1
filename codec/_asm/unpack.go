package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// groupVectors is the function of that name in package codec.
func groupVectors(k int) (in, out int) {
	switch {
	case k&1 == 1:
		return 8, k
	case k == 4:
		return 2, 1
	default:
		return 4, k / 2
	}
}

// unpackAVX2 unpacks groups of vertically packed symbols of k bits.
func unpackAVX2(k int) {
	in, out := groupVectors(k)
	TEXT(fmt.Sprintf("unpack%dAVX2", k), NOSPLIT, "func(dst, src *byte, groups int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("unpack%dAVX2 unpacks groups of %d symbols of %d bits.", k, in*64, k))
	dst := Load(Param("dst"), GP64())
	src := Load(Param("src"), GP64())
	groups := Load(Param("groups"), GP64())
	low := byteMask(0, k)

	eachGroup(groups, func() {
		for h := 0; h < 64; h += 32 {
			stored := make([]VecVirtual, out)
			for v := range stored {
				stored[v] = YMM()
				VMOVDQU(Mem{Base: src, Disp: 64*v + h}, stored[v])
			}
			for v := range in - out {
				VMOVDQU(gather(stored, v, k), Mem{Base: dst, Disp: 64*(out+v) + h})
			}
			for v := range stored {
				VPAND(low, stored[v], stored[v])
				VMOVDQU(stored[v], Mem{Base: dst, Disp: 64*v + h})
			}
		}
		ADDQ(U32(uint32(64*out)), src)
		ADDQ(U32(uint32(64*in)), dst)
	})
}

// gather collects the bits of vector out+v from above the k low ones of the
// stored vectors.
func gather(stored []VecVirtual, v, k int) VecVirtual {
	var sum VecVirtual
	spare := 8 - k
	for low := 0; low < k; {
		bit := v*k + low
		from, high := bit/spare, bit%spare
		width := min(k-low, spare-high)
		part := YMM()
		switch shift := k + high - low; {
		case shift > 0:
			VPSRLW(Imm(uint64(shift)), stored[from], part)
		case shift < 0:
			VPSLLW(Imm(uint64(-shift)), stored[from], part)
		}
		if k+high == low {
			VPAND(byteMask(low, width), stored[from], part)
		} else {
			VPAND(byteMask(low, width), part, part)
		}
		if sum == nil {
			sum = part
		} else {
			VPOR(part, sum, sum)
		}
		low += width
	}
	return sum
}

// byteMask has width bits from low on set in every byte.
func byteMask(low, width int) Mem {
	return bytes32(fmt.Sprintf("bits%dfrom%d", width, low), byte((1<<width-1)<<low))
}
