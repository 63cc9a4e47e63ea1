package cache

import (
	"math"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// recency is a list of idle entries, the least recently added first out, with
// the sum of their bytes. What is pinned is in no list, so that eviction never
// has to search.
type recency struct {
	lru   *simplelru.LRU[Key, *entry]
	bytes int64
}

func newRecency() *recency {
	lru, _ := simplelru.NewLRU[Key, *entry](math.MaxInt, nil) // fails only on a size below one
	return &recency{lru: lru}
}

// listOf returns the list for an idle e.
func (c *Cache) listOf(e *entry) *recency {
	switch {
	case e.unread:
		return c.unread
	case e.isPassed():
		return c.passed
	}
	return c.read
}

func (r *recency) add(e *entry) {
	r.lru.Add(e.key, e)
	r.bytes += e.bytes()
}

func (r *recency) remove(e *entry) {
	r.lru.Remove(e.key)
	r.bytes -= e.bytes()
}

// oldest returns the entry to go first, nil if there is none.
func (r *recency) oldest() *entry {
	_, e, _ := r.lru.GetOldest()
	return e
}
