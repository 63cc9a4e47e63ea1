package index

// dtypes are the element types a row can name, by their names in safetensors.
// A type's number is its place; numbers are never reused.
var dtypes = [...]string{
	1:  "BOOL",
	2:  "U8",
	3:  "I8",
	4:  "U16",
	5:  "I16",
	6:  "U32",
	7:  "I32",
	8:  "U64",
	9:  "I64",
	10: "F16",
	11: "BF16",
	12: "F32",
	13: "F64",
	14: "C64",
	15: "F8_E4M3",
	16: "F8_E5M2",
	17: "F8_E8M0",
	18: "F6_E2M3",
	19: "F6_E3M2",
	20: "F4",
	21: "F8_E4M3FNUZ",
	22: "F8_E5M2FNUZ",
}

// DTypeCode gives the number of a safetensors dtype, 0 if it has none.
func DTypeCode(name string) uint8 {
	for i := 1; i < len(dtypes); i++ {
		if dtypes[i] == name {
			return uint8(i)
		}
	}
	return 0
}

// DTypeName gives the safetensors name of a number; "bytes" for 0 and for
// numbers that have none.
func DTypeName(code uint8) string {
	if code == 0 || int(code) >= len(dtypes) {
		return "bytes"
	}
	return dtypes[code]
}
