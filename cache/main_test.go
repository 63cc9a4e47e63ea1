package cache

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	kib = 1 << 10
	mib = 1 << 20
)

func key(n int) Key { return Key{File: 1, Block: uint32(n)} }

// content fills dst with bytes that only this key and version have.
func content(k Key, version uint64, dst []byte) {
	var seed [24]byte
	binary.LittleEndian.PutUint64(seed[0:], k.File)
	binary.LittleEndian.PutUint32(seed[8:], k.Chunk)
	binary.LittleEndian.PutUint32(seed[12:], k.Block)
	binary.LittleEndian.PutUint64(seed[16:], version)
	n := copy(dst, seed[:])
	for n < len(dst) {
		n += copy(dst[n:], dst[:n])
	}
}

func loadContent(k Key) LoadFunc {
	return func(_ context.Context, dst []byte) error {
		content(k, 0, dst)
		return nil
	}
}

// get is Get of the key's content, checked.
func get(t *testing.T, c *Cache, k Key, size int) *Ref {
	t.Helper()
	r, err := c.Get(t.Context(), k, size, loadContent(k))
	if err != nil {
		t.Fatalf("Get of %v: %v", k, err)
	}
	wantContent(t, r, k, 0, size)
	return r
}

func wantContent(t *testing.T, r *Ref, k Key, version uint64, size int) {
	t.Helper()
	want := make([]byte, size)
	content(k, version, want)
	if !bytes.Equal(r.Bytes(), want) {
		t.Errorf("%v of version %d holds other bytes", k, version)
	}
}

// check verifies what must hold whenever the mutex is free.
func (c *Cache) check(t *testing.T) {
	t.Helper()
	if t.Failed() {
		return // the first failure tells, those after it only repeat
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := &c.memory
	if held := m.used - c.inFlight - c.readBytes() - c.unread.bytes; held < 0 || c.inFlight < 0 {
		t.Errorf("used %d = in flight %d + read %d + unread %d + pinned %d", m.used, c.inFlight, c.readBytes(), c.unread.bytes, held)
	}
	if m.used > c.budget+Overdraft {
		t.Errorf("%d bytes used, budget %d", m.used, c.budget)
	}
	if m.idle > 0 && m.used+m.idle > c.budget {
		t.Errorf("%d bytes used and %d idle, budget %d", m.used, m.idle, c.budget)
	}
	if m.used > c.budget && c.readBytes()+c.unread.bytes > 0 {
		t.Errorf("overdrawn with %d evictable bytes", c.readBytes()+c.unread.bytes)
	}
	var read, unread int64
	for _, blocks := range c.files {
		for _, e := range blocks {
			if e.dropped {
				t.Errorf("%v is dropped and in the map", e.key)
			}
			switch {
			case e.idle() && e.unread:
				unread += e.bytes()
			case e.idle():
				read += e.bytes()
			}
		}
	}
	if read != c.readBytes() || unread != c.unread.bytes {
		t.Errorf("lists say %d read and %d unread, the map %d and %d", c.readBytes(), c.unread.bytes, read, unread)
	}
}

// wantEmpty verifies that a closed cache whose refs are released holds nothing.
func (c *Cache) wantEmpty(t *testing.T) {
	t.Helper()
	c.check(t)
	s := c.Stats()
	if s.Resident != 0 || s.Pinned != 0 || s.InFlight != 0 || s.Idle != 0 {
		t.Errorf("after Close: %+v", s)
	}
	if len(c.memory.regions) != 0 || len(c.files) != 0 || c.queue.Len() != 0 {
		t.Errorf("after Close: %d regions, %d files, %d waiters", len(c.memory.regions), len(c.files), c.queue.Len())
	}
}
