//go:build !purego

package codec

import "golang.org/x/sys/cpu"

// hasVBMI is whether backendAVX512 can look up bytes in two vectors at once.
var hasVBMI = cpu.X86.HasAVX512VBMI

// ransEncodeVector encodes whole groups of 64 lanes from the end of src, and
// gives the number of symbols encoded. It writes at most ransPadding bytes
// below the words, where encode made room.
func ransEncodeVector(e *ransEncoder, src []byte, lanes int) int {
	groups := len(src) / maxLanes
	if lanes != maxLanes || groups == 0 || !e.vector.exact {
		return 0
	}
	_ = e.words[e.pos-2*groups*maxLanes-ransPadding]
	words := &e.words[e.pos-2]
	written := 0
	switch b := backend(current.Load()); {
	case b == backendGo:
		return 0
	case b == backendAVX512 && hasVBMI && e.vector.symbols <= vectorSymbols:
		written = ransEncodeVBMI(&src[0], groups, &e.state, &e.vector.bytes, words)
	case b == backendAVX512 && hasVBMI:
		written = ransEncode256VBMI(&src[0], groups, &e.state, &e.vector.bytes, words)
	default:
		written = ransEncodeAVX2(&src[0], groups, &e.state, &e.vector.entries, words)
	}
	e.pos -= written
	return groups * maxLanes
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

// takePairedVector takes whole groups apart, and gives the number of units.
// high is nil if there are at most 8 raw bits.
func takePairedVector(p *pairing, symbols, low, high, units []byte) int {
	groups := len(symbols) / vectorLen
	if groups == 0 || backend(current.Load()) == backendGo {
		return 0
	}
	n := groups * vectorLen
	_, _ = low[n-1], units[2*n-1]
	params := [4]uint64{
		uint64(p.base) | uint64(p.value)<<16 | uint64(p.mask)<<32 | uint64(p.sign)<<48,
		uint64(p.shift), uint64(p.up),
	}
	if high == nil {
		takePairedAVX2(&symbols[0], &low[0], &units[0], groups, &params)
		return n
	}
	_ = high[n-1]
	takePairedWideAVX2(&symbols[0], &low[0], &high[0], &units[0], groups, &params)
	return n
}
