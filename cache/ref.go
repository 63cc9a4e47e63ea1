package cache

import (
	"sync/atomic"

	"github.com/scapefs/scapefs/internal/poison"
)

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
func (r *Ref) Release() { r.done(0, 0) }

// Spend is Release for a caller that passed n bytes of the block on to where
// they are kept, and that no other caller passed on. Once all of a block's bytes
// were, it is spent: nobody is going to ask for it, and it is forgotten when
// nobody holds it. Spend reports whether that is so.
func (r *Ref) Spend(n int) bool { return r.done(n, 0) }

// Pass is Release for a caller that passed n bytes of the block on to a reader
// who wants them in no cache. A block all of whose bytes were, and that nobody asked
// for since, makes room for another before that takes memory that was not in
// use: to get such memory may take longer than to decode the block again.
func (r *Ref) Pass(n int) { r.done(0, n) }

func (r *Ref) done(spent, passed int) (isSpent bool) {
	if r.released.Swap(true) {
		if poison.On {
			panic("cache: Ref released twice")
		}
		return false
	}
	return r.cache.release(r.entry, spent, passed)
}
