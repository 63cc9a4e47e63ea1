package fs

import (
	"sync"
	"sync/atomic"
)

const (
	maxCursors  = 32        // sequential readers followed in one file
	minRun      = 256 << 10 // bytes read in a row before anything is read ahead
	minWindow   = 1 << 20
	allWindow   = 8 << 20  // the same, of a reader who began with the file, and may want all of it
	maxReorder  = 16 << 20 // how far apart the reads of one stream may arrive
	reorderRead = 4        // the same, in reads, before the stream has a window
)

// feed joins a stream to the work queued for it.
type feed struct {
	passed  atomic.Int64 // what lies before this offset is no longer needed
	turned  atomic.Bool  // nothing is needed now but what is read already
	stopped atomic.Bool  // nothing is needed any more
}

// span asks for the bytes [off, end) of a file to be decoded ahead.
type span struct {
	off, end int64
	feed     *feed
}

// less gives s without what t has of its beginning and of its end.
func (s span) less(t span) span {
	if t.off <= s.off && s.off < t.end {
		s.off = min(t.end, s.end)
	}
	if t.off < s.end && s.end <= t.end {
		s.end = max(t.off, s.off)
	}
	return s
}

// cursor follows one reader: a sequential one, or one that goes from tensor to
// tensor by name and is sequential within each.
type cursor struct {
	next   int64 // the furthest end of its reads
	ahead  int64 // the end of what was asked for; a step of the order if it hops
	run    int64 // bytes read in a row
	window int64 // how far ahead of next to ask; 0 until the run is long enough
	all    bool  // it began with the file
	used   uint64
	id     uint64 // of the stream, among those of the mount
	feed   *feed  // nil in a free cursor

	hops   bool // from tensor to tensor
	tensor int  // where it is, if it hops
	margin margin

	leap int64 // where it may go elsewhere by name; 0 if that is not known
}

// streams recognises the sequential readers of one file among its reads and
// says what to decode ahead of them. Reads are told apart by offset alone:
// several processes may share a descriptor, and the kernel reads ahead on its
// own, so that the reads of one reader arrive out of order.
type streams struct {
	size  int64
	share *share

	mu      sync.Mutex
	cursors [maxCursors]cursor
	clock   uint64
	order   *order // nil if it is not known, or that of the file
}

// setOrder says in which order other than that of the file its tensors may be
// read; nil for none.
func (s *streams) setOrder(o *order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.order = o
}

// read notes a read of [off, end), 0 <= off < end, and says what to decode
// ahead now, what is needed first before the others. chunkEnd gives the end of the
// chunk that the byte at an offset lies in.
func (s *streams) read(off, end int64, chunkEnd func(int64) int64) []span {
	if s.share.perStream <= 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock++
	c := s.match(off, end)
	switch {
	case c == nil:
		reach := min(reorderRead*(end-off), maxMargin)
		if c = s.hop(off, end, reach); c == nil {
			c = s.beginByName(off, end, reach)
		}
	case c.hops && !c.follow(s.order, off, end):
		at := c
		if c = s.hop(off, end, largestPage); c == nil {
			at.readOn(s.order, end) // the kernel, not the reader
			return nil
		}
	}
	if c == nil {
		c = s.begin(off, end)
		s.share.note(c.id, end-off)
		return nil
	}
	s.share.note(c.id, end-off)
	c.used = s.clock
	c.run += end - off
	c.all = c.all || off == 0
	c.next = max(c.next, end)
	if !c.hops {
		c.feed.passed.Store(c.next)
	}
	if c.next >= s.size && !c.hops {
		s.setWindow(c, 0) // at the end of the file: leave the share to others
		return nil
	}
	s.widen(c, end-off)
	if c.hops {
		c.readOn(s.order, end)
		return c.askByName(s.order, chunkEnd)
	}
	limit := s.size
	if s.order != nil {
		limit = c.doubt(s.order, limit)
	}
	return c.ask(limit, chunkEnd)
}

// widen has c ask further ahead after a read of n bytes.
func (s *streams) widen(c *cursor, n int64) {
	if c.run < minRun {
		return
	}
	least := max(2*n, minWindow)
	if c.all {
		least = max(least, allWindow)
	}
	s.setWindow(c, min(max(2*c.window, least), s.share.window()))
}

// ask moves ahead to the end of the window, when that is worth a request; to the end
// of the chunk there if that is not much more, for chunks are best read whole.
func (c *cursor) ask(size int64, chunkEnd func(int64) int64) []span {
	from, to := max(c.ahead, c.next), min(c.next+c.window, size)
	if to <= from || (to < size && to-from < c.window/4) {
		return nil
	}
	if end := chunkEnd(to - 1); end-to <= c.window/2 {
		to = end
	}
	c.ahead = to
	return []span{{from, to, c.feed}}
}

// match finds the stream that a read goes on with: the nearest one whose
// reads may lie that far apart.
func (s *streams) match(off, end int64) *cursor {
	var best *cursor
	var bestDist int64
	for i := range s.cursors {
		c := &s.cursors[i]
		if c.feed == nil {
			continue
		}
		dist := max(off-c.next, c.next-off)
		slack := min(max(c.window, reorderRead*(end-off)), maxReorder)
		if dist <= slack && (best == nil || dist < bestDist) {
			best, bestDist = c, dist
		}
	}
	return best
}

// begin follows a new reader in place of the one that has been still longest.
func (s *streams) begin(off, end int64) *cursor {
	c := &s.cursors[0]
	for i := range s.cursors {
		if s.cursors[i].used < c.used {
			c = &s.cursors[i]
		}
	}
	s.drop(c)
	*c = cursor{next: end, ahead: end, run: end - off, all: off == 0, used: s.clock, id: s.share.newStream(), feed: new(feed)}
	c.feed.passed.Store(end)
	return c
}

// giveBack says that nothing from to on was queued for f after all.
func (s *streams) giveBack(f *feed, to int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.cursors {
		if c := &s.cursors[i]; c.feed == f && !c.hops {
			c.ahead = min(c.ahead, to)
		}
	}
}

// stop forgets every reader; what is queued for them is cancelled.
func (s *streams) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.cursors {
		s.share.forget(s.cursors[i].id)
		s.drop(&s.cursors[i])
	}
}

func (s *streams) drop(c *cursor) {
	s.setWindow(c, 0)
	if c.feed != nil {
		c.feed.stopped.Store(true)
	}
	*c = cursor{}
}

func (s *streams) setWindow(c *cursor, window int64) {
	if c.window == 0 && window > 0 {
		s.share.active.Add(1)
	}
	if c.window > 0 && window == 0 {
		s.share.active.Add(-1)
	}
	c.window = window
}
