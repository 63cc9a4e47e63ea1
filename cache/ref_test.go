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
