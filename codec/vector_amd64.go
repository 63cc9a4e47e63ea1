//go:build !purego

package codec

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

//go:generate go -C _asm run . -out ../kernels_amd64.s -stubs ../kernels_amd64.go -pkg codec

func bestBackend() backend {
	x := &cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasBMI2 || !x.HasPOPCNT:
		return backendGo
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX512DQ:
		return backendAVX512
	}
	return backendAVX2
}

// mergePairedVector merges whole groups, and gives the number of units.
func mergePairedVector(m *merger, dst, symbols, raw []byte) int {
	groups := len(symbols) / vectorLen
	if groups == 0 || backend(current.Load()) == backendGo {
		return 0
	}
	_ = dst[2*groups*vectorLen-1]
	_ = raw[groups*vectorLen-1]
	mergePairedAVX2(&dst[0], &symbols[0], &raw[0], groups, &m.vector)
	return groups * vectorLen
}

// mergePackedVector is mergePairedVector with the raw bits as they are packed,
// where there is a kernel for their number: for bf16 with one or two mantissa
// bits in the symbol.
func mergePackedVector(m *merger, dst, symbols, packed []byte) int {
	merge := mergePacked7AVX2
	switch m.split.raw {
	case 6:
		merge = mergePacked6AVX2
	case 7:
	default:
		return 0
	}
	in, out := groupVectors(m.split.raw)
	groups := len(symbols) / (in * vectorLen)
	if groups == 0 || backend(current.Load()) == backendGo {
		return 0
	}
	n := groups * in * vectorLen
	_ = dst[2*n-1]
	_ = packed[groups*out*vectorLen-1]
	merge(&dst[0], &symbols[0], &packed[0], groups, &m.vector)
	return n
}

// vectorParams packs what mergePairedAVX2 takes: base, the symbol that stands
// for zero (none: one that is no byte), and the mask of the raw bits below the
// sign, 16 bits each; then the three shifts.
func vectorParams(s *split) (p [4]uint64) {
	zero := uint64(0xffff)
	if s.alpha.zero {
		zero = 0
	}
	p[0] = uint64(s.alpha.base) | zero<<16 | (1<<(s.raw-1)-1)<<32
	p[1], p[2], p[3] = uint64(s.raw-1), uint64(16-s.raw), uint64(8-s.raw)
	return p
}

var unpackers = [8]func(dst, src *byte, groups int){
	1: unpack1AVX2, 2: unpack2AVX2, 3: unpack3AVX2, 4: unpack4AVX2,
	5: unpack5AVX2, 6: unpack6AVX2, 7: unpack7AVX2,
}

// unpackVector unpacks whole groups, and gives their number.
func unpackVector(dst, src []byte, k int) int {
	in, out := groupVectors(k)
	groups := len(dst) / (in * vectorLen)
	if groups == 0 || backend(current.Load()) == backendGo {
		return 0
	}
	_ = src[groups*out*vectorLen-1]
	unpackers[k](&dst[0], &src[0], groups)
	return groups
}

// huffmanDecodeVector takes all lanes a number of steps on, which
// huffmanLanes.steps allows for each of them.
func huffmanDecodeVector(t *huffmanTable, l *huffmanLanes, dst, src []byte, steps int) bool {
	if backend(current.Load()) == backendGo {
		return false
	}
	decode := huffmanDecode11BMI2
	if t.bits == maxCodeLen {
		decode = huffmanDecode12BMI2
	}
	decode(&dst[0], &src[0], &t.entries[0], (*[24]uint64)(unsafe.Pointer(l)), steps)
	return true
}
