package disk

import (
	"io/fs"
	"syscall"
	"time"
)

// ID tells one file from another, whatever their names.
type ID struct{ dev, ino uint64 }

// IDOf gives the ID of what os.Stat or os.Lstat told of a file.
func IDOf(info fs.FileInfo) ID {
	st := info.Sys().(*syscall.Stat_t)
	return ID{uint64(st.Dev), st.Ino}
}

// ChangeTime is when contents or attributes of a file last changed, by the
// clock of its file system. Unlike the mtime nobody can set it back.
func ChangeTime(info fs.FileInfo) time.Time {
	return changeTime(info.Sys().(*syscall.Stat_t))
}
