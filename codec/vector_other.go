//go:build !amd64 || purego

package codec

func bestBackend() backend { return backendGo }

// The vector kernels do as much of the work as they can and say how much that
// is: here, none.

func ransDecodeVector(*ransDecoder, []byte) int { return 0 }

func mergePairedVector(*merger, []byte, []byte, []byte) int { return 0 }

func mergePackedVector(*merger, []byte, []byte, []byte) int { return 0 }

func unpackVector(dst, src []byte, k int) int { return 0 }

func vectorParams(*split) [4]uint64 { return [4]uint64{} }

func huffmanDecodeVector(*huffmanTable, *huffmanLanes, []byte, []byte, int) bool { return false }
