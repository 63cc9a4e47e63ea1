package cache

// Stats is a consistent snapshot of a cache.
type Stats struct {
	// Counters since New.
	Hits           uint64 // Gets and Lookups that found the block decoded
	Misses         uint64 // Gets that did not, whether they loaded or joined a load
	Loads          uint64 // loads that ended, failed ones too
	Evictions      uint64 // blocks pushed out to make room
	Prefetches     uint64 // loads begun by Prefetch
	PrefetchUsed   uint64 // of these, blocks that a Get or Lookup asked for
	PrefetchWasted uint64 // of these, blocks freed before anybody did

	// Bytes now, by slot size.
	Resident int64 // decoded, pinned ones included
	Pinned   int64
	InFlight int64
	Idle     int64 // free, mapped ahead or kept for reuse; given back when another slot size needs the room

	Peak   int64 // the most that Resident + InFlight + Idle ever were
	Budget int64
}

// Stats returns the counters and gauges.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Resident = c.memory.used - c.inFlight
	s.Pinned = s.Resident - c.readBytes() - c.unread.bytes
	s.InFlight = c.inFlight
	s.Idle = c.memory.idle
	s.Peak = c.memory.peak
	s.Budget = c.budget
	return s
}
