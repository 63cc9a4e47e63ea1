package codec

import "encoding/binary"

// gatherPlane takes every width-th byte of src, which need not go on behind
// the last one.
func gatherPlane(dst, src []byte, width int) {
	switch width {
	case 2:
		for ; len(dst) >= 8 && len(src) >= 16; dst, src = dst[8:], src[16:] {
			gather2((*[8]byte)(dst), (*[16]byte)(src))
		}
	case 4:
		done := gatherPlaneVector(dst, src)
		dst, src = dst[done:], src[4*done:]
		for ; len(dst) >= 8 && len(src) >= 32; dst, src = dst[8:], src[32:] {
			gather4((*[8]byte)(dst), (*[32]byte)(src))
		}
	}
	for i := range dst {
		dst[i] = src[i*width]
	}
}

func gather2(dst *[8]byte, src *[16]byte) {
	a := evenBytes(binary.LittleEndian.Uint64(src[0:]))
	b := evenBytes(binary.LittleEndian.Uint64(src[8:]))
	binary.LittleEndian.PutUint64(dst[:], a|b<<32)
}

// evenBytes packs the even bytes of a word.
func evenBytes(v uint64) uint64 {
	v &= lowBytes
	v = (v | v>>8) & 0x0000ffff0000ffff
	return (v | v>>16) & 0xffffffff
}

func gather4(dst *[8]byte, src *[32]byte) {
	var v uint64
	v |= uint64(src[0]) | uint64(src[4])<<8 | uint64(src[8])<<16 | uint64(src[12])<<24
	v |= uint64(src[16])<<32 | uint64(src[20])<<40 | uint64(src[24])<<48 | uint64(src[28])<<56
	binary.LittleEndian.PutUint64(dst[:], v)
}

// gatherUnits takes the upper 16 bits of every element of src.
func gatherUnits(dst, src []byte, width int) {
	if width == 4 {
		done := gatherUnitsVector(dst, src)
		dst, src = dst[2*done:], src[4*done:]
		for ; len(dst) >= 8 && len(src) >= 16; dst, src = dst[8:], src[16:] {
			v, w := binary.LittleEndian.Uint64(src), binary.LittleEndian.Uint64(src[8:])
			v, w = v>>16&0xffff|v>>48<<16, w>>16&0xffff|w>>48<<16
			binary.LittleEndian.PutUint64(dst, v|w<<32)
		}
	}
	for i := 0; i+1 < len(dst); i += 2 {
		at := (i/2+1)*width - 2
		dst[i], dst[i+1] = src[at], src[at+1]
	}
}
