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

// ReadAhead advises the system to read ahead of those who read f, as it does from the
// start, or not to.
func ReadAhead(f *os.File, ahead bool) {
	advice := unix.FADV_RANDOM
	if ahead {
		advice = unix.FADV_NORMAL
	}
	_ = unix.Fadvise(int(f.Fd()), 0, 0, advice)
}
