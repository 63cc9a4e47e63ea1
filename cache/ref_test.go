package cache

import "testing"

func TestSpentBlocksAreForgotten(t *testing.T) {
	c := New(4 * mib)
	first, second := get(t, c, key(1), mib), get(t, c, key(1), mib)
	if first.Spend(mib / 2) {
		t.Error("spent by half")
	}
	holder := get(t, c, key(1), mib)
	if !second.Spend(mib / 2) {
		t.Error("not spent by two halves")
	}
	if !c.Contains(key(1)) {
		t.Error("forgotten while somebody holds it")
	}
	wantContent(t, holder, key(1), 0, mib)
	holder.Release()
	if s := c.Stats(); c.Contains(key(1)) || s.Resident != 0 || s.Idle == 0 || s.Evictions != 0 {
		t.Errorf("there: %v; %+v", c.Contains(key(1)), s)
	}
	again := get(t, c, key(1), mib)
	c.DropFile(1)
	if !again.Spend(mib) {
		t.Error("a dropped block is not spent")
	}
	c.check(t)
	if s := c.Stats(); s.Loads != 2 || s.Resident != 0 {
		t.Errorf("%+v", s)
	}
	c.Close()
	c.wantEmpty(t)
}

func TestPassedBlocksMakeRoomBeforeTheCacheGrows(t *testing.T) {
	const budget, most, block = 64 * mib, 16 * mib, 256 << 10
	c := New(budget)
	wanted := get(t, c, key(0), block)
	wanted.Pass(block)
	get(t, c, key(0), block).Release()
	get(t, c, key(-1), block).Pass(block / 2) // which stays the oldest
	for i := 1; i < 1000; i++ {
		first, second := get(t, c, key(i), block), get(t, c, key(i), block)
		first.Pass(block / 2)
		second.Pass(block - block/2)
		get(t, c, key(0), block).Release()
	}
	if s := c.Stats(); s.Peak > most+regionSize {
		t.Errorf("%d bytes taken: %+v", s.Peak, s)
	}
	for _, i := range []int{1000 - most/block/2, 999, 0, -1} {
		if !c.Contains(key(i)) {
			t.Errorf("block %d is gone", i)
		}
	}
	if !c.Touch(key(999)) || c.Touch(key(1000)) {
		t.Error("Touch finds another block than the one that is there")
	}
	for i := 1000; i < 2000; i++ {
		get(t, c, key(i), block).Release()
	}
	if s := c.Stats(); s.Resident != budget {
		t.Errorf("the cache does not grow for blocks that are not passed on: %+v", s)
	}
	c.check(t)
	c.Close()
	c.wantEmpty(t)
}

// A block of another size that was passed on before keeps nothing.
func TestPassedBlocksOfAllSizesMakeRoom(t *testing.T) {
	const budget, most, block = 64 * mib, 16 * mib, 256 << 10
	c := New(budget)
	get(t, c, key(-1), 2*block).Pass(2 * block)
	for i := range 1000 {
		get(t, c, key(i), block).Pass(block)
	}
	if s := c.Stats(); s.Peak > most+2*regionSize || c.Contains(key(-1)) {
		t.Errorf("%d bytes taken: %+v", s.Peak, s)
	}
	c.check(t)
	c.Close()
	c.wantEmpty(t)
}
