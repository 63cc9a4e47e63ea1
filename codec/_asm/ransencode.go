package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// group is how many symbols the encoders take at a time, for any number of
// lanes.
const group = 64

// encodeRANS makes the encoders for 16, 32 and 64 lanes.
func encodeRANS() {
	c, give := newEncodeConstants(), giveWords()
	for _, lanes := range [...]int{16, 32, 64} {
		avx2 := fmt.Sprintf("ransEncode%dAVX2", lanes)
		vbmi := fmt.Sprintf("ransEncode%dVBMI", lanes)
		classes := fmt.Sprintf("ransEncodeClasses%dAVX2", lanes)
		ransEncodeAVX2(classes, classes+" is "+avx2+" with a table for each class, and the class of each symbol.", true, lanes, c, give)
		ransEncodeAVX2(avx2, avx2+" encodes groups of 64 symbols, the last first, the next word at words, the others below: a word a symbol at most, and it overwrites 16 bytes below them.", false, lanes, c, give)
		ransEncodeVBMI(vbmi, vbmi+" is "+avx2+" with vectors of 512 bits, for up to 128 symbols; it overwrites 32 bytes below the words.", lanes, 2)
		ransEncodeVBMI(vbmi+"256", vbmi+"256 is "+vbmi+" for up to 256 symbols.", lanes, 4)
	}
}

// encodeArgs are the registers that both rANS encoders take their arguments
// in: src is moved to the last group, and words to where the next word ends.
type encodeArgs struct {
	src, groups, state, table, words, start Register

	classes Register // nil: none
}

func encodeStart(name, table, doc string, classes bool) encodeArgs {
	class := ""
	if classes {
		class = ", classes *byte"
	}
	TEXT(name, NOSPLIT, "func(src *byte, groups int, state *[64]uint32, table "+table+", words *byte"+class+") (written int)")
	Pragma("noescape")
	Doc(doc)
	a := encodeArgs{
		src: Load(Param("src"), GP64()), groups: Load(Param("groups"), GP64()),
		state: Load(Param("state"), GP64()), table: Load(Param("table"), GP64()),
		words: Load(Param("words"), GP64()), start: GP64(),
	}
	ADDQ(Imm(2), a.words)
	MOVQ(a.words, a.start)
	last := GP64()
	MOVQ(a.groups, last)
	SHLQ(Imm(6), last)
	LEAQ(Mem{Base: a.src, Index: last, Scale: 1, Disp: -group}, a.src)
	if classes {
		a.classes = Load(Param("classes"), GP64())
		LEAQ(Mem{Base: a.classes, Index: last, Scale: 1, Disp: -group}, a.classes)
	}
	return a
}

func (a encodeArgs) end() {
	VZEROUPPER()
	SUBQ(a.words, a.start)
	Store(a.start, ReturnIndex(0))
	RET()
}

// took moves words down by as many as the set bits of mask.
func (a encodeArgs) took(mask Register) {
	POPCNTL(mask.(GP).As32(), mask.(GP).As32())
	ADDQ(mask, mask)
	SUBQ(mask, a.words)
}

// dwords32 gives a vector of eight equal words of 32 bits.
func dwords32(name string, v uint32) Mem {
	m := GLOBL(name, 16|8)
	for i := range 8 {
		DATA(4*i, U32(v))
	}
	return m
}

// encodeConstants are the fields of the upper half of a table's entry, and
// what else the AVX2 encoder needs.
type encodeConstants struct{ complement, bias, shift, word, sixteen Mem }

func newEncodeConstants() encodeConstants {
	return encodeConstants{
		complement: dwords32("ransComplement", 0xfff00000), bias: dwords32("ransBias", 0x1fff),
		shift: dwords32("ransShift", 15), word: dwords32("ransWord", 0xffff), sixteen: dwords32("ransSixteen", 16),
	}
}

// giveWords[mask] shuffles the words of the lanes in mask to the top of a
// vector of eight.
func giveWords() Mem {
	m := GLOBL("giveWords", 16|8)
	for mask := range 256 {
		var order [16]byte
		at := len(order)
		for lane := 7; lane >= 0; lane-- {
			if mask>>lane&1 == 1 {
				at -= 2
				order[at], order[at+1] = byte(2*lane), byte(2*lane+1)
			}
		}
		for i := range 2 {
			var v uint64
			for k := range 8 {
				v |= uint64(order[8*i+k]) << (8 * k)
			}
			DATA(16*mask+8*i, U64(v))
		}
	}
	return m
}

// ransEncodeAVX2 encodes with that many lanes: a group takes them on once or
// several times.
func ransEncodeAVX2(name, doc string, classes bool, lanes int, c encodeConstants, giveWords Mem) {
	a := encodeStart(name, "*[256]uint64", doc, classes)
	give := GP64()
	LEAQ(giveWords, give)
	x := []VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7}[:lanes/8]
	for i := range x {
		VMOVDQU(Mem{Base: a.state, Disp: 32 * i}, x[i])
	}
	Label("loop")
	TESTQ(a.groups, a.groups)
	JE(LabelRef("end"))
	for i := group/8 - 1; i >= 0; i-- {
		a.encodeVectorAVX2(x[i%len(x)], 8*i, give, c)
	}
	SUBQ(Imm(group), a.src)
	if classes {
		SUBQ(Imm(group), a.classes)
	}
	DECQ(a.groups)
	JMP(LabelRef("loop"))
	Label("end")
	for i := range x {
		VMOVDQU(x[i], Mem{Base: a.state, Disp: 32 * i})
	}
	a.end()
}

// encodeVectorAVX2 encodes the eight symbols from src+at on with the lanes x.
func (a encodeArgs) encodeVectorAVX2(x VecPhysical, at int, give Register, c encodeConstants) {
	even, odd, field, t, u := Y8, Y9, Y10, Y11, Y12
	// Entries of the even and the odd lanes: the multiplication takes the low
	// half of every 64 bits.
	a.loadFour(even, t, at)
	a.loadFour(odd, u, at+1)
	VPSRLQ(Imm(32), even, field)
	VPBLENDD(Imm(0xaa), odd, field, field)

	// Lanes at or above their limit, the frequency << 20, give a word.
	need, mask := Y13, GP64()
	VPAND(c.complement, field, t)
	VPXOR(need, need, need)
	VPSUBD(t, need, t)
	VPMAXUD(t, x, need)
	VPCMPEQD(x, need, need)
	VMOVMSKPS(need, mask.As32())
	VPAND(c.word, x, t)
	VEXTRACTI128(Imm(1), t, u.AsX())
	VPACKUSDW(u.AsX(), t.AsX(), t.AsX())
	row := GP64()
	MOVL(mask.As32(), row.As32())
	SHLQ(Imm(4), row)
	VPSHUFB(Mem{Base: give, Index: row, Scale: 1}, t.AsX(), t.AsX())
	VMOVDQU(t.AsX(), Mem{Base: a.words, Disp: -16})
	a.took(mask)
	VPAND(c.sixteen, need, need)
	VPSRLVD(need, x, x)

	VPMULUDQ(even, x, even)
	VPSRLQ(Imm(32), x, t)
	VPMULUDQ(odd, t, odd)
	VPSRLQ(Imm(32), even, even)
	VPBLENDD(Imm(0xaa), odd, even, even)
	VPAND(c.shift, field, t)
	VPSRLVD(t, even, even)
	VPSRLD(Imm(20), field, t)
	VPMULLD(t, even, even)
	VPSRLD(Imm(4), field, t)
	VPAND(c.bias, t, t)
	VPADDD(t, x, x)
	VPADDD(even, x, x)
}

// loadFour loads the entries of the symbols src[at], src[at+2], src[at+4] and
// src[at+6].
func (a encodeArgs) loadFour(v, t VecPhysical, at int) {
	for half, part := range []VecPhysical{v, t} {
		s, r := a.entry(at+4*half), a.entry(at+4*half+2)
		VMOVQ(Mem{Base: a.table, Index: s, Scale: 8}, part.AsX())
		VMOVHPS(Mem{Base: a.table, Index: r, Scale: 8}, part.AsX(), part.AsX())
	}
	VINSERTI128(Imm(1), t.AsX(), v, v)
}

// entry gives where in the table the symbol src[at] is.
func (a encodeArgs) entry(at int) Register {
	s := GP64()
	MOVBQZX(Mem{Base: a.src, Disp: at}, s)
	if a.classes != nil {
		c := GP64()
		MOVBQZX(Mem{Base: a.classes, Disp: at}, c)
		SHLQ(Imm(8), c)
		ORQ(c, s)
	}
	return s
}

// Where the VBMI encoders take things from: byte 16q+4i+m of the symbols is,
// when the bytes of their entries are interleaved, in place 4q+m of vector i.
var (
	encodeOrder = bytes64("encodeOrder", func(b int) byte {
		q, i, m := b/16, b/4%4, b%4
		return byte(16*i + 15 - 4*q - m)
	})
	encodeWords = bytes64("encodeWords", func(b int) byte {
		if b%2 == 1 || b >= 32 {
			return 0
		}
		return byte(2 * (15 - b/2)) // the low words of the lanes, reversed
	})
	encodeLanes = bytes64("encodeLanes", func(b int) byte {
		if b%4 != 0 {
			return 0
		}
		return byte(15 - b/4)
	})
)

// bytes64 puts 64 bytes into read-only memory.
func bytes64(name string, at func(i int) byte) Mem {
	m := GLOBL(name, 16|8)
	for i := range 64 {
		DATA(i, U8(at(i)))
	}
	return m
}

// ransEncodeVBMI has lane 16i+15-e in place e of vector i, so that compressing
// puts the words in the order of the stream, once reversed.
// vectors is how many hold a byte of every symbol: two or four.
func ransEncodeVBMI(name, doc string, lanes, vectors int) {
	a := encodeStart(name, "*[8][256]byte", doc, false)
	order, wordOrder, laneOrder := ZMM(), ZMM(), ZMM()
	VMOVDQU64(encodeOrder, order)
	VMOVDQU64(encodeWords, wordOrder)
	VMOVDQU64(encodeLanes, laneOrder)

	x := make([]VecVirtual, lanes/16)
	for i := range x {
		x[i] = ZMM()
		VPERMD(Mem{Base: a.state, Disp: 64 * i}, laneOrder, x[i])
	}
	complement, bias, shift, zero := ZMM(), ZMM(), ZMM(), ZMM()
	VPTERNLOGD(Imm(0xff), zero, zero, zero)
	VPSRLD(Imm(19), zero, bias)
	VPSRLD(Imm(28), zero, shift)
	VPSLLD(Imm(20), zero, complement)
	VPXORD(zero, zero, zero)
	odd := K()
	t := GP32()
	MOVL(U32(0xaaaa), t)
	KMOVW(t, odd)

	Label("loop")
	TESTQ(a.groups, a.groups)
	JE(LabelRef("end"))
	symbols := ZMM()
	VPERMB(Mem{Base: a.src}, order, symbols)
	upper := K()
	if vectors == 4 {
		VPMOVB2M(symbols, upper)
	}
	reciprocal := a.lookup(symbols, 0, vectors, upper)
	fields := a.lookup(symbols, 4, vectors, upper)
	for i := 3; i >= 0; i-- {
		r, f, x := reciprocal[i], fields[i], x[i%len(x)]
		need, mask, q, p := K(), GP64(), ZMM(), ZMM()
		VPANDD(complement, f, q)
		VPSUBD(q, zero, q)
		VPCMPUD(Imm(5), q, x, need) // x >= q
		KMOVW(need, mask.As32())
		VPCOMPRESSD_Z(x, need, q)
		VPERMW(q, wordOrder, q)
		VMOVDQU64(q.AsY(), Mem{Base: a.words, Disp: -32})
		a.took(mask)
		VPSRLD(Imm(16), x, need, x)

		VPMULUDQ(r, x, q)
		VPSRLQ(Imm(32), x, p)
		VPSRLQ(Imm(32), r, r)
		VPMULUDQ(r, p, p)
		VPSRLQ(Imm(32), q, q)
		VMOVDQA32(p, odd, q)
		VPANDD(shift, f, p)
		VPSRLVD(p, q, q)
		VPSRLD(Imm(20), f, p)
		VPMULLD(p, q, q)
		VPSRLD(Imm(4), f, p)
		VPANDD(bias, p, p)
		VPADDD(p, x, x)
		VPADDD(q, x, x)
	}
	SUBQ(Imm(group), a.src)
	DECQ(a.groups)
	JMP(LabelRef("loop"))
	Label("end")
	for i := range x {
		VPERMD(x[i], laneOrder, x[i])
		VMOVDQU32(x[i], Mem{Base: a.state, Disp: 64 * i})
	}
	a.end()
}

// lookup finds 64 symbols in the tables of bytes k to k+3, and interleaves
// what it finds to words of 32 bits. upper are the symbols from 128 on.
func (a encodeArgs) lookup(symbols VecVirtual, k, vectors int, upper Register) [4]VecVirtual {
	var b [4]VecVirtual
	for i := range b {
		b[i] = a.lookupBytes(symbols, 256*(k+i))
		if vectors == 4 {
			VMOVDQU8(a.lookupBytes(symbols, 256*(k+i)+128), upper, b[i])
		}
	}
	var pairs [2][2]VecVirtual
	for i := range pairs {
		pairs[i] = [2]VecVirtual{ZMM(), ZMM()}
		VPUNPCKLBW(b[2*i+1], b[2*i], pairs[i][0])
		VPUNPCKHBW(b[2*i+1], b[2*i], pairs[i][1])
	}
	var out [4]VecVirtual
	for h := range 2 {
		out[2*h], out[2*h+1] = ZMM(), ZMM()
		VPUNPCKLWD(pairs[1][h], pairs[0][h], out[2*h])
		VPUNPCKHWD(pairs[1][h], pairs[0][h], out[2*h+1])
	}
	return out
}

// lookupBytes finds the low 7 bits of 64 symbols in the 128 bytes at disp.
func (a encodeArgs) lookupBytes(symbols VecVirtual, disp int) VecVirtual {
	low, out := ZMM(), ZMM()
	VMOVDQU64(Mem{Base: a.table, Disp: disp}, low)
	VMOVDQA64(symbols, out)
	VPERMI2B(Mem{Base: a.table, Disp: disp + 64}, low, out)
	return out
}
