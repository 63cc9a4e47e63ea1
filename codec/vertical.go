package codec

import (
	"encoding/binary"
	"slices"
)

// Vertical packing of symbols of k bits, 1 <= k <= 7 (docs/format.md, "Bits").
//
// Symbols come in vectors of vectorLen. A group is in vectors of which out are
// stored: the first out vectors keep their symbols in the low k bits of each
// byte, and the symbols of the others fill the high bits, lowest first. Byte j
// of every stored vector thus depends on byte j of the input vectors alone, so
// that the same code serves words of 64 bits and vectors of any width. The
// symbols after the last whole group are packed one after another.
const vectorLen = 64

// groupVectors gives the vectors of symbols in a group, and those stored.
func groupVectors(k int) (in, out int) {
	switch {
	case k&1 == 1:
		return 8, k
	case k == 4:
		return 2, 1
	default: // 2, 6
		return 4, k / 2
	}
}

// maxGroup symbols are a whole number of groups for every k.
const maxGroup = 8 * vectorLen

// packedLen is the number of bytes that n symbols of k bits take.
func packedLen(n, k int) int {
	in, out := groupVectors(k)
	groups := n / (in * vectorLen)
	rest := n - groups*in*vectorLen
	return groups*out*vectorLen + (rest*k+7)/8
}

// spread8 repeats a byte in every byte of a word.
func spread8(b uint64) uint64 { return b * 0x0101010101010101 }

// packVertical packs src, whose bytes have their upper 8-k bits clear, and
// appends to dst.
func packVertical(dst, src []byte, k int) []byte {
	in, out := groupVectors(k)
	groups := len(src) / (in * vectorLen)
	at := len(dst)
	dst = slices.Grow(dst, packedLen(len(src), k))[:at+groups*out*vectorLen]
	whole := src[:groups*in*vectorLen]
	for done := packVector(dst[at:], whole, k); done < groups; done++ {
		packGroup(dst[at+done*out*vectorLen:][:out*vectorLen], whole[done*in*vectorLen:][:in*vectorLen], k)
	}
	w := bitWriter{buf: dst}
	for _, s := range src[len(whole):] {
		w.write(uint32(s), uint(k))
	}
	return w.close()
}

// packGroup puts the symbols of the vectors from out on into the high bits of
// the first out vectors, a bit field at a time.
func packGroup(dst, src []byte, k int) {
	in, out := groupVectors(k)
	copy(dst, src[:out*vectorLen])
	spare := 8 - k
	for bit := 0; bit < (in-out)*k; {
		from, low := bit/k, bit%k
		to, high := bit/spare, bit%spare
		width := min(k-low, spare-high)
		addField((*[vectorLen]byte)(dst[to*vectorLen:]), (*[vectorLen]byte)(src[(out+from)*vectorLen:]),
			spread8(1<<width-1), uint(low), uint(k+high))
		bit += width
	}
}

// addField puts the bits of mask, taken from low on in every byte of src, into
// those of dst from high on.
func addField(dst, src *[vectorLen]byte, mask uint64, low, high uint) {
	for h := 0; h < vectorLen; h += 8 {
		v := binary.LittleEndian.Uint64(src[h:]) >> (low & 7) & mask << (high & 7)
		binary.LittleEndian.PutUint64(dst[h:], binary.LittleEndian.Uint64(dst[h:])|v)
	}
}

// unpackVertical fills dst with the symbols packed in src, which has
// packedLen(len(dst), k) bytes.
func unpackVertical(dst, src []byte, k int) {
	in, out := groupVectors(k)
	done := unpackVector(dst, src, k)
	dst, src = dst[done*in*vectorLen:], src[done*out*vectorLen:]
	for len(dst) >= in*vectorLen {
		unpackGroup(dst[:in*vectorLen], src[:out*vectorLen], k)
		dst, src = dst[in*vectorLen:], src[out*vectorLen:]
	}
	r := bitReader{buf: src}
	for i := range dst {
		dst[i] = byte(r.read(uint(k)))
	}
}

func unpackGroup(dst, src []byte, k int) {
	switch k {
	case 6:
		unpack6((*[4 * vectorLen]byte)(dst), (*[3 * vectorLen]byte)(src))
	case 7:
		unpack7((*[8 * vectorLen]byte)(dst), (*[7 * vectorLen]byte)(src))
	default:
		unpackAny(dst, src, k)
	}
}

func unpackAny(dst, src []byte, k int) {
	in, out := groupVectors(k)
	spare := 8 - k
	mask := spread8(1<<k - 1)
	for h := 0; h < vectorLen; h += 8 {
		for v := range out {
			s := binary.LittleEndian.Uint64(src[v*vectorLen+h:])
			binary.LittleEndian.PutUint64(dst[v*vectorLen+h:], s&mask)
		}
		for v := range in - out {
			var s uint64
			for low := 0; low < k; {
				bit := v*k + low
				from, high := bit/spare, bit%spare
				width := min(k-low, spare-high)
				p := binary.LittleEndian.Uint64(src[from*vectorLen+h:])
				s |= p >> (k + high) & spread8(1<<width-1) << low
				low += width
			}
			binary.LittleEndian.PutUint64(dst[(out+v)*vectorLen+h:], s)
		}
	}
}

// unpack6 and unpack7 are unpackAny with the loops over bit fields written
// out: they serve bf16 at t = 2 and t = 1.
func unpack6(dst *[4 * vectorLen]byte, src *[3 * vectorLen]byte) {
	const mask = 0x3f3f3f3f3f3f3f3f
	for h := 0; h < vectorLen; h += 8 {
		a := binary.LittleEndian.Uint64(src[h:])
		b := binary.LittleEndian.Uint64(src[h+64:])
		c := binary.LittleEndian.Uint64(src[h+128:])
		binary.LittleEndian.PutUint64(dst[h:], a&mask)
		binary.LittleEndian.PutUint64(dst[h+64:], b&mask)
		binary.LittleEndian.PutUint64(dst[h+128:], c&mask)
		d := a>>6&0x0303030303030303 | b>>4&0x0c0c0c0c0c0c0c0c | c>>2&0x3030303030303030
		binary.LittleEndian.PutUint64(dst[h+192:], d)
	}
}

func unpack7(dst *[8 * vectorLen]byte, src *[7 * vectorLen]byte) {
	const mask = 0x7f7f7f7f7f7f7f7f
	for h := 0; h < vectorLen; h += 8 {
		var last uint64
		for v := range 7 {
			s := binary.LittleEndian.Uint64(src[v*64+h:])
			last |= s >> (7 - v) & (0x0101010101010101 << v)
			binary.LittleEndian.PutUint64(dst[v*64+h:], s&mask)
		}
		binary.LittleEndian.PutUint64(dst[7*64+h:], last)
	}
}
