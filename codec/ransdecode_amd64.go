//go:build !purego

package codec

import "math/bits"

type (
	ransDecodeKernel        func(dst *byte, groups int, state *[64]uint32, table *[ransTotal]uint32, words, limit, ahead *byte) (done, taken int)
	ransDecodeClassesKernel func(dst *byte, groups int, state *[64]uint32, table *uint32, words, limit, classes *byte) (done, taken int)
)

// The kernels that decode rANS, by backend and lanesLog2.
var (
	ransDecoders = [...][maxLanesLog2 + 1]ransDecodeKernel{
		backendAVX2: {
			2: ransDecode4BMI2, 3: ransDecode8BMI2,
			4: ransDecode16AVX2, 5: ransDecode32AVX2, 6: ransDecode64AVX2,
		},
		backendAVX512: {
			2: ransDecode4BMI2, 3: ransDecode8BMI2,
			4: ransDecode16AVX512, 5: ransDecode32AVX512, 6: ransDecode64AVX512,
		},
	}
	ransClassesDecoders = [...][maxLanesLog2 + 1]ransDecodeClassesKernel{
		backendAVX2: {
			2: ransDecodeClasses4BMI2, 3: ransDecodeClasses8BMI2,
			4: ransDecodeClasses16AVX2, 5: ransDecodeClasses32AVX2, 6: ransDecodeClasses64AVX2,
		},
		backendAVX512: {
			2: ransDecodeClasses4BMI2, 3: ransDecodeClasses8BMI2,
			4: ransDecodeClasses16AVX512, 5: ransDecodeClasses32AVX512, 6: ransDecodeClasses64AVX512,
		},
	}
)

// vectorGroups gives how many whole groups of lanes a kernel may decode to n
// symbols, the words, and the last place among them where it may begin a group. That
// reads a word a lane, taken or not, beyond the stream too where the slice has room:
// close refuses what was taken there.
func (d *ransDecoder) vectorGroups(n int) (groups int, words []byte, last int) {
	words = d.words[:cap(d.words)]
	last = min(len(d.words), len(words)-2*d.lanes)
	if last < d.pos {
		return 0, nil, 0
	}
	return n / d.lanes, words, last
}

// ransDecodeVector decodes whole groups while their words, and what the
// kernels read beyond, are within the stream, and asks for the lines of ahead, if
// it has two bytes for each symbol. It gives the number of symbols decoded.
func ransDecodeVector(d *ransDecoder, dst, ahead []byte) int {
	groups, words, last := d.vectorGroups(len(dst))
	set := backend(current.Load())
	if groups == 0 || set == backendGo {
		return 0
	}
	decode := ransDecoders[set][bits.TrailingZeros(uint(d.lanes))]
	if len(ahead) < 2*groups*d.lanes {
		ahead = dst // which is at hand
	}
	done, taken := decode(&dst[0], groups, &d.state, (*[ransTotal]uint32)(d.table), &words[d.pos], &words[last], &ahead[0])
	d.pos += taken
	return done * d.lanes
}

// ransDecodeClassesVector is ransDecodeVector with the class of each symbol,
// all of which have a table.
func ransDecodeClassesVector(d *ransDecoder, dst, classes []byte, tables contextTables) int {
	groups, words, last := d.vectorGroups(len(dst))
	set := backend(current.Load())
	if groups == 0 || set == backendGo {
		return 0
	}
	_ = classes[groups*d.lanes-1]
	decode := ransClassesDecoders[set][bits.TrailingZeros(uint(d.lanes))]
	done, taken := decode(&dst[0], groups, &d.state, &tables[0], &words[d.pos], &words[last], &classes[0])
	d.pos += taken
	return done * d.lanes
}

// ransTableVector fills the slots of the first symbols, whose frequencies are
// not beyond a table, and gives the numbers of both.
func ransTableVector(t *ransTable, f frequencies) (symbols, slots int) {
	if backend(current.Load()) == backendGo {
		return 0, 0
	}
	return ransTableAVX2((*[ransTotal]uint32)(t), &f[0], len(f))
}

// lookUpVector looks up whole vectors, and gives the number of bytes.
func lookUpVector(dst, src []byte, table *[256]byte, symbols int) int {
	groups := len(src) / vectorLen
	if groups == 0 || symbols == 0 || backend(current.Load()) == backendGo {
		return 0
	}
	n := groups * vectorLen
	_ = dst[n-1]
	lookUpAVX2(&dst[0], &src[0], groups, table, (min(symbols, 256)+15)/16)
	return n
}
