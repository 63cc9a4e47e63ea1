//go:build !purego

package codec

import (
	"slices"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// hasVBMI is whether backendAVX512 can look up bytes in two vectors at once.
var hasVBMI = cpu.X86.HasAVX512VBMI

// ransEncodeVector encodes whole groups of maxLanes symbols from the end of
// src, and gives their number. It writes at most ransPadding bytes below the
// words, where encode made room.
func ransEncodeVector(e *ransEncoder, src []byte, lanesLog2 uint) int {
	groups := len(src) / maxLanes
	b := backend(current.Load())
	if b == backendGo || groups == 0 || lanesLog2 < minVectorLanesLog2 || !e.vector.exact {
		return 0
	}
	_ = e.words[e.pos-2*groups*maxLanes-ransPadding]
	words := &e.words[e.pos-2]
	k := &ransKernels[lanesLog2-minVectorLanesLog2]
	var written int
	switch {
	case b != backendAVX512 || !hasVBMI:
		written = k.avx2(&src[0], groups, &e.state, &e.vector.entries, words)
	case e.vector.symbols <= 128:
		written = k.vbmi(&src[0], groups, &e.state, &e.vector.bytes, words)
	default:
		written = k.vbmi256(&src[0], groups, &e.state, &e.vector.bytes, words)
	}
	e.pos -= written
	return groups * maxLanes
}

// ransEncodeClassesVector is ransEncodeVector with tables, one behind the other,
// and a class, the number of a table, for each symbol.
func ransEncodeClassesVector(e *ransEncoder, src, classes []byte, tables [][256]uint64, lanesLog2 uint) int {
	groups := len(src) / maxLanes
	if backend(current.Load()) == backendGo || groups == 0 || lanesLog2 < minVectorLanesLog2 {
		return 0
	}
	_ = e.words[e.pos-2*groups*maxLanes-ransPadding]
	_ = classes[groups*maxLanes-1]
	encode := ransKernels[lanesLog2-minVectorLanesLog2].classes
	e.pos -= encode(&src[0], groups, &e.state, &tables[0], &e.words[e.pos-2], &classes[0])
	return groups * maxLanes
}

// minVectorLanesLog2 is the fewest lanes that pay in vectors.
const minVectorLanesLog2 = 4

// ransKernels are the encoders for each number of lanes: vbmi is for up to 128
// symbols.
var ransKernels = [...]struct {
	avx2          func(src *byte, groups int, state *[64]uint32, table *[256]uint64, words *byte) int
	classes       func(src *byte, groups int, state *[64]uint32, table *[256]uint64, words, classes *byte) int
	vbmi, vbmi256 func(src *byte, groups int, state *[64]uint32, table *[8][256]byte, words *byte) int
}{
	{ransEncode16AVX2, ransEncodeClasses16AVX2, ransEncode16VBMI, ransEncode16VBMI256},
	{ransEncode32AVX2, ransEncodeClasses32AVX2, ransEncode32VBMI, ransEncode32VBMI256},
	{ransEncode64AVX2, ransEncodeClasses64AVX2, ransEncode64VBMI, ransEncode64VBMI256},
}

var packers = [8]func(dst, src *byte, groups int){
	1: pack1AVX2, 2: pack2AVX2, 3: pack3AVX2, 4: pack4AVX2,
	5: pack5AVX2, 6: pack6AVX2, 7: pack7AVX2,
}

// packVector packs whole groups, and gives their number.
func packVector(dst, src []byte, k int) int {
	in, out := groupVectors(k)
	groups := len(src) / (in * vectorLen)
	if groups == 0 || backend(current.Load()) == backendGo {
		return 0
	}
	_ = dst[groups*out*vectorLen-1]
	packers[k](&dst[0], &src[0], groups)
	return groups
}

// takeUnitsVector takes whole groups apart, and gives the number of units. high
// is nil if there are at most 8 raw bits.
func takeUnitsVector(p *pairing, symbols, low, high, units []byte) int {
	groups := len(symbols) / vectorLen
	if groups == 0 || backend(current.Load()) == backendGo {
		return 0
	}
	n := groups * vectorLen
	_, _ = low[n-1], units[2*n-1]
	params := [4]uint64{
		uint64(p.base) | uint64(p.value)<<16 | uint64(p.mask)<<32 | uint64(p.sign)<<48,
		uint64(p.shift), uint64(p.up), uint64(p.minus),
	}
	if p.hasTop {
		_ = high[n-1]
	}
	switch {
	case p.hasTop && p.natural:
		takeNaturalWideAVX2(&symbols[0], &low[0], &high[0], &units[0], groups, &params)
	case p.hasTop:
		takePairedWideAVX2(&symbols[0], &low[0], &high[0], &units[0], groups, &params)
	case p.natural:
		takeNaturalAVX2(&symbols[0], &low[0], &units[0], groups, &params)
	default:
		takePairedAVX2(&symbols[0], &low[0], &units[0], groups, &params)
	}
	return n
}

// rangeGroup is how many units the kernel looks at together.
const rangeGroup = 64

// rangeUnitsVector takes r on by whole groups of units, and gives the number of
// bytes.
func rangeUnitsVector(r *unitRange, units []byte) int {
	groups := len(units) / (2 * rangeGroup)
	if groups == 0 || backend(current.Load()) == backendGo {
		return 0
	}
	var lanes [3][16]uint16
	for k, v := range [...]uint16{r.most, 1, r.below} {
		for i := range lanes[k] {
			lanes[k][i] = v
		}
	}
	rangeUnitsAVX2(&units[0], groups, &lanes)
	r.most, r.below = slices.Max(lanes[0][:]), slices.Min(lanes[2][:])
	r.zero = r.zero || slices.Min(lanes[1][:]) == 0
	return 2 * rangeGroup * groups
}

// gatherGroup is how many elements of four bytes the kernels gather from at a
// time.
const gatherGroup = 32

// gatherPlaneVector takes the first byte of every four of src, and gives their
// number.
func gatherPlaneVector(dst, src []byte) int {
	groups := min(len(dst), len(src)/4) / gatherGroup
	if groups == 0 || backend(current.Load()) == backendGo {
		return 0
	}
	gatherPlane4AVX2(&dst[0], &src[0], groups)
	return groups * gatherGroup
}

// gatherUnitsVector takes the upper two bytes of every four of src, and gives
// the number of units.
func gatherUnitsVector(dst, src []byte) int {
	groups := min(len(dst)/2, len(src)/4) / gatherGroup
	if groups == 0 || backend(current.Load()) == backendGo {
		return 0
	}
	gatherUnits4AVX2(&dst[0], &src[0], groups)
	return groups * gatherGroup
}

// huffmanEncodeTwoVector codes groups of symbols of two streams, from where
// their writers stand in src, if there is a kernel: encode made room for the
// longest codes.
func huffmanEncodeTwoVector(e *huffmanEncoder, w *[2]huffmanWriter, src []byte, groups int) {
	if backend(current.Load()) == backendGo {
		return
	}
	for k := range w {
		e.check(&w[k], src, groups)
	}
	huffmanEncode2BMI2(&e.bits[0], &src[0], &e.codes, (*[2 * writerWords]uint64)(unsafe.Pointer(w)), groups)
}

// huffmanEncodeVector is huffmanEncodeTwoVector for one stream. It reports
// whether there is a kernel.
func huffmanEncodeVector(e *huffmanEncoder, w *huffmanWriter, src []byte, groups int) bool {
	if backend(current.Load()) == backendGo {
		return false
	}
	e.check(w, src, groups)
	huffmanEncode1BMI2(&e.bits[0], &src[0], &e.codes, (*[writerWords]uint64)(unsafe.Pointer(w)), groups)
	return true
}

// check panics if w has no room for groups of the longest codes.
func (e *huffmanEncoder) check(w *huffmanWriter, src []byte, groups int) {
	_ = src[w.in-groups*huffmanGroup : w.in]
	_ = e.bits[w.out : w.out+groups*huffmanGroup*maxCodeLen/8+huffmanSlack]
}

// writerWords is the length of a huffmanWriter, as the kernels have it.
const writerWords = int(unsafe.Sizeof(huffmanWriter{}) / 8)
