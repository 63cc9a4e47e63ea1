package codec

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
	buf   []byte
	acc   uint64
	n     uint
	short bool
}

func (r *bitReader) read(bits uint) uint32 {
	for r.n < bits {
		if len(r.buf) == 0 {
			r.short = true
			return 0
		}
		r.acc |= uint64(r.buf[0]) << r.n
		r.buf = r.buf[1:]
		r.n += 8
	}
	v := uint32(r.acc & (1<<bits - 1))
	r.acc >>= bits
	r.n -= bits
	return v
}

// close returns the bytes after the last one read from, and whether the
// padding bits of that one are zero and no read ran short.
func (r *bitReader) close() (rest []byte, ok bool) {
	return r.buf, !r.short && r.acc == 0
}
