package fs

import (
	"sync/atomic"

	"github.com/scapefs/scapefs/cache"
)

// counters are what a mount counts of itself.
type counters struct {
	reads, readBytes        atomic.Uint64
	demandBytes, aheadBytes atomic.Uint64
	directBytes             atomic.Uint64
	opens                   atomic.Uint64
	openFiles               atomic.Int64
	waiting                 atomic.Int64 // READs that wait for room for their blocks
}

// Stats is what a mount has done since it began, and what it holds.
type Stats struct {
	Reads       uint64 // READs of archives, those that failed included
	ReadBytes   uint64 // that they asked for, up to the end of the file
	DemandBytes uint64 // decoded because a READ waited
	AheadBytes  uint64 // decoded ahead of READs
	DirectBytes uint64 // coded ones, read past the page cache
	OpenFiles   int64  // archives open now
	Streams     int64  // sequential readers that are read ahead of now
	Cache       cache.Stats
}

// Stats may be called at any time, after the end too.
func (m *Server) Stats() Stats {
	c := &m.fs.stats
	return Stats{
		Reads:       c.reads.Load(),
		ReadBytes:   c.readBytes.Load(),
		DemandBytes: c.demandBytes.Load(),
		AheadBytes:  c.aheadBytes.Load(),
		DirectBytes: c.directBytes.Load(),
		OpenFiles:   c.openFiles.Load(),
		Streams:     m.fs.share.active.Load(),
		Cache:       m.fs.cache.Stats(),
	}
}
