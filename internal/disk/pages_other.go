//go:build !linux

package disk

import "os"

// dropPages does nothing here.
func dropPages(*os.File) {}
