package cache

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

func prefetch(t *testing.T, c *Cache, k Key, size int) {
	t.Helper()
	if err := c.Prefetch(t.Context(), k, size, loadContent(k)); err != nil {
		t.Fatalf("Prefetch of %v: %v", k, err)
	}
}

func wantNoRoom(t *testing.T, c *Cache, k Key, size int) {
	t.Helper()
	if err := c.Prefetch(t.Context(), k, size, loadContent(k)); !errors.Is(err, ErrNoRoom) {
		t.Fatalf("Prefetch of %v: %v", k, err)
	}
}

func TestPrefetch(t *testing.T) {
	c := New(4 * mib)
	prefetch(t, c, key(1), mib)
	fail := func(context.Context, []byte) error { t.Error("loaded twice"); return nil }
	if err := c.Prefetch(t.Context(), key(1), mib, fail); err != nil {
		t.Error(err)
	}
	if s := c.Stats(); s.Prefetches != 1 || s.PrefetchUsed != 0 || s.Pinned != 0 || s.Resident != mib {
		t.Errorf("%+v", s)
	}
	get(t, c, key(1), mib).Release()
	get(t, c, key(1), mib).Release()
	if s := c.Stats(); s.PrefetchUsed != 1 || s.Hits != 2 || s.Loads != 1 {
		t.Errorf("%+v", s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Prefetch(ctx, key(2), mib, fail); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	prefetch(t, c, key(3), mib)
	c.Close()
	if s := c.Stats(); s.PrefetchWasted != 1 {
		t.Errorf("%+v", s)
	}
	c.wantEmpty(t)
}

func TestPrefetchSparesPinnedAndUnread(t *testing.T) {
	c := New(4 * mib)
	defer c.Close()
	pinned := get(t, c, key(0), mib)
	defer pinned.Release()
	get(t, c, key(1), mib).Release()
	prefetch(t, c, key(2), mib)
	prefetch(t, c, key(3), mib)
	prefetch(t, c, key(4), mib) // in place of 1, the only block to spare
	wantNoRoom(t, c, key(5), mib)
	wantNoRoom(t, c, key(5), 1)
	for n, want := range []bool{true, false, true, true, true, false} {
		if c.Contains(key(n)) != want {
			t.Errorf("block %d there: %v", n, !want)
		}
	}
	get(t, c, key(2), mib).Release()
	prefetch(t, c, key(5), mib)
	if c.Contains(key(2)) || !c.Contains(key(3)) {
		t.Error("Prefetch pushed out the wrong block")
	}
	if s := c.Stats(); s.Peak != 4*mib || s.PrefetchWasted != 0 {
		t.Errorf("%+v", s)
	}
}

func TestPrefetchLargerThanBudget(t *testing.T) {
	c := New(mib)
	defer c.Close()
	get(t, c, key(1), 64*kib).Release()
	wantNoRoom(t, c, key(2), mib+1)
	if !c.Contains(key(1)) {
		t.Error("evicted in vain")
	}
	prefetch(t, c, key(2), mib)
}

// TestGetPushesOutUnread gives a Get what Prefetch may not have: unread blocks,
// the oldest first and only after the read ones.
func TestGetPushesOutUnread(t *testing.T) {
	c := New(3 * mib)
	defer c.Close()
	prefetch(t, c, key(1), mib)
	prefetch(t, c, key(2), mib)
	get(t, c, key(3), mib).Release()
	get(t, c, key(4), mib).Release()
	if c.Contains(key(3)) || !c.Contains(key(1)) {
		t.Error("an unread block went before a read one")
	}
	held := get(t, c, key(4), mib)
	defer held.Release()
	get(t, c, key(5), mib).Release()
	if c.Contains(key(1)) || !c.Contains(key(2)) {
		t.Error("not the oldest unread block went")
	}
	if s := c.Stats(); s.PrefetchWasted != 1 || s.Peak != 3*mib {
		t.Errorf("%+v", s)
	}
}

// TestStalePrefetchLosesProtection fills the cache with blocks that nobody
// will read: readahead must get its room back in the end.
func TestStalePrefetchLosesProtection(t *testing.T) {
	c := New(4 * mib)
	defer c.Close()
	for n := range 3 {
		prefetch(t, c, key(n), mib)
	}
	loads := 0
	for n := 100; c.Contains(key(0)); n++ {
		if loads++; loads > 100 {
			t.Fatal("stale blocks stay for good")
		}
		prefetch(t, c, key(n), mib)
		get(t, c, key(n), mib).Release()
	}
	if since := 2 + loads - 1; since <= staleAfter*4 { // before the last Prefetch, which pushed it out
		t.Errorf("an unread block was pushed out after %d MiB", since)
	}
}

func TestPrefetchYieldsToWaitingGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(2 * mib)
		g := newGate(key(1))
		first := goGet(t.Context(), c, key(1), mib, g.load)
		<-g.started
		queued := goGet(t.Context(), c, key(2), 2*mib, loadContent(key(2)))
		pending(t, "the queued Get", queued)
		wantNoRoom(t, c, key(3), mib)
		g.outcome <- nil
		(<-first).ref.Release()
		(<-queued).ref.Release()
		c.Close()
		c.wantEmpty(t)
	})
}

// TestGetWaitsForLoads: as long as a load runs, a Get waits for its block
// rather than overdraw.
func TestGetWaitsForLoads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(mib)
		g := newGate(key(1))
		first := goGet(t.Context(), c, key(1), mib, g.load)
		<-g.started
		ctx, cancel := context.WithCancel(t.Context())
		leaves := goGet(ctx, c, key(2), mib, loadContent(key(2)))
		synctest.Wait()
		stays := goGet(t.Context(), c, key(2), mib, loadContent(key(2)))
		pending(t, "the queued Get", leaves)
		cancel()
		if got := <-leaves; !errors.Is(got.err, context.Canceled) {
			t.Errorf("%+v", got)
		}
		pending(t, "the Get whose turn it is now", stays)
		if s := c.Stats(); s.InFlight != mib || s.Peak != mib {
			t.Errorf("%+v", s)
		}
		g.outcome <- nil
		(<-first).ref.Release()
		(<-stays).ref.Release()
		c.Close()
		c.wantEmpty(t)
	})
}

// TestCancelUnblocksQueue: a large Get at the head holds up a small one, until
// it leaves.
func TestCancelUnblocksQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(2 * mib)
		g := newGate(key(1))
		first := goGet(t.Context(), c, key(1), mib, g.load)
		<-g.started
		ctx, cancel := context.WithCancel(t.Context())
		large := goGet(ctx, c, key(2), 2*mib, loadContent(key(2)))
		synctest.Wait()
		small := goGet(t.Context(), c, key(3), mib, loadContent(key(3)))
		pending(t, "the small Get", small)
		cancel()
		(<-small).ref.Release()
		<-large
		g.outcome <- nil
		(<-first).ref.Release()
		c.Close()
		c.wantEmpty(t)
	})
}

// TestBlockLargerThanBudget serves such blocks, loading one at a time.
func TestBlockLargerThanBudget(t *testing.T) {
	for _, budget := range []int64{-1, 0, 8 * kib} {
		c := New(budget)
		var mu sync.Mutex
		running, mostRunning := 0, 0
		count := func(by int) {
			mu.Lock()
			defer mu.Unlock()
			running += by
			mostRunning = max(mostRunning, running)
		}
		var wg sync.WaitGroup
		for n := range 16 {
			wg.Go(func() {
				r, err := c.Get(t.Context(), key(n), MaxBlock, func(ctx context.Context, dst []byte) error {
					count(1)
					defer count(-1)
					return loadContent(key(n))(ctx, dst)
				})
				if err != nil {
					t.Error(err)
					return
				}
				c.check(t)
				wantContent(t, r, key(n), 0, MaxBlock)
				r.Release()
			})
		}
		wg.Wait()
		if mostRunning != 1 {
			t.Errorf("budget %d: %d loads at once", budget, mostRunning)
		}
		if s := c.Stats(); s.Peak > max(budget, 0)+Overdraft {
			t.Errorf("%+v", s)
		}
		c.Close()
		c.wantEmpty(t)
	}
}

// TestCallersThatHoldPins would deadlock without Overdraft: the budget is all
// held by callers that each want another block.
func TestCallersThatHoldPins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers, blocks = 8, 4
		c := New(callers * mib)
		var wg, full sync.WaitGroup
		full.Add(callers)
		for n := range callers {
			wg.Go(func() {
				var held []*Ref
				for b := range blocks {
					k := key(n*blocks + b)
					r, err := c.Get(t.Context(), k, mib, loadContent(k))
					if err != nil {
						t.Error(err)
						return
					}
					held = append(held, r)
					c.check(t)
					if b == 0 {
						full.Done()
						full.Wait() // until the budget is exhausted
					}
				}
				for b, r := range held {
					wantContent(t, r, key(n*blocks+b), 0, mib)
					r.Release()
				}
			})
		}
		wg.Wait()
		if s := c.Stats(); s.Peak <= s.Budget || s.Peak > s.Budget+Overdraft {
			t.Errorf("%+v", s)
		}
		c.Close()
		c.wantEmpty(t)
	})
}

// TestOverdraftIsBounded exhausts budget and overdraft with pins: the next Get
// waits, as long as its context, for one of them.
func TestOverdraftIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(4 * mib)
		var held []*Ref
		for n := range (4*mib + Overdraft) / MaxBlock {
			held = append(held, get(t, c, key(n), MaxBlock))
		}
		wantNoRoom(t, c, key(99), 1)
		ctx, cancel := context.WithCancel(t.Context())
		leaves := goGet(ctx, c, key(100), 1, loadContent(key(100)))
		pending(t, "the Get beyond the overdraft", leaves)
		cancel()
		if got := <-leaves; !errors.Is(got.err, context.Canceled) {
			t.Errorf("%+v", got)
		}
		waits := goGet(t.Context(), c, key(101), MaxBlock, loadContent(key(101)))
		pending(t, "the Get beyond the overdraft", waits)
		held[0].Release()
		held[0] = (<-waits).ref
		if s := c.Stats(); s.Peak != 4*mib+Overdraft || s.Pinned != s.Peak {
			t.Errorf("%+v", s)
		}
		for _, r := range held {
			r.Release()
			c.check(t)
		}
		if s := c.Stats(); s.Resident+s.Idle > s.Budget {
			t.Errorf("the overdraft is not given back: %+v", s)
		}
		c.Close()
		c.wantEmpty(t)
	})
}
