//go:build !amd64 || purego

package codec

func ransDecodeClassesVector(*ransDecoder, []byte, []byte, contextTables) int { return 0 }

func bestBackend() backend { return backendGo }

func hasVectors() bool { return false }

// The vector kernels do as much of the work as they can and say how much that
// is: here, none.

func ransTableVector(t *ransTable, f frequencies) (symbols, slots int) { return 0, 0 }

func ransDecodeVector(d *ransDecoder, dst, ahead []byte) int { return 0 }

func joinUnitsVector(j *joining, dst, symbols, low, high []byte) int { return 0 }

func joinPackedVector(j *joining, dst, symbols, packed []byte, bits int) int { return 0 }

func unpackVector(dst, src []byte, k int) int { return 0 }

func vectorJoining(*joining) [4]uint64 { return [4]uint64{} }

func ransEncodeVector(*ransEncoder, []byte, uint) int { return 0 }

func ransEncodeClassesVector(e *ransEncoder, src, classes []byte, tables [][256]uint64, lanesLog2 uint) int {
	return 0
}

func takeUnitsVector(p *pairing, symbols, low, high, units []byte) int { return 0 }

func rangeUnitsVector(*unitRange, []byte) int { return 0 }

func packVector(dst, src []byte, k int) int { return 0 }

func gatherPlaneVector(dst, src []byte) int { return 0 }

func gatherUnitsVector(dst, src []byte) int { return 0 }

func huffmanDecodeVector(t *huffmanTable, l *huffmanLanes, dst, src []byte, lanes, steps int, ahead *lookahead) bool {
	return false
}

func joinPlanesVector(dst, low, high []byte) int { return 0 }

func joinWideVector(dst, low, high, units []byte) int                        { return 0 }
func huffmanEncodeTwoVector(*huffmanEncoder, *[2]huffmanWriter, []byte, int) {}

func huffmanEncodeVector(*huffmanEncoder, *huffmanWriter, []byte, int) bool { return false }

func lookUpVector(dst, src []byte, table *[256]byte, symbols int) int { return 0 }
