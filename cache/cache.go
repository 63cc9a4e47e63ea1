// Package cache keeps decoded blocks in memory under one byte budget.
//
// It knows keys and bytes: no files, no codecs, no FUSE. A caller brings the
// function that fills a block; the cache decides whether it has to run, who
// waits for it, and which blocks make room.
//
// A block is always in one of these states:
//
//	in flight   room is reserved, a load fills it
//	pinned      decoded, at least one [Ref] is held; never freed, never moved
//	unread      decoded by Prefetch, no Get has asked for it yet
//	read        decoded, asked for at least once, nobody holds it now
//
// A block that was read and passed on whole is freed with its last pin, see
// [Ref.Spend]: its memory, which is at hand, serves the next block. One that was
// passed on to readers who want nothing kept is, but not for long: see [Ref.Pass].
//
// Room is made from blocks that were passed on, then from other read ones, the
// least recently released before the others, then (for a Get only) from unread
// ones. In flight, pinned, unread and read bytes together stay within the budget.
// The one exception is described at [Overdraft].
//
// Bytes are counted by the size of the slot a block lies in: the next power of
// two from 4 KiB (or the page size, if that is larger) to [MaxBlock].
package cache

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
)

const (
	// MaxBlock is the largest block in bytes.
	MaxBlock = 4 << 20

	// Overdraft is how many bytes beyond the budget Gets may hold together.
	//
	// A Get draws on it only when everything within the budget is pinned and
	// no load is running, hence by one block at a time. It lets a caller that
	// holds pins ask for another block although the budget is exhausted, and it
	// serves blocks larger than the whole budget. When it is used up as well,
	// Get waits. A caller that releases each block before it asks for the next
	// can never deadlock; callers that hold several must not need more than
	// budget + Overdraft all together.
	Overdraft = 32 << 20

	// staleAfter says how many budgets of bytes are loaded before a block
	// that was prefetched and not read loses its protection from Prefetch.
	// Without an end, the leftovers of readers that went elsewhere would fill
	// the budget for good.
	staleAfter = 4

	// mostPassed is how many bytes may be in use, a quarter of the budget at most,
	// before the oldest block that was passed on, see [Ref.Pass], makes room for the
	// next. It is for readers that follow one another closely.
	mostPassed = 64 << 20
)

var (
	// ErrNoRoom means that Prefetch found the budget taken by blocks that it
	// must not push out. Nothing was loaded; a later call may succeed.
	ErrNoRoom = errors.New("cache: no room to prefetch")

	// ErrClosed means that the cache was closed.
	ErrClosed = errors.New("cache: closed")
)

// Key names a block.
type Key struct {
	File         uint64
	Chunk, Block uint32
}

func (k Key) String() string {
	return fmt.Sprintf("block %d of chunk %d of file %d", k.Block, k.Chunk, k.File)
}

// LoadFunc fills dst, whose content is unspecified before. It must neither
// keep dst after it returns nor call the cache. Its context carries the values
// of the caller's context, is not cancelled with it, and is cancelled by Close.
type LoadFunc = func(ctx context.Context, dst []byte) error

// Cache is a block cache, safe for concurrent use. Make one with New.
type Cache struct {
	budget  int64
	life    context.Context // done once Close is called
	end     context.CancelFunc
	running sync.WaitGroup // one for every block in flight

	mu       sync.Mutex // never held while a load runs
	closed   bool
	files    map[uint64]map[Key]*entry
	read     *recency   // unpinned, asked for before
	passed   *recency   // of these, passed on and not asked for since
	unread   *recency   // unpinned, prefetched and not asked for yet
	queue    *list.List // of *waiter: Gets that wait for room, first come first served
	inFlight int64      // bytes reserved for loads
	loaded   int64      // bytes loaded since New: the clock of staleAfter
	memory   arena
	stats    Stats // the counters; the gauges are filled in by Stats
}

// New returns a cache of budget bytes. With a budget of zero or less it keeps
// nothing beyond what callers hold.
func New(budget int64) *Cache {
	budget = max(budget, 0)
	life, end := context.WithCancel(context.Background())
	return &Cache{
		budget: budget,
		life:   life,
		end:    end,
		files:  make(map[uint64]map[Key]*entry),
		read:   newRecency(),
		passed: newRecency(),
		unread: newRecency(),
		queue:  list.New(),
		memory: arena{limit: budget},
	}
}

// Get returns key's block of size bytes, pinned until the Ref is released.
//
// On a miss load runs once for all callers that ask for key meanwhile. A
// caller whose ctx ends leaves with its error; a load that has started goes on
// without it. If load fails, its caller gets the error and one of those who
// wait takes the next turn, with its own load. A panic in load comes back as a
// *PanicError. Get waits for room if it must, see Overdraft; it returns
// ErrClosed after Close.
func (c *Cache) Get(ctx context.Context, key Key, size int, load LoadFunc) (*Ref, error) {
	e, lead, err := c.join(key, size)
	if err != nil {
		return nil, err
	}
	if !lead {
		lead, err = c.await(ctx, e)
	}
	if lead {
		err = c.lead(ctx, e, load)
	}
	if err != nil {
		c.release(e, 0, 0)
		return nil, err
	}
	return &Ref{cache: c, entry: e}, nil
}

// Lookup returns key's block, pinned, if it is decoded already. It counts as a
// hit when it is, and not as a miss when it is not.
func (c *Cache) Lookup(key Key) (*Ref, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.decoded(key)
	if e == nil {
		return nil, false
	}
	c.stats.Hits++
	c.pin(e)
	return &Ref{cache: c, entry: e}, true
}

// Touch reports whether key's block is decoded, which then counts as asked for now,
// or somebody sees to that; one that was passed on stays so.
func (c *Cache) Touch(key Key) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.files[key.File][key]
	if e == nil {
		return false
	}
	if e.loaded && !e.isPassed() {
		c.pin(e)
		e.pins--
		c.settle(e)
	}
	return true
}

// Contains reports whether key's block is decoded. It changes nothing.
func (c *Cache) Contains(key Key) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.decoded(key) != nil
}

// decoded is key's entry if its block is decoded, else nil.
func (c *Cache) decoded(key Key) *entry {
	if e := c.files[key.File][key]; e != nil && e.loaded {
		return e
	}
	return nil
}

// Prefetch loads key's block ahead of use and pins nothing. It returns when
// the load has ended, and nil at once if the block is there or being loaded.
//
// It never waits for room: ErrNoRoom means that the budget is taken by pinned
// blocks, blocks in flight, and blocks that were prefetched and not read, or
// that a Get waits for room. Prefetched blocks that stay unread while four
// budgets of other bytes are loaded count as wasted and may be pushed out.
func (c *Cache) Prefetch(ctx context.Context, key Key, size int, load LoadFunc) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e, err := c.admitPrefetch(key, size)
	if e == nil || err != nil {
		return err
	}
	return c.start(ctx, e, load)
}

// admitPrefetch returns a new entry with room reserved, or nil if there is
// nothing to load.
func (c *Cache) admitPrefetch(key Key, size int) (*entry, error) {
	if err := checkSize(key, size); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	if c.files[key.File][key] != nil {
		return nil, nil
	}
	slot := slotSize(size)
	if !c.makeRoomAhead(slot) {
		return nil, ErrNoRoom
	}
	e := newEntry(key, size)
	if err := c.reserve(e); err != nil {
		return nil, err
	}
	e.unread = true
	c.stats.Prefetches++
	c.insert(e)
	return e, nil
}

// DropFile forgets all blocks of file. Those that are pinned stay valid and
// are freed on their last Release. A load in flight still serves the callers
// that wait for it, but nobody who asks after DropFile sees its block.
func (c *Cache) DropFile(file uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropFile(file)
	c.grant()
}

func (c *Cache) dropFile(file uint64) {
	for _, e := range c.files[file] {
		e.dropped = true
		if e.idle() {
			c.listOf(e).remove(e)
			c.free(e)
		}
	}
	delete(c.files, file)
}

// Close cancels the running loads, waits for them, and frees the memory. Gets
// that wait return ErrClosed. Blocks still pinned stay valid; their memory is
// freed on their last Release. Closing twice is harmless.
func (c *Cache) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.end()
	c.running.Wait()

	c.mu.Lock()
	defer c.mu.Unlock()
	for file := range c.files {
		c.dropFile(file)
	}
	c.memory.trim(0)
	c.unmapIfDone()
}

func checkSize(key Key, size int) error {
	if size < 1 || size > MaxBlock {
		return fmt.Errorf("cache: %v: size %d is outside 1..%d", key, size, MaxBlock)
	}
	return nil
}
