package codec

// Tables may change where a part begins.

// unknownPartLen is how long parts are where nothing is known of tensors.
func (l Level) unknownPartLen() int {
	if l == Fast {
		return 256 << 10
	}
	return 32 << 10
}

// fastPartLen is how long parts are at least where speed counts: to choose a
// table, and to fill it when decoding, takes as long as to code 50 KB.
const fastPartLen = 512 << 10

// parts gives the parts of n bytes of floats that may be alike or not: tensors
// or, of which nothing is known, parts of a length.
func (l Level) parts(known []Part, n int) []Part {
	switch {
	case len(known) == 0:
		return unknownParts(n, l.unknownPartLen())
	case l == Fast:
		return partsOf(known, n, fastPartLen)
	}
	return known
}

// unknownParts cuts n bytes into parts of size bytes and a longer one.
func unknownParts(n, size int) []Part {
	parts := make([]Part, n/size)
	for i := range parts {
		parts[i].Off = i * size
	}
	return parts
}

// partsOf takes neighbours among the parts of n bytes together to such of at
// least size bytes, which have no shape.
func partsOf(parts []Part, n, size int) (longer []Part) {
	for i, p := range parts {
		end := n
		if i+1 < len(parts) {
			end = parts[i+1].Off
		}
		last := len(longer) - 1
		if last >= 0 && p.Off-longer[last].Off < size && end-p.Off < size {
			longer[last].Shape = nil
			continue
		}
		longer = append(longer, p)
	}
	return longer
}
