//go:build !purego

package codec

import "golang.org/x/sys/cpu"

// hasVBMI is whether backendAVX512 can look up bytes in two vectors at once.
var hasVBMI = cpu.X86.HasAVX512VBMI

// ransEncodeVector encodes whole groups of 64 lanes from the end of src, and
// gives the number of symbols encoded. It writes at most ransPadding bytes
// below the words, where encode made room.
func ransEncodeVector(e *ransEncoder, src []byte, lanes int) int {
	groups := len(src) / maxLanes
	if lanes != maxLanes || groups == 0 || !e.vector.exact {
		return 0
	}
	_ = e.words[e.pos-2*groups*maxLanes-ransPadding]
	words := &e.words[e.pos-2]
	written := 0
	switch b := backend(current.Load()); {
	case b == backendGo:
		return 0
	case b == backendAVX512 && hasVBMI && e.vector.symbols <= vectorSymbols:
		written = ransEncodeVBMI(&src[0], groups, &e.state, &e.vector.bytes, words)
	default:
		written = ransEncodeAVX2(&src[0], groups, &e.state, &e.vector.entries, words)
	}
	e.pos -= written
	return groups * maxLanes
}
