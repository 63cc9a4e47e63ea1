package cache

import "fmt"

// entry is one block from the moment somebody asks for it. The mutex of the
// cache guards it, but for key, size, done and turn, which never change, and
// the bytes of mem, which belong to the load until done is closed and do not
// change from then on.
type entry struct {
	key  Key
	size int
	mem  []byte // size bytes of a slot; nil before there is room

	pins    int   // callers that hold the block or wait for it
	spent   int   // bytes kept elsewhere, see Ref.Spend
	passed  int   // bytes passed on, see Ref.Pass
	loaded  bool  // mem holds the block
	unread  bool  // prefetched, no caller has asked for it yet
	dropped bool  // no longer in the map: to be freed with the last pin
	stamp   int64 // Cache.loaded when it was loaded

	done chan struct{} // closed once loaded
	turn chan struct{} // holds a token while the block is not loaded and nobody tries
}

// newEntry returns an entry whose turn to load is the caller's.
func newEntry(key Key, size int) *entry {
	return &entry{key: key, size: size, done: make(chan struct{}), turn: make(chan struct{}, 1)}
}

// idle reports whether e is in one of the two lists that eviction takes from.
func (e *entry) idle() bool { return e.loaded && e.pins == 0 }

// isSpent reports whether nobody is going to ask for e again.
func (e *entry) isSpent() bool { return e.spent >= e.size }

// isPassed reports whether e was passed on whole to readers who want it in no
// cache.
func (e *entry) isPassed() bool { return e.passed >= e.size }

// bytes returns what e costs, with or without memory.
func (e *entry) bytes() int64 { return slotSize(e.size) }

// join pins key's entry and makes it if there is none; lead says that it is
// the caller's turn to load.
func (c *Cache) join(key Key, size int) (e *entry, lead bool, err error) {
	if err := checkSize(key, size); err != nil {
		return nil, false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, false, ErrClosed
	}
	e = c.files[key.File][key]
	switch {
	case e == nil:
		c.stats.Misses++
		e = newEntry(key, size)
		e.pins = 1
		c.insert(e)
		return e, true, nil
	case e.size != size:
		return nil, false, fmt.Errorf("cache: %v: %d bytes asked of a block of %d", key, size, e.size)
	case e.loaded:
		c.stats.Hits++
	default:
		c.stats.Misses++
	}
	c.pin(e)
	return e, false, nil
}

func (c *Cache) insert(e *entry) {
	blocks := c.files[e.key.File]
	if blocks == nil {
		blocks = make(map[Key]*entry)
		c.files[e.key.File] = blocks
	}
	blocks[e.key] = e
}

// forget takes e out of the map. A dropped entry is out already, and its key
// may be another entry's by now.
func (c *Cache) forget(e *entry) {
	if e.dropped {
		return
	}
	e.dropped = true
	blocks := c.files[e.key.File]
	delete(blocks, e.key)
	if len(blocks) == 0 {
		delete(c.files, e.key.File)
	}
}

func (c *Cache) pin(e *entry) {
	if e.idle() {
		c.listOf(e).remove(e)
	}
	if e.unread {
		e.unread = false
		c.stats.PrefetchUsed++
	}
	if e.isPassed() {
		e.passed = 0 // somebody wants it again
	}
	e.pins++
}

// release gives a pin back, under which so many bytes were spent or passed on,
// and reports whether all of the block is spent.
func (c *Cache) release(e *entry, spent, passed int) (isSpent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.pins--
	e.spent += spent
	e.passed += passed
	isSpent = e.isSpent()
	c.settle(e)
	c.grant()
	return isSpent
}

// settle puts an entry that nobody holds where it belongs.
func (c *Cache) settle(e *entry) {
	switch {
	case e.pins > 0:
	case e.loaded && e.isSpent():
		c.forget(e)
		c.free(e)
	case e.loaded && e.dropped:
		c.free(e)
	case e.loaded:
		c.listOf(e).add(e)
		c.shrink(0) // an overdraft ends with the pins
	case len(e.turn) == 1: // not loaded, and nobody is going to
		c.forget(e)
	}
}

// free gives the memory of a block back that is in no list any more.
func (c *Cache) free(e *entry) {
	if e.unread {
		c.stats.PrefetchWasted++
	}
	c.memory.free(e.mem)
	e.mem = nil
	c.unmapIfDone()
}

func (c *Cache) unmapIfDone() {
	if c.closed && c.memory.used == 0 {
		c.memory.unmap()
	}
}
