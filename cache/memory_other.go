//go:build !linux

package cache

// mapSlots takes one slot from the Go heap; there is no region to unmap.
func mapSlots(slot int64, _ bool) (region []byte, slots [][]byte, err error) {
	return nil, [][]byte{make([]byte, slot)}, nil
}

// giveBack leaves the slot to the garbage collector.
func giveBack([]byte) bool { return false }

func unmapRegion([]byte) {}
