package safetensors

import (
	"errors"
	"math/bits"
)

// DType is the type of a tensor's elements, by its name in the file.
type DType string

// The dtypes of the reference implementation. A file may name others.
const (
	Bool       DType = "BOOL"
	F4         DType = "F4"
	F6E2M3     DType = "F6_E2M3"
	F6E3M2     DType = "F6_E3M2"
	U8         DType = "U8"
	I8         DType = "I8"
	F8E5M2     DType = "F8_E5M2"
	F8E4M3     DType = "F8_E4M3"
	F8E8M0     DType = "F8_E8M0"
	F8E4M3FNUZ DType = "F8_E4M3FNUZ"
	F8E5M2FNUZ DType = "F8_E5M2FNUZ"
	I16        DType = "I16"
	U16        DType = "U16"
	F16        DType = "F16"
	BF16       DType = "BF16"
	I32        DType = "I32"
	U32        DType = "U32"
	F32        DType = "F32"
	C64        DType = "C64"
	F64        DType = "F64"
	I64        DType = "I64"
	U64        DType = "U64"
)

// Bits gives the size of one element in bits, and false if d is not known. It
// need not be a multiple of 8; the size of a whole tensor is.
func (d DType) Bits() (int, bool) {
	switch d {
	case F4:
		return 4, true
	case F6E2M3, F6E3M2:
		return 6, true
	case Bool, U8, I8, F8E5M2, F8E4M3, F8E8M0, F8E4M3FNUZ, F8E5M2FNUZ:
		return 8, true
	case I16, U16, F16, BF16:
		return 16, true
	case I32, U32, F32:
		return 32, true
	case C64, F64, I64, U64:
		return 64, true
	}
	return 0, false
}

var (
	errTooLarge = errors.New("the tensor's size overflows 64 bits")
	errPartByte = errors.New("the tensor does not fill a whole number of bytes")
)

// extent gives the bytes of a tensor whose elements have elemBits bits. It
// multiplies from left to right, as the reference does: a 0 hides an overflow
// behind it, and none in front of it.
func extent(shape []int64, elemBits int) (uint64, error) {
	n := uint64(1)
	for _, dim := range shape {
		hi, lo := bits.Mul64(n, uint64(dim))
		if hi != 0 {
			return 0, errTooLarge
		}
		n = lo
	}
	hi, total := bits.Mul64(n, uint64(elemBits))
	if hi != 0 {
		return 0, errTooLarge
	}
	if total%8 != 0 {
		return 0, errPartByte
	}
	return total / 8, nil
}
