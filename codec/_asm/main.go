// Command asm generates the vector kernels of package codec. Run it by
// `go generate ./codec`; the assembly it writes is never edited by hand.
//
// The kernels own their hot loops alone. Go checks lengths before and does
// what is left after them.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64,!purego")
	for _, classes := range []bool{false, true} {
		for lanes := 4; lanes <= 64; lanes *= 2 {
			k := ransKernel{lanes, classes}
			if lanes <= 8 {
				k.scalar()
				continue
			}
			k.avx2()
			k.avx512()
		}
	}
	encodeRANS()
	joinUnitsAVX2("joinPairedAVX2", "joinPairedAVX2 puts groups of 64 units together, of up to 8 raw bits.", false, true)
	joinUnitsAVX2("joinPairedWideAVX2", "joinPairedWideAVX2 is joinPairedAVX2 for more than 8 raw bits.", true, true)
	joinUnitsAVX2("joinNaturalAVX2", "joinNaturalAVX2 is joinPairedAVX2 in natural order.", false, false)
	joinUnitsAVX2("joinNaturalWideAVX2", "joinNaturalWideAVX2 is joinPairedWideAVX2 in natural order.", true, false)
	ransTableAVX2()
	lookUpAVX2()
	joinPlanesAVX2()
	joinWideAVX2()
	for k := 4; k <= 7; k++ {
		joinPackedAVX2(k)
	}
	takeAVX2("takePairedAVX2", "takePairedAVX2 takes groups of 64 units apart, with up to 8 raw bits.", false, true)
	takeAVX2("takePairedWideAVX2", "takePairedWideAVX2 is takePairedAVX2 for more than 8 raw bits.", true, true)
	takeAVX2("takeNaturalAVX2", "takeNaturalAVX2 is takePairedAVX2 in natural order.", false, false)
	takeAVX2("takeNaturalWideAVX2", "takeNaturalWideAVX2 is takePairedWideAVX2 in natural order.", true, false)
	rangeUnitsAVX2()
	gatherPlaneAVX2()
	gatherUnitsAVX2()
	for k := 1; k <= 7; k++ {
		unpackAVX2(k)
		packAVX2(k)
	}
	huffmanEncodeBMI2(1)
	huffmanEncodeBMI2(2)
	for lanes := 4; lanes <= 8; lanes += 4 {
		huffmanBMI2(lanes, 11, 5)
		huffmanBMI2(lanes, 12, 4)
	}
	Generate()
}

// bytes32 gives 32 equal bytes in read-only memory.
var bytes32 = func() func(name string, v byte) Mem {
	made := map[string]Mem{}
	return func(name string, v byte) Mem {
		m, ok := made[name]
		if !ok {
			m = GLOBL(name, 16|8) // NOPTR|RODATA
			for i := range 4 {
				DATA(8*i, U64(0x0101010101010101*uint64(v)))
			}
			made[name] = m
		}
		return m
	}
}()

// eachGroup is the rest of a kernel that does body for each of so many groups.
func eachGroup(groups Register, body func()) {
	Label("loop")
	TESTQ(groups, groups)
	JE(LabelRef("end"))
	body()
	DECQ(groups)
	JMP(LabelRef("loop"))
	Label("end")
	VZEROUPPER()
	RET()
}
