package codec

import (
	"encoding/binary"
	"math/bits"
)

// huffmanEncoder codes the streams of a block.
type huffmanEncoder struct {
	codes [256]uint32 // code<<codeShift | length
	bits  []byte      // scratch: the streams one after another
}

const codeShift = 5

func (e *huffmanEncoder) init(c codeLengths) {
	clear(e.codes[:])
	code, length := uint32(0), uint(0)
	for _, s := range c.byLength() {
		l := uint(c[s])
		code <<= l - length
		length = l
		reversed := uint32(bits.Reverse16(uint16(code)) >> (16 - l)) // the first bit is the lowest
		e.codes[s] = reversed<<codeShift | uint32(l)
		code++
	}
}

// encode appends the coded bytes of src to dst. Every symbol in src must have
// a code.
func (e *huffmanEncoder) encode(dst, src []byte, streamsLog2 uint) []byte {
	// No code has more than 12 bits; a stream ends with up to 8 bytes of slack.
	if need := len(src)*maxCodeLen/8 + 16*maxHuffmanStreams; len(e.bits) < need {
		e.bits = make([]byte, need)
	}
	deal := dealHuffman(len(src), streamsLog2)
	at := 0
	for k := range deal.streams {
		w := huffmanWriter{buf: e.bits[at:]}
		for round := deal.rounds; round >= 0; round-- {
			from, to := deal.subTile(round, k)
			e.append(&w, src[from:to])
		}
		n := w.close()
		at += n
		if k < deal.streams-1 {
			dst = binary.AppendUvarint(dst, uint64(n))
		}
	}
	return append(dst, e.bits[:at]...)
}

// huffmanWriter writes bits, the first to the lowest of a byte. buf has 8
// bytes more than what is written.
type huffmanWriter struct {
	buf []byte
	pos int
	acc uint64 // bits not written yet
	n   uint   // of them; fewer than 8
}

// append writes the codes of src, last symbol first.
func (e *huffmanEncoder) append(w *huffmanWriter, src []byte) {
	acc, n, buf := w.acc, w.n, w.buf[w.pos:]
	whole := len(buf)
	for len(src) >= 4 && len(buf) >= 8 {
		// At most 7 + 4*12 bits are in acc.
		s := src[len(src)-4:]
		src = src[:len(src)-4]
		c0, c1, c2, c3 := e.codes[s[3]], e.codes[s[2]], e.codes[s[1]], e.codes[s[0]]
		l0, l1, l2, l3 := uint(c0&31), uint(c1&31), uint(c2&31), uint(c3&31)
		first := uint64(c0>>codeShift) | uint64(c1>>codeShift)<<(l0&31)
		second := uint64(c2>>codeShift) | uint64(c3>>codeShift)<<(l2&31)
		first |= second << ((l0 + l1) & 31)
		acc |= first << (n & 7)
		n += l0 + l1 + l2 + l3
		binary.LittleEndian.PutUint64(buf, acc)
		acc >>= n & 0x38
		buf = buf[n>>3:]
		n &= 7
	}
	w.acc, w.n, w.pos = acc, n, w.pos+whole-len(buf)
	for i := len(src) - 1; i >= 0; i-- {
		c := e.codes[src[i]]
		w.write(uint64(c>>codeShift), uint(c&31))
	}
}

func (w *huffmanWriter) write(code uint64, length uint) {
	w.acc |= code << w.n
	for w.n += length; w.n >= 8; w.n -= 8 {
		w.buf[w.pos] = byte(w.acc)
		w.pos++
		w.acc >>= 8
	}
}

// close pads the last byte with zero bits and returns the length.
func (w *huffmanWriter) close() int {
	if w.n > 0 {
		w.write(0, 8-w.n)
	}
	return w.pos
}
