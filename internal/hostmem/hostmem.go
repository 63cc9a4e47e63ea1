// Package hostmem gets memory from the host of a virtual machine before it is
// needed. Hosts take back what a guest has freed, and give it again page by page
// and slowly, which would be measured as the slowness of whatever needs it next.
package hostmem

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// pageSize is the smallest that pages are.
const pageSize = 4 << 10

// Back takes n bytes of memory, writes to every page, and frees them: free
// memory that the host now stands behind, for a second or two.
func Back(n int64) error {
	if n <= 0 {
		return nil
	}
	b, err := unix.Mmap(-1, 0, int(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return fmt.Errorf("take %d bytes: %w", n, err)
	}
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // faster where there are huge pages
	for i := 0; i < len(b); i += pageSize {
		b[i] = 1
	}
	return unix.Munmap(b)
}
