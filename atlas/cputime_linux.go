package atlas

import (
	"time"

	"golang.org/x/sys/unix"
)

// now is the processor time of this thread, to which the goroutine must be locked.
func now() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) != nil {
		return time.Duration(time.Now().UnixNano())
	}
	return time.Duration(ts.Nano())
}
