package archive

import (
	"github.com/scapefs/scapefs/codec"
	"github.com/scapefs/scapefs/safetensors"
)

// elems maps the safetensors dtypes to elements as the codec sees them. What is
// not here, one byte wide or narrower, is coded as bytes.
var elems = map[safetensors.DType]codec.Elem{
	"U16":         codec.Int16,
	"I16":         codec.Int16,
	"U32":         codec.Int32,
	"I32":         codec.Int32,
	"U64":         codec.Int64,
	"I64":         codec.Int64,
	"F16":         codec.F16,
	"BF16":        codec.BF16,
	"F32":         codec.F32,
	"C64":         codec.F32, // two F32
	"F64":         codec.F64,
	"F8_E4M3":     codec.F8E4M3,
	"F8_E4M3FNUZ": codec.F8E4M3,
	"F8_E5M2":     codec.F8E5M2,
	"F8_E5M2FNUZ": codec.F8E5M2,
}

// noDType is that of bytes that belong to no tensor.
const noDType safetensors.DType = ""

func elemOf(d safetensors.DType) codec.Elem {
	if elem, ok := elems[d]; ok {
		return elem
	}
	return codec.Bytes
}
