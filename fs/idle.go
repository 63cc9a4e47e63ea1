package fs

import (
	"runtime/debug"
	"time"
)

// idleAfter is how long a mount is left alone before it gives memory back.
const idleAfter = 15 * time.Second

// rest gives the buffers that a crowd of readers took back to the system once
// they are gone. The decoded blocks stay, within the cache's limit.
func (fs *filesystem) rest() {
	ticker := time.NewTicker(idleAfter)
	defer ticker.Stop()
	var s stillness
	for {
		select {
		case <-fs.life.Done():
			return
		case <-ticker.C:
		}
		if s.begins(fs.stats.reads.Load()) {
			fs.slabs.trim()
			debug.FreeOSMemory()
		}
	}
}

// stillness looks at a counter from time to time.
type stillness struct {
	last  uint64
	still bool
}

// begins reports whether the counter, which is now at count, has come to rest
// since it was last looked at: once for every time that it moved.
func (s *stillness) begins(count uint64) bool {
	moved := count != s.last
	begins := !moved && !s.still
	s.last, s.still = count, !moved
	return begins && count > 0
}
