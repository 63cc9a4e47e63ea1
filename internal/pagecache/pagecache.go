// Package pagecache tells how much of a file is in memory. It is for tests, and
// knows nothing of what is in the file.
package pagecache

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Resident is how many bytes of the file at path, which is not empty, are in memory:
// whole pages.
func Resident(path string) (n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	m, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return 0, fmt.Errorf("map %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, unix.Munmap(m)) }()
	page := os.Getpagesize()
	pages := make([]byte, (len(m)+page-1)/page)
	if _, _, no := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&m[0])), uintptr(len(m)), uintptr(unsafe.Pointer(&pages[0]))); no != 0 {
		return 0, fmt.Errorf("mincore of %s: %w", path, no)
	}
	for _, p := range pages {
		n += int64(p&1) * int64(page)
	}
	return n, nil
}
