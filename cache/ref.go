package cache

import "sync/atomic"

// Ref is a pin on a block. It is to be released exactly once, by any goroutine.
type Ref struct {
	cache    *Cache
	entry    *entry
	released atomic.Bool
}

// Bytes returns the block, not to be written to and valid until Release; it
// returns nil after that.
func (r *Ref) Bytes() []byte {
	if r.released.Load() {
		return nil
	}
	return r.entry.mem[:r.entry.size:r.entry.size]
}

// Release gives the pin back. Releasing again does nothing, and panics when
// built with the tag poison, so that tests find it.
func (r *Ref) Release() {
	if r.released.Swap(true) {
		if poisoning {
			panic("cache: Ref released twice")
		}
		return
	}
	r.cache.release(r.entry)
}
