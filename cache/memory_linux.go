package cache

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// mapSlots maps a region outside the Go heap, which the garbage collector
// neither scans nor counts, and cuts it into slots. Memory backs a slot once it
// is written to; with huge, also once another slot of such a region is.
func mapSlots(slot int64, huge bool) (region []byte, slots [][]byte, err error) {
	region, err = unix.Mmap(-1, 0, regionSize, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, nil, fmt.Errorf("cache: map %d bytes of memory: %w", regionSize, err)
	}
	advice := unix.MADV_NOHUGEPAGE
	if huge {
		advice = unix.MADV_HUGEPAGE
	}
	_ = unix.Madvise(region, advice) // a kernel without huge pages refuses either
	for rest := region; len(rest) > 0; rest = rest[slot:] {
		slots = append(slots, rest[:slot:slot])
	}
	return region, slots, nil
}

// giveBack returns the memory behind a slot to the system and reports whether
// the slot can be used again. From then on no huge page may back the slot, as
// it would come back with its neighbours. It fails only on memory that the
// process locked, which then stays resident as the process wished.
func giveBack(slot []byte) bool {
	_ = unix.Madvise(slot, unix.MADV_NOHUGEPAGE)
	_ = unix.Madvise(slot, unix.MADV_DONTNEED)
	return true
}

func unmapRegion(region []byte) {
	_ = unix.Munmap(region) // fails only on a region that mapSlots did not return
}
