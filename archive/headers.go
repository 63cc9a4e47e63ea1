package archive

import (
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/scapefs/scapefs/codec"
)

// headerCacheLen bounds the parsed chunk headers a Reader keeps, in bytes.
// A header of a 4 MiB chunk takes some 20 KiB with its tables.
const headerCacheLen = 2 << 20

// longHeaderLen bounds a parsed header that is kept alone though it is beyond the
// limit: that of a chunk of a thousand small tensors, which each of its blocks
// needs.
const longHeaderLen = 8 << 20

// headerCache keeps the parsed chunk headers that were used last, by their
// position in the archive, up to a number of bytes.
type headerCache struct {
	mu    *sync.Mutex
	lru   *simplelru.LRU[int64, *codec.Chunk]
	size  int
	limit int
	alone int // the limit of a header that is the only one
}

func newHeaderCache(limit, alone int) headerCache {
	// The number of entries is bounded by their bytes alone.
	lru, err := simplelru.NewLRU[int64, *codec.Chunk](math.MaxInt, nil)
	if err != nil {
		panic(err) // only a size below 1 is refused
	}
	return headerCache{mu: new(sync.Mutex), lru: lru, limit: limit, alone: alone}
}

// get gives the header at pos, or nil.
func (h *headerCache) get(pos int64) *codec.Chunk {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, _ := h.lru.Get(pos)
	return c
}

// add keeps c, and drops what is over the limit. Two readers may have parsed
// the same header; the first one is kept.
func (h *headerCache) add(pos int64, c *codec.Chunk) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lru.Contains(pos) {
		return
	}
	h.lru.Add(pos, c)
	h.size += c.MemSize()
	for h.size > h.limit && !(h.lru.Len() == 1 && h.size <= h.alone) {
		_, old, _ := h.lru.RemoveOldest()
		h.size -= old.MemSize()
	}
}
