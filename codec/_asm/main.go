// Command asm generates the vector kernels of package codec. Run it by
// `go generate ./codec`; the assembly it writes is never edited by hand.
//
// The kernels own their hot loops alone. Go checks lengths before and does
// what is left after them.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func main() {
	ConstraintExpr("amd64,!purego")
	ransAVX2()
	ransAVX512()
	mergeAVX2()
	mergePackedAVX2(6)
	mergePackedAVX2(7)
	for k := 1; k <= 7; k++ {
		unpackAVX2(k)
	}
	huffmanBMI2(11, 5)
	huffmanBMI2(12, 4)
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
