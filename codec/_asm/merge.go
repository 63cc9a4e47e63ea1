package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// unitJoiner holds the constants that 16-bit units are put together by: see
// joining in package codec.
type unitJoiner struct {
	base, key, value, mask, rawSign, valueSign VecVirtual
	shift, up                                  Op
	signed                                     bool // the sign may be in the symbol
}

func loadJoiner(p Register, signed bool) unitJoiner {
	j := unitJoiner{base: YMM(), key: YMM(), mask: YMM(), rawSign: YMM(), signed: signed}
	VPBROADCASTW(Mem{Base: p, Disp: 0}, j.base)
	VPBROADCASTW(Mem{Base: p, Disp: 2}, j.key)
	VPBROADCASTW(Mem{Base: p, Disp: 6}, j.mask)
	VPBROADCASTW(Mem{Base: p, Disp: 8}, j.rawSign)
	if signed {
		j.value, j.valueSign = YMM(), YMM()
		VPBROADCASTW(Mem{Base: p, Disp: 4}, j.value)
		VPBROADCASTW(Mem{Base: p, Disp: 10}, j.valueSign)
	}
	return j
}

// join makes units of symbols v and raw bits r, both words of 16 bits, in v.
func (j *unitJoiner) join(v, r VecVirtual) {
	z, g := YMM(), YMM()
	VPCMPEQW(j.key, v, z)
	VPANDN(j.base, z, z)
	VPADDW(z, v, v)
	VPSLLW(j.up, r, g)
	VPAND(j.rawSign, g, g)
	if j.signed {
		s := YMM()
		VPSLLW(Imm(15), v, s)
		VPAND(j.valueSign, s, s)
		VPOR(s, g, g)
		VPAND(j.value, v, v)
	}
	VPSLLW(j.shift, v, v)
	VPAND(j.mask, r, r)
	VPOR(r, v, v)
	VPOR(g, v, v)
}

// joinUnitsAVX2 puts units together from symbols and raw bits. wide is with
// more than eight raw bits, the upper of which are in high; paired is the order
// of the streams.
func joinUnitsAVX2(name, doc string, wide, paired bool) {
	params := "low"
	if wide {
		params = "low, high"
	}
	TEXT(name, NOSPLIT, "func(dst, symbols, "+params+" *byte, groups int, p *[4]uint64)")
	Pragma("noescape")
	Doc(doc)
	dst := Load(Param("dst"), GP64())
	ins := []Register{Load(Param("symbols"), GP64()), Load(Param("low"), GP64())}
	if wide {
		ins = append(ins, Load(Param("high"), GP64()))
	}
	groups := Load(Param("groups"), GP64())
	p := Load(Param("p"), GP64())
	j := loadJoiner(p, true)
	shift, up := XMM(), XMM()
	VMOVQ(Mem{Base: p, Disp: 16}, shift)
	VMOVQ(Mem{Base: p, Disp: 24}, up)
	j.shift, j.up = shift, up
	var lowBytes VecVirtual
	if paired {
		lowBytes = YMM()
		VPCMPEQW(lowBytes, lowBytes, lowBytes)
		VPSRLW(Imm(8), lowBytes, lowBytes)
	}

	eachGroup(groups, func() {
		for h := 0; h < 64; h += 32 {
			for odd := range 2 {
				var words [3]VecVirtual
				for i, in := range ins {
					words[i] = YMM()
					switch {
					case !paired:
						VPMOVZXBW(Mem{Base: in, Disp: h + 16*odd}, words[i])
					case odd == 0:
						VPAND(Mem{Base: in, Disp: h}, lowBytes, words[i])
					default:
						VMOVDQU(Mem{Base: in, Disp: h}, words[i])
						VPSRLW(Imm(8), words[i], words[i])
					}
				}
				if wide {
					VPSLLW(Imm(8), words[2], words[2])
					VPOR(words[2], words[1], words[1])
				}
				j.join(words[0], words[1])
				disp := 2*h + 32*odd
				if paired {
					disp = h + 64*odd
				}
				VMOVDQU(words[0], Mem{Base: dst, Disp: disp})
			}
		}
		for _, in := range ins {
			ADDQ(Imm(64), in)
		}
		ADDQ(U32(128), dst)
	})
}

// packedAhead is how far ahead of the raw bits joined their lines are asked for, in
// bytes: they are joined tile by tile, so this is about half a tile.
const packedAhead = 2048

// joinPackedAVX2 puts units together from paired symbols and raw bits as they
// are packed, k bits each and the sign on top of them: unpackAVX2 and
// joinUnitsAVX2 in one.
func joinPackedAVX2(k int) {
	in, out := groupVectors(k)
	TEXT(fmt.Sprintf("joinPacked%dAVX2", k), NOSPLIT, "func(dst, symbols, packed *byte, groups int, p *[4]uint64)")
	Pragma("noescape")
	Doc(fmt.Sprintf("joinPacked%dAVX2 joins groups of %d units, of which %d bits each are packed.", k, 64*in, k))
	dst := Load(Param("dst"), GP64())
	symbols := Load(Param("symbols"), GP64())
	packed := Load(Param("packed"), GP64())
	groups := Load(Param("groups"), GP64())
	j := packedJoiner{unitJoiner: loadJoiner(Load(Param("p"), GP64()), false), bits: k, low: YMM()}
	j.shift = Imm(uint64(k - 1))
	VPCMPEQW(j.low, j.low, j.low)
	VPSRLW(Imm(8), j.low, j.low)

	eachGroup(groups, func() {
		for v := range out {
			PREFETCHT0(Mem{Base: packed, Disp: packedAhead + 64*v})
		}
		for h := 0; h < 64; h += 32 {
			// The vectors of a group that are not stored: the others' spare bits are
			// theirs.
			spare := make([]VecVirtual, in-out)
			for v := range out {
				raw := YMM()
				VMOVDQU(Mem{Base: packed, Disp: 64*v + h}, raw)
				addSpare(spare, raw, v, k)
				j.join(Mem{Base: symbols, Disp: 64*v + h}, raw, Mem{Base: dst, Disp: 128*v + h})
			}
			for v, raw := range spare {
				v += out
				j.join(Mem{Base: symbols, Disp: 64*v + h}, raw, Mem{Base: dst, Disp: 128*v + h})
			}
		}
		ADDQ(U32(uint32(64*in)), symbols)
		ADDQ(U32(uint32(64*out)), packed)
		ADDQ(U32(uint32(128*in)), dst)
	})
}

// addSpare adds the bits above the k low ones of stored vector v to the vectors
// that they belong to.
func addSpare(spare []VecVirtual, raw VecVirtual, v, k int) {
	for high := 0; high < 8-k; {
		bit := v*(8-k) + high
		to, low := bit/k, bit%k
		width := min(8-k-high, k-low)
		part := YMM()
		switch shift := k + high - low; {
		case shift >= 0:
			VPSRLW(Imm(uint64(shift)), raw, part)
		default:
			VPSLLW(Imm(uint64(-shift)), raw, part)
		}
		VPAND(byteMask(low, width), part, part)
		if spare[to] == nil {
			spare[to] = part
		} else {
			VPOR(part, spare[to], spare[to])
		}
		high += width
	}
}

type packedJoiner struct {
	unitJoiner
	bits int
	low  VecVirtual // the low bytes of words
}

// join makes the units of a vector. Bits of raw above the sign do no harm.
func (j *packedJoiner) join(symbols Mem, raw VecVirtual, dst Mem) {
	s := YMM()
	VMOVDQU(symbols, s)
	for odd := range 2 {
		v, r := YMM(), YMM()
		if odd == 0 {
			VPAND(j.low, s, v)
			VMOVDQA(raw, r)
		} else {
			VPSRLW(Imm(8), s, v)
			VPSRLW(Imm(8), raw, r)
		}
		j.up = Imm(uint64(16 - j.bits))
		j.unitJoiner.join(v, r)
		VMOVDQU(v, dst.Offset(64*odd))
	}
}
