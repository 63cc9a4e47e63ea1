package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// dropPages takes the clean pages of f out of memory. It is advice: a file
// system in memory has nowhere else to keep them.
func dropPages(f *os.File) {
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}
