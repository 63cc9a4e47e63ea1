package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// DropPages takes n bytes of f from off on out of memory, or all that follows off if n
// is 0, where they are clean. It is advice: a file system in memory has nowhere
// else to keep them.
func DropPages(f *os.File, off, n int64) {
	_ = unix.Fadvise(int(f.Fd()), off, n, unix.FADV_DONTNEED)
}
