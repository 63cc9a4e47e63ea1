package codec

import "encoding/binary"

// joinPlanes writes elements of two bytes.
func joinPlanes(dst, low, high []byte) {
	done := joinPlanesVector(dst, low, high)
	dst, low, high = dst[2*done:], low[done:], high[done:]
	for ; len(low) >= 4 && len(high) >= 4 && len(dst) >= 8; dst, low, high = dst[8:], low[4:], high[4:] {
		binary.LittleEndian.PutUint64(dst, spreadBytes(low)|spreadBytes(high)<<8)
	}
	for i, v := range low {
		dst[2*i], dst[2*i+1] = v, high[i]
	}
}

// joinWide writes elements of four bytes: the lowest, the next, and the upper
// two in units.
func joinWide(dst, low, high, units []byte) {
	done := joinWideVector(dst, low, high, units)
	dst, low, high, units = dst[4*done:], low[done:], high[done:], units[2*done:]
	for len(low) >= 4 && len(high) >= 4 && len(units) >= 8 && len(dst) >= 16 {
		w, u := spreadBytes(low)|spreadBytes(high)<<8, binary.LittleEndian.Uint64(units)
		binary.LittleEndian.PutUint64(dst, w&0xffff|w>>16&0xffff<<32|u&0xffff<<16|u>>16<<48)
		w, u = w>>32, u>>32
		binary.LittleEndian.PutUint64(dst[8:], w&0xffff|w>>16&0xffff<<32|u&0xffff<<16|u>>16<<48)
		dst, low, high, units = dst[16:], low[4:], high[4:], units[8:]
	}
	for i, v := range low {
		dst[4*i], dst[4*i+1], dst[4*i+2], dst[4*i+3] = v, high[i], units[2*i], units[2*i+1]
	}
}

// interleave writes src to every width-th byte of dst.
func interleave(dst, src []byte, width int) {
	for i, v := range src {
		dst[i*width] = v
	}
}
