// Package codec turns one chunk of a file into coded bytes and back.
//
// A chunk is a run of bytes whose elements share one type. It is cut into
// blocks, each of which can be decoded alone; blocks share models (a split of
// the elements into streams, and an entropy coder with its tables for each
// stream). A block may be coded as what differs from bytes of another chunk: its
// caller finds these and hands them in. docs/format.md specifies every byte.
//
// The package knows nothing of files, indexes, caches or mounts: bytes in,
// bytes out.
package codec

import (
	"errors"
	"fmt"
)

// Limits that hold for every chunk; a header that exceeds one is corrupt.
const (
	MaxChunkLen  = 64 << 20 // original bytes of a chunk
	MaxBlockLen  = 4 << 20  // original bytes of a block
	MaxHeaderLen = 4 << 20  // bytes of a chunk header
	MaxBlocks    = 1 << 16  // blocks of a chunk
	MaxModels    = 1 << 12  // models of a chunk

	// Padding is how many bytes of capacity a coded block's slice should have
	// beyond its length: vector kernels read past the end, never write. Less is
	// allowed, and slower.
	Padding = 64
)

// ErrCorrupt reports coded bytes that no encoder has written. Every decoding
// error but ErrUnsupported wraps it.
var ErrCorrupt = errors.New("corrupt chunk")

// ErrUnsupported reports a method, split or coder that this version of the
// program does not know. The error names it.
var ErrUnsupported = errors.New("unsupported by this version")

// Elem describes the elements of a chunk. The zero value is not valid.
type Elem struct {
	Width    uint8 // bytes of an element: 1, 2, 4 or 8
	Exponent uint8 // bits of the exponent; 0 for integers
	Mantissa uint8 // bits of the mantissa; 0 for integers
}

// The element types that have a split of their own. Anything else is Bytes,
// or an integer Elem of its width.
var (
	Bytes  = Elem{Width: 1}
	Int16  = Elem{Width: 2}
	Int32  = Elem{Width: 4}
	Int64  = Elem{Width: 8}
	BF16   = Elem{Width: 2, Exponent: 8, Mantissa: 7}
	F16    = Elem{Width: 2, Exponent: 5, Mantissa: 10}
	F32    = Elem{Width: 4, Exponent: 8, Mantissa: 23}
	F64    = Elem{Width: 8, Exponent: 11, Mantissa: 52}
	F8E4M3 = Elem{Width: 1, Exponent: 4, Mantissa: 3}
	F8E5M2 = Elem{Width: 1, Exponent: 5, Mantissa: 2}
)

// Method is a way of coding a chunk. Its number stands in the archive and its
// name on the command line.
type Method uint8

// The methods. Auto is the encoder's choice among the others and is never
// written.
const (
	Raw Method = iota
	Zstd19
	Zstd19ByteGrouped
	BF16Split
	Scape
	BF16SplitCtx
	BF16SplitZstd19
	BF16SplitXZ9
	FP16Split
	FP16SplitCtx
	FP16SplitZstd19
	FP16SplitXZ9
	BF16SplitPretrained
	BF16SplitMixture
	Zstd19Dict
	numMethods

	Auto Method = 255
)

var methodNames = [...]string{
	Raw:               "raw",
	Zstd19:            "zstd_19",
	Zstd19ByteGrouped: "zstd_19_bytegrouped",
	BF16Split:         "bf16_split",
	Scape:             "scape",
	BF16SplitCtx:      "bf16_split_ctx",
	BF16SplitZstd19:   "bf16_split_zstd_19",
	BF16SplitXZ9:      "bf16_split_xz_9",
	FP16Split:         "fp16_split",
	FP16SplitCtx:      "fp16_split_ctx",
	FP16SplitZstd19:   "fp16_split_zstd_19",
	FP16SplitXZ9:      "fp16_split_xz_9",

	BF16SplitPretrained: "bf16_split_pretrained",
	BF16SplitMixture:    "bf16_split_mixture",
	Zstd19Dict:          "zstd_19_dict",
}

// Methods lists every method that can be written, in order of their numbers.
func Methods() []Method {
	m := make([]Method, numMethods)
	for i := range m {
		m[i] = Method(i)
	}
	return m
}

func (m Method) String() string {
	switch {
	case m == Auto:
		return "auto"
	case int(m) < len(methodNames):
		return methodNames[m]
	}
	return fmt.Sprintf("method-%d", uint8(m))
}

// ParseMethod gives the method called name, Auto included.
func ParseMethod(name string) (Method, error) {
	if name == "auto" {
		return Auto, nil
	}
	for i, n := range methodNames {
		if n == name {
			return Method(i), nil
		}
	}
	return 0, fmt.Errorf("unknown codec %q (known: auto, %s)", name, joinMethodNames())
}

func joinMethodNames() string {
	s := ""
	for i, n := range methodNames {
		if i > 0 {
			s += ", "
		}
		s += n
	}
	return s
}

// Encoded is one coded chunk.
type Encoded struct {
	Method  Method // the method used; with Auto, the one chosen
	Header  []byte // models and block table
	Payload []byte // coded blocks, one after another
	Refers  bool   // some block needs a Reference to be decoded
}
