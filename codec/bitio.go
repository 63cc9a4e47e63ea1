package codec

import "encoding/binary"

// bitWriter appends values of up to 32 bits, least significant bit first.
type bitWriter struct {
	buf []byte
	acc uint64
	n   uint
}

func (w *bitWriter) write(v uint32, bits uint) {
	w.acc |= uint64(v) << w.n
	for w.n += bits; w.n >= 8; w.n -= 8 {
		w.buf = append(w.buf, byte(w.acc))
		w.acc >>= 8
	}
}

// close pads the last byte with zero bits and returns all of them.
func (w *bitWriter) close() []byte {
	if w.n > 0 {
		w.buf = append(w.buf, byte(w.acc))
		w.acc, w.n = 0, 0
	}
	return w.buf
}

// bitReader reads what bitWriter wrote. After a read past the end it returns
// zeros, and short is set.
type bitReader struct {
	buf   []byte // what acc does not hold yet
	acc   uint64 // the next n bits, and zeros above them
	n     uint
	short bool
}

// read gives the next bits, at most 32.
func (r *bitReader) read(bits uint) uint32 {
	if r.n < bits {
		r.refill()
	}
	v := uint32(r.acc & (1<<bits - 1))
	r.skip(bits)
	return v
}

// skip goes on by that many bits, which read or refill have brought.
func (r *bitReader) skip(bits uint) {
	if bits > r.n {
		r.short, r.acc, r.n = true, 0, 0
		return
	}
	r.acc >>= bits
	r.n -= bits
}

// refill brings the bits in acc to 56 or more, if there are as many.
func (r *bitReader) refill() {
	if len(r.buf) >= 8 && r.n <= 56 {
		taken := (63 - r.n) / 8
		r.acc |= binary.LittleEndian.Uint64(r.buf) << r.n
		r.n += 8 * taken
		r.acc &= 1<<r.n - 1
		r.buf = r.buf[taken:]
		return
	}
	for r.n <= 56 && len(r.buf) > 0 {
		r.acc |= uint64(r.buf[0]) << r.n
		r.n += 8
		r.buf = r.buf[1:]
	}
}

// close returns the bytes after the last one read from, and whether the
// padding bits of that one are zero and no read ran short. buf must be a part
// of all that the reader was given.
func (r *bitReader) close(all []byte) (rest []byte, ok bool) {
	left := len(r.buf) + int(r.n/8)
	return all[len(all)-left:], !r.short && r.acc&(1<<(r.n%8)-1) == 0
}
