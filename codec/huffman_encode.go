package codec

import (
	"encoding/binary"
	"math/bits"
)

// huffmanEncoder codes the streams of a block.
type huffmanEncoder struct {
	codes [256]uint64 // the code in the uppermost bits, its length in the low byte
	bits  []byte      // scratch: the streams, each with room for the longest codes
}

// huffmanSlack is how far beyond a stream's bits a writer may write.
const huffmanSlack = 8

func (e *huffmanEncoder) init(c codeLengths) {
	clear(e.codes[:])
	code, length := uint32(0), uint(0)
	for _, s := range c.byLength() {
		l := uint(c[s])
		code <<= l - length
		length = l
		reversed := uint64(bits.Reverse16(uint16(code)) >> (16 - l)) // the first bit is the lowest
		e.codes[s] = reversed<<(64-l) | uint64(l)
		code++
	}
}

// encode appends the coded bytes of src to dst. Every symbol in src must have
// a code.
func (e *huffmanEncoder) encode(dst, src []byte, streamsLog2 uint) []byte {
	deal := dealHuffman(len(src), streamsLog2)
	if need := len(src)*maxCodeLen/8 + (huffmanSlack+1)*deal.streams; len(e.bits) < need {
		e.bits = make([]byte, need)
	}
	var lanes [maxHuffmanStreams]huffmanWriter
	var starts [maxHuffmanStreams]int
	at := 0
	for k := range deal.streams {
		starts[k], lanes[k].out = at, at
		at += deal.symbolsOf(k)*maxCodeLen/8 + huffmanSlack + 1
	}
	if deal.streams == 1 {
		e.append(&lanes[0], src, 0, len(src))
	}
	for k := 0; k+1 < deal.streams; k += 2 {
		for round := deal.rounds; round >= 0; round-- {
			e.appendTwo((*[2]huffmanWriter)(lanes[k:]), src, &deal, round, k)
		}
	}
	for k := range deal.streams {
		e.close(&lanes[k])
		if k < deal.streams-1 {
			dst = binary.AppendUvarint(dst, uint64(lanes[k].out-starts[k]))
		}
	}
	for k := range deal.streams {
		dst = append(dst, e.bits[starts[k]:lanes[k].out]...)
	}
	return dst
}

// huffmanWriter writes a stream of bits, the first to the lowest of a byte.
type huffmanWriter struct {
	acc uint64 // its upper n bits are not written yet, and no others matter
	n   uint64 // fewer than 8
	out int    // where the next byte goes
	in  int    // behind the symbol to code next
}

// appendTwo writes the codes of what streams k and k+1 have of a round, last
// symbol first: with a kernel side by side, as far as both go.
func (e *huffmanEncoder) appendTwo(w *[2]huffmanWriter, src []byte, deal *huffmanDeal, round, k int) {
	from, to := deal.subTile(round, k)
	from2, to2 := deal.subTile(round, k+1)
	w[0].in, w[1].in = to, to2
	if groups := min(to-from, to2-from2) / huffmanGroup; groups > 0 {
		huffmanEncodeTwoVector(e, w, src, groups)
	}
	e.append(&w[0], src, from, w[0].in)
	e.append(&w[1], src, from2, w[1].in)
}

// append writes the codes of src[from:to], last symbol first.
func (e *huffmanEncoder) append(w *huffmanWriter, src []byte, from, to int) {
	w.in = to
	if groups := (to - from) / huffmanGroup; groups > 0 && !huffmanEncodeVector(e, w, src, groups) {
		e.appendGroups(w, src, groups)
	}
	for ; w.in > from; w.in-- {
		w.put(e.codes[src[w.in-1]])
		e.flush(w)
	}
}

// huffmanGroup is how many symbols are put before what they make is written:
// 7 + 4*12 bits are in acc then.
const huffmanGroup = 4

// appendGroups is what the kernels do: put and flush, in local variables.
func (e *huffmanEncoder) appendGroups(w *huffmanWriter, src []byte, groups int) {
	acc, n, buf := w.acc, w.n, e.bits[w.out:]
	src = src[:w.in]
	w.in -= groups * huffmanGroup
	whole := len(buf)
	for ; groups > 0 && len(src) >= huffmanGroup && len(buf) >= 8; groups-- {
		s := (*[huffmanGroup]byte)(src[len(src)-huffmanGroup:])
		src = src[:len(src)-huffmanGroup]
		c0, c1, c2, c3 := e.codes[s[3]], e.codes[s[2]], e.codes[s[1]], e.codes[s[0]]
		acc = acc>>(c0&63) | c0
		acc = acc>>(c1&63) | c1
		acc = acc>>(c2&63) | c2
		acc = acc>>(c3&63) | c3
		n += (c0 + c1 + c2 + c3) & 63
		binary.LittleEndian.PutUint64(buf, acc>>(-n&63))
		buf = buf[n>>3:]
		n &= 7
	}
	w.acc, w.n, w.out = acc, n, w.out+whole-len(buf)
}

// put appends a code. Its length may stay in the low bits of acc: they are not
// among those written.
func (w *huffmanWriter) put(code uint64) {
	w.acc = w.acc>>(code&63) | code
	w.n += code & 63
}

// flush writes all bits, and keeps those after the last whole byte.
func (e *huffmanEncoder) flush(w *huffmanWriter) {
	binary.LittleEndian.PutUint64(e.bits[w.out:], w.acc>>(-w.n&63))
	w.out += int(w.n >> 3)
	w.n &= 7
}

// close pads the last byte with zero bits.
func (e *huffmanEncoder) close(w *huffmanWriter) {
	if w.n > 0 {
		e.bits[w.out] = byte(w.acc >> (64 - w.n))
		w.out++
	}
}
