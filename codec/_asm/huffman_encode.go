package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// huffmanWriter of package codec, as words.
const (
	writerWords = 4
	writerAcc   = 0
	writerN     = 8
	writerOut   = 16
	writerIn    = 24
)

// huffmanLane is a stream that is written: the upper n bits of acc are not
// written yet, and what is below them does not matter.
type huffmanLane struct{ acc, n, out, in GPVirtual }

// huffmanEncodeBMI2 codes groups of four symbols of so many streams side by
// side, from the last symbol to the first.
func huffmanEncodeBMI2(lanes int) {
	TEXT(fmt.Sprintf("huffmanEncode%dBMI2", lanes), NOSPLIT,
		fmt.Sprintf("func(dst, src *byte, codes *[256]uint64, lanes *[%d]uint64, groups int)", writerWords*lanes))
	Pragma("noescape")
	Doc(fmt.Sprintf("huffmanEncode%dBMI2 takes %d lanes at least one group of four symbols on; it overwrites 8 bytes from where a lane's output ends.", lanes, lanes))
	codes, groups := Load(Param("codes"), GP64()), Load(Param("groups"), GP64())
	state := make([]huffmanLane, lanes)
	for k := range state {
		state[k] = loadHuffmanLane(k)
	}
	Label("group")
	for symbol := range 4 {
		for k := range state {
			state[k].put(codes, symbol)
		}
	}
	for k := range state {
		state[k].flush()
	}
	DECQ(groups)
	JNE(LabelRef("group"))
	for k := range state {
		state[k].store(k)
	}
	RET()
}

// loadHuffmanLane takes a lane's state, offsets as pointers.
func loadHuffmanLane(k int) huffmanLane {
	l := huffmanLane{GP64(), GP64(), GP64(), GP64()}
	lanes := Load(Param("lanes"), GP64())
	at := 8 * writerWords * k
	MOVQ(Mem{Base: lanes, Disp: at + writerAcc}, l.acc)
	MOVQ(Mem{Base: lanes, Disp: at + writerN}, l.n)
	MOVQ(Mem{Base: lanes, Disp: at + writerOut}, l.out)
	MOVQ(Mem{Base: lanes, Disp: at + writerIn}, l.in)
	p := Load(Param("dst"), GP64())
	ADDQ(p, l.out)
	p = Load(Param("src"), GP64())
	ADDQ(p, l.in)
	return l
}

func (l *huffmanLane) store(k int) {
	p := Load(Param("dst"), GP64())
	SUBQ(p, l.out)
	p = Load(Param("src"), GP64())
	SUBQ(p, l.in)
	lanes := Load(Param("lanes"), GP64())
	at := 8 * writerWords * k
	MOVQ(l.acc, Mem{Base: lanes, Disp: at + writerAcc})
	MOVQ(l.n, Mem{Base: lanes, Disp: at + writerN})
	MOVQ(l.out, Mem{Base: lanes, Disp: at + writerOut})
	MOVQ(l.in, Mem{Base: lanes, Disp: at + writerIn})
}

// put appends the code of a symbol. Its length, below it in the entry, shifts
// and is added as it stands: what it leaves in the low bits of acc is below
// what is written, and above the low byte of n nothing is looked at.
func (l *huffmanLane) put(codes Register, symbol int) {
	e := GP64()
	MOVBQZX(Mem{Base: l.in, Disp: -1 - symbol}, e)
	MOVQ(Mem{Base: codes, Index: e, Scale: 8}, e)
	SHRXQ(e, l.acc, l.acc)
	ORQ(e, l.acc)
	ADDQ(e, l.n)
}

// flush writes all bits, and keeps those after the last whole byte.
func (l *huffmanLane) flush() {
	SUBQ(Imm(4), l.in)
	t := GP64()
	MOVQ(l.n, t)
	NEGQ(t)
	SHRXQ(t, l.acc, t)
	MOVQ(t, Mem{Base: l.out})
	MOVBLZX(l.n.As8(), t.As32())
	SHRL(Imm(3), t.As32())
	ADDQ(t, l.out)
	ANDL(Imm(7), l.n.As32())
}
