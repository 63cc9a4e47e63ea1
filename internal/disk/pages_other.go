//go:build !linux

package disk

import "os"

// dropPages does nothing here.
func dropPages(*os.File) {}

// ReadAhead does nothing here.
func ReadAhead(*os.File, bool) {}
