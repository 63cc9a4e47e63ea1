//go:build !linux

package atlas

import "time"

// now is the time of day: elsewhere a thread's is not to be had.
func now() time.Duration { return time.Duration(time.Now().UnixNano()) }
