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

func hasVectors() bool { return backend(current.Load()) != backendGo }

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

// huffmanKernels decode by tables of 11 and 12 bits, four lanes and eight.
var huffmanKernels = [2][2]func(dst, src *byte, table *uint64, lanes *[24]uint64, steps int, ahead *[2][]byte){
	{huffmanDecode4x11BMI2, huffmanDecode8x11BMI2},
	{huffmanDecode4x12BMI2, huffmanDecode8x12BMI2},
}

// aheadBytes is how much of either part of a lookahead a step of a Huffman kernel
// asks for: about what it decodes.
var aheadBytes = [2]int{3 * 64, 4 * 64}

// advance leaves out what so many steps asked for.
func (a *lookahead) advance(steps int) {
	for k, n := range aheadBytes {
		a[k] = a[k][min(steps*n, len(a[k])):]
	}
}

// huffmanDecodeVector takes the first lanes, and maybe the others, a number of
// steps on, which huffmanLanes.steps allows for each of them. It asks for what
// is ahead, and moves it on.
func huffmanDecodeVector(t *huffmanTable, l *huffmanLanes, dst, src []byte, lanes, steps int, ahead *lookahead) bool {
	if backend(current.Load()) == backendGo {
		return false
	}
	for k := range ahead {
		if len(ahead[k]) == 0 {
			ahead[k] = dst[:0] // which is at hand
		}
	}
	decode := huffmanKernels[t.bits-shortIndex][(lanes-1)/4]
	decode(&dst[0], &src[0], &t.entries[0], (*[24]uint64)(unsafe.Pointer(l)), steps, (*[2][]byte)(ahead))
	ahead.advance(steps)
	return true
}
