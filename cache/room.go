package cache

import "context"

// waiter is a Get in the queue for room.
type waiter struct {
	entry   *entry
	granted chan error // receives once: nil when room is reserved
}

// waitForRoom reserves room for e, making it or waiting for it.
func (c *Cache) waitForRoom(ctx context.Context, e *entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &waiter{entry: e, granted: make(chan error, 1)}
	c.mu.Lock()
	place := c.queue.PushBack(w)
	c.grant()
	c.mu.Unlock()

	var err error
	select {
	case err = <-w.granted:
		return err
	case <-ctx.Done():
		err = ctx.Err()
	case <-c.life.Done():
		err = ErrClosed
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue.Remove(place) // nothing if it was granted meanwhile
	if e.mem != nil {
		c.unreserve(e)
	}
	c.grant()
	return err
}

// grant serves the queue from its head for as long as there is room. It runs
// after every change that may have made some.
func (c *Cache) grant() {
	for !c.closed && c.queue.Len() > 0 {
		w := c.queue.Front().Value.(*waiter)
		if !c.makeRoom(w.entry.bytes()) {
			return
		}
		c.queue.Remove(c.queue.Front())
		w.granted <- c.reserve(w.entry)
	}
}

// makeRoom makes room for a Get of need bytes, if that can be done now. It
// evicts nothing in vain.
func (c *Cache) makeRoom(need int64) bool {
	taken := c.memory.used - c.readBytes() - c.unread.bytes + need
	fits := taken <= c.budget
	overdraws := c.inFlight == 0 && taken <= c.budget+Overdraft
	if !fits && !overdraws {
		return false
	}
	c.shrink(need)
	return true
}

// makeRoomAhead makes room for a Prefetch of need bytes: from read blocks, and
// from unread ones only if they are stale.
func (c *Cache) makeRoomAhead(need int64) bool {
	if c.queue.Len() > 0 {
		return false
	}
	for e := c.unread.oldest(); e != nil && c.isStale(e); e = c.unread.oldest() {
		c.evictOne(c.unread, e)
	}
	if c.memory.used-c.readBytes()+need > c.budget {
		return false
	}
	c.evictRead(need)
	return true
}

func (c *Cache) readBytes() int64 { return c.read.bytes + c.passed.bytes }

func (c *Cache) isStale(e *entry) bool { return (c.loaded-e.stamp)/staleAfter > c.budget }

// shrink evicts until need bytes fit the budget, or nothing is left to evict.
func (c *Cache) shrink(need int64) {
	c.evictRead(need)
	c.evict(c.unread, need)
}

func (c *Cache) evictRead(need int64) {
	c.evict(c.passed, need)
	c.evict(c.read, need)
}

// evict frees blocks of from, oldest first, until need bytes fit the budget.
func (c *Cache) evict(from *recency, need int64) {
	for c.memory.used+need > c.budget {
		e := from.oldest()
		if e == nil {
			return
		}
		c.evictOne(from, e)
	}
}

func (c *Cache) evictOne(from *recency, e *entry) {
	c.stats.Evictions++
	from.remove(e)
	c.forget(e)
	c.free(e)
}

// reserve takes memory for e and puts it in flight. Only with room made.
func (c *Cache) reserve(e *entry) error {
	c.replacePassed(e.bytes())
	slot, err := c.memory.alloc(e.bytes())
	if err != nil {
		return err
	}
	e.mem = slot[:e.size]
	c.inFlight += e.bytes()
	c.running.Add(1) // never while Close waits: nothing is reserved once closed
	return nil
}

// replacePassed frees blocks that were passed on, if other memory must be fetched
// for so many bytes: until the memory of one serves, or few are in use.
func (c *Cache) replacePassed(bytes int64) {
	for c.memory.used >= min(c.budget/4, mostPassed) && !c.memory.hasWarm(bytes) {
		e := c.passed.oldest()
		if e == nil {
			return
		}
		c.evictOne(c.passed, e)
	}
}

// unreserve undoes reserve for a load that has not started.
func (c *Cache) unreserve(e *entry) {
	c.inFlight -= e.bytes()
	c.memory.free(e.mem)
	e.mem = nil
	c.running.Done()
}
