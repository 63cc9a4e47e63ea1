//go:build !purego

package codec

// joinUnitsVector joins whole groups, and gives the number of units.
func joinUnitsVector(j *joining, dst, symbols, low, high []byte) int {
	groups := len(symbols) / vectorLen
	if groups == 0 || backend(current.Load()) == backendGo {
		return 0
	}
	n := groups * vectorLen
	_, _ = dst[2*n-1], low[n-1]
	switch {
	case high == nil && j.natural:
		joinNaturalAVX2(&dst[0], &symbols[0], &low[0], groups, &j.vector)
	case high == nil:
		joinPairedAVX2(&dst[0], &symbols[0], &low[0], groups, &j.vector)
	default:
		_ = high[n-1]
		join := joinPairedWideAVX2
		if j.natural {
			join = joinNaturalWideAVX2
		}
		join(&dst[0], &symbols[0], &low[0], &high[0], groups, &j.vector)
	}
	return n
}

var packedJoiners = [8]func(dst, symbols, packed *byte, groups int, p *[4]uint64){
	4: joinPacked4AVX2, 5: joinPacked5AVX2, 6: joinPacked6AVX2, 7: joinPacked7AVX2,
}

// joinPackedVector is joinUnitsVector with the raw bits as they are packed.
func joinPackedVector(j *joining, dst, symbols, packed []byte, bits int) int {
	in, out := groupVectors(bits)
	groups := len(symbols) / (in * vectorLen)
	if groups == 0 || backend(current.Load()) == backendGo {
		return 0
	}
	n := groups * in * vectorLen
	_ = dst[2*n-1]
	_ = packed[groups*out*vectorLen-1]
	packedJoiners[bits](&dst[0], &symbols[0], &packed[0], groups, &j.vector)
	return n
}

// vectorJoining packs what the kernels take, words of 16 bits: base, the symbol
// that stands for zero (none: one that is no byte), and the bits of the value,
// those of the raw part, and of the sign in either; then the two shifts.
func vectorJoining(j *joining) (p [4]uint64) {
	zero := uint64(0xffff)
	if j.bias == 255*lanes16 {
		zero = 0
	}
	p[0] = j.base | zero<<16 | j.value<<32 | j.mask<<48
	p[1] = j.rawSign&0xffff | j.valueSign&0xffff<<16
	p[2], p[3] = uint64(j.shift), uint64(j.up)
	return p
}
