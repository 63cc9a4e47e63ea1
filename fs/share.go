package fs

import (
	"sync"
	"sync/atomic"
)

const (
	recentReads = 128      // READs that tell how many streams there are now
	leastRead   = 32 << 10 // bytes; a smaller READ is no sign of a stream

	// maxAhead is how many streams are read ahead of. More keep every core
	// busy with what they wait for, and what is decoded ahead of one takes
	// time, and room, from another.
	maxAhead = 16

	leastWindow = 256 << 10 // less is not worth a worker's while
)

// share divides the bytes that may be read ahead among the streams of a mount
// that are at work now: those that the last READs came from. A stream that pauses
// gives its part away without a word.
type share struct {
	perStream int64        // bytes for one stream, at most
	total     int64        // bytes for all
	active    atomic.Int64 // streams that have a window

	mu      sync.Mutex
	last    uint64
	recent  [recentReads]uint64 // streams of the last READs, 0 for none
	at      int                 // the oldest of them
	streams map[uint64]int      // how often each is in recent
}

// newStream gives the number of a stream that begins.
func (s *share) newStream() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	return s.last
}

// note says that a READ of so many bytes belongs to stream id.
func (s *share) note(id uint64, bytes int64) {
	if bytes < leastRead {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams == nil {
		s.streams = make(map[uint64]int)
	}
	old := s.recent[s.at]
	if n := s.streams[old]; n > 1 {
		s.streams[old] = n - 1
	} else {
		delete(s.streams, old)
	}
	s.recent[s.at] = id
	s.at = (s.at + 1) % recentReads
	s.streams[id]++
}

// forget says that stream id has ended for good.
func (s *share) forget(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, id)
	for i := range s.recent {
		if s.recent[i] == id {
			s.recent[i] = 0
		}
	}
}

// window gives how many bytes each stream may be read ahead now; 0 for none.
func (s *share) window() int64 {
	s.mu.Lock()
	n := int64(len(s.streams))
	s.mu.Unlock()
	if n > maxAhead {
		return 0
	}
	window := min(s.perStream, s.total/max(n, 1))
	if window < leastWindow {
		return 0
	}
	return window
}
