// Package hostmem gets memory from the host of a virtual machine before it is
// needed. Hosts take back what a guest has freed, and give it again page by page
// and slowly, which would be measured as the slowness of whatever needs it next.
package hostmem

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// pageSize is the smallest that pages are.
const pageSize = 4 << 10

// Back takes n bytes of memory in large pages and as many in small ones, writes to
// every page, and frees them: free memory that the host now stands behind, for a
// second or two, whatever the length of the blocks that are taken next.
func Back(n int64) (err error) {
	if n <= 0 {
		return nil
	}
	for _, advice := range [...]int{unix.MADV_HUGEPAGE, unix.MADV_NOHUGEPAGE} {
		b, failed := unix.Mmap(-1, 0, int(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if failed != nil {
			return fmt.Errorf("take %d bytes: %w", n, failed)
		}
		defer func() { err = errors.Join(err, unix.Munmap(b)) }()
		_ = unix.Madvise(b, advice) // there may be no large pages
		for i := 0; i < len(b); i += pageSize {
			b[i] = 1
		}
	}
	return nil
}
