//go:build !linux

package disk

import "os"

// DropPages does nothing here.
func DropPages(*os.File, int64, int64) {}
