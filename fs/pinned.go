package fs

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// pinned accounts for the bytes of blocks that READs hold, from before they
// are decoded until the kernel has them.
//
// Of the whole, the READs of one archive may hold a half, and those of the
// archives of one device three quarters: where a disk does not answer they are
// not given back, and the rest is for the readers of others.
type pinned struct {
	size int64
	all  *semaphore.Weighted

	mu      sync.Mutex
	devices map[uint64]*semaphore.Weighted
}

func newPinned(size int64) *pinned {
	return &pinned{size: size, all: semaphore.NewWeighted(size), devices: make(map[uint64]*semaphore.Weighted)}
}

// of gives what the READs of one archive, on the device given, share.
func (p *pinned) of(device uint64) *pinShare {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.devices[device] == nil {
		p.devices[device] = semaphore.NewWeighted(p.size / 4 * 3)
	}
	s := &pinShare{most: p.size / 2}
	s.levels = [3]*semaphore.Weighted{semaphore.NewWeighted(s.most), p.devices[device], p.all}
	return s
}

// pinShare is what the READs of one archive may hold.
type pinShare struct {
	most   int64
	levels [3]*semaphore.Weighted // its own, its device's, all
}

// acquire waits for bytes, or for as many as there will ever be, and gives how
// many it got. The levels are taken from the narrowest on: whoever waits in
// one holds nothing of what others need.
func (s *pinShare) acquire(ctx context.Context, bytes int64) (int64, error) {
	bytes = min(bytes, s.most)
	for i, level := range s.levels {
		if err := level.Acquire(ctx, bytes); err != nil {
			for _, held := range s.levels[:i] {
				held.Release(bytes)
			}
			return 0, err
		}
	}
	return bytes, nil
}

func (s *pinShare) release(bytes int64) {
	for _, level := range s.levels {
		level.Release(bytes)
	}
}
