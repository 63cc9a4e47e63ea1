package cache

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

// gate is a load that waits to be told its outcome.
type gate struct {
	key     Key
	version uint64
	started chan struct{} // receives once per load
	outcome chan error
	ctx     context.Context // of the last load
}

func newGate(k Key) *gate {
	return &gate{key: k, started: make(chan struct{}, 100), outcome: make(chan error)}
}

func (g *gate) load(ctx context.Context, dst []byte) error {
	g.ctx = ctx
	g.started <- struct{}{}
	select {
	case err := <-g.outcome:
		content(g.key, g.version, dst)
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answer is what a Get on another goroutine came back with.
type answer struct {
	ref *Ref
	err error
}

func goGet(ctx context.Context, c *Cache, k Key, size int, load LoadFunc) <-chan answer {
	out := make(chan answer, 1)
	go func() {
		r, err := c.Get(ctx, k, size, load)
		out <- answer{r, err}
	}()
	return out
}

func pending(t *testing.T, name string, a <-chan answer) {
	t.Helper()
	synctest.Wait()
	if len(a) != 0 {
		t.Fatalf("%s came back: %+v", name, <-a)
	}
}

func TestSingleFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(mib)
		g := newGate(key(1))
		var all []<-chan answer
		for range 50 {
			all = append(all, goGet(t.Context(), c, key(1), 5000, g.load))
		}
		synctest.Wait()
		if s := c.Stats(); s.InFlight != slotSize(5000) || s.Resident != 0 {
			t.Errorf("during the load: %+v", s)
		}
		g.outcome <- nil
		for _, a := range all {
			got := <-a
			if got.err != nil {
				t.Fatal(got.err)
			}
			wantContent(t, got.ref, key(1), 0, 5000)
			got.ref.Release()
		}
		if s := c.Stats(); len(g.started) != 1 || s.Loads != 1 || s.Misses != 50 {
			t.Errorf("%d loads, %+v", len(g.started), s)
		}
		c.Close()
		c.wantEmpty(t)
	})
}

// TestTurns fails one load after the other: each failure reaches only its own
// caller, and exactly one other goes next.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(mib)
		const callers = 5
		var mu sync.Mutex
		running, mostRunning := 0, 0
		outcome := make(chan error)
		errs := make(chan error, callers)
		for range callers {
			go func() {
				own := errors.New("own failure")
				r, err := c.Get(t.Context(), key(1), 100, func(context.Context, []byte) error {
					mu.Lock()
					running++
					mostRunning = max(mostRunning, running)
					mu.Unlock()
					err := <-outcome
					mu.Lock()
					running--
					mu.Unlock()
					if err != nil {
						return own
					}
					return nil
				})
				if err != nil && !errors.Is(err, own) {
					t.Errorf("got another caller's error: %v", err)
				}
				if err == nil {
					r.Release()
				}
				errs <- err
			}()
		}
		for failed := range 3 {
			synctest.Wait()
			if len(errs) != failed {
				t.Fatalf("%d callers came back after %d failures", len(errs), failed)
			}
			outcome <- errRandom
		}
		outcome <- nil
		failures := 0
		for range callers {
			if <-errs != nil {
				failures++
			}
		}
		if failures != 3 || mostRunning != 1 || c.Stats().Loads != 4 {
			t.Errorf("%d failures, %d at once, %+v", failures, mostRunning, c.Stats())
		}
		c.Close()
		c.wantEmpty(t)
	})
}

func TestFailureLeavesNothing(t *testing.T) {
	c := New(mib)
	fail := func(context.Context, []byte) error { return errRandom }
	if _, err := c.Get(t.Context(), key(1), 100, fail); !errors.Is(err, errRandom) {
		t.Errorf("Get: %v", err)
	}
	if err := c.Prefetch(t.Context(), key(2), 100, fail); !errors.Is(err, errRandom) {
		t.Errorf("Prefetch: %v", err)
	}
	if s := c.Stats(); s.Resident != 0 || s.InFlight != 0 || len(c.files) != 0 {
		t.Errorf("%d files, %+v", len(c.files), s)
	}
	get(t, c, key(1), 100).Release()
	c.Close()
	c.wantEmpty(t)
}

func TestCancelledCallersLeaveAndLoadGoesOn(t *testing.T) {
	type ctxKey struct{}
	synctest.Test(t, func(t *testing.T) {
		c := New(mib)
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), ctxKey{}, "value"))
		g := newGate(key(1))
		leader := goGet(ctx, c, key(1), 100, g.load)
		<-g.started
		waiter := goGet(ctx, c, key(1), 100, g.load)
		patient := goGet(t.Context(), c, key(1), 100, g.load)
		synctest.Wait()
		cancel()
		for _, a := range []<-chan answer{leader, waiter} {
			if got := <-a; !errors.Is(got.err, context.Canceled) || got.ref != nil {
				t.Errorf("cancelled caller: %+v", got)
			}
		}
		pending(t, "the patient caller", patient)
		if g.ctx.Err() != nil || g.ctx.Value(ctxKey{}) != "value" {
			t.Errorf("the load's context: %v, %v", g.ctx.Err(), g.ctx.Value(ctxKey{}))
		}
		g.outcome <- nil
		got := <-patient
		wantContent(t, got.ref, key(1), 0, 100)
		got.ref.Release()
		c.Close()
		c.wantEmpty(t)
	})
}

func TestLoadThatNobodyWaitsForIsKept(t *testing.T) {
	for _, outcome := range []error{nil, errRandom} {
		synctest.Test(t, func(t *testing.T) {
			c := New(mib)
			ctx, cancel := context.WithCancel(t.Context())
			g := newGate(key(1))
			leader := goGet(ctx, c, key(1), 100, g.load)
			<-g.started
			cancel()
			<-leader
			g.outcome <- outcome
			synctest.Wait()
			if c.Contains(key(1)) != (outcome == nil) {
				t.Errorf("kept: %v after %v", c.Contains(key(1)), outcome)
			}
			get(t, c, key(1), 100).Release()
			c.check(t)
			c.Close()
			c.wantEmpty(t)
		})
	}
}

// TestTurnAfterLeaderLeft has the load of a caller that left fail: whoever
// waits must still get a turn.
func TestTurnAfterLeaderLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(mib)
		ctx, cancel := context.WithCancel(t.Context())
		g := newGate(key(1))
		leader := goGet(ctx, c, key(1), 100, g.load)
		<-g.started
		next := goGet(t.Context(), c, key(1), 100, loadContent(key(1)))
		synctest.Wait()
		cancel()
		<-leader
		g.outcome <- errRandom
		got := <-next
		if got.err != nil {
			t.Fatal(got.err)
		}
		wantContent(t, got.ref, key(1), 0, 100)
		got.ref.Release()
		c.Close()
		c.wantEmpty(t)
	})
}

func TestLoadThatDoesNotReturn(t *testing.T) {
	c := New(mib)
	_, err := c.Get(t.Context(), key(1), 100, func(context.Context, []byte) error { panic("boom") })
	var p *PanicError
	if !errors.As(err, &p) || p.Value != "boom" || !bytes.Contains(p.Stack, []byte("TestLoadThatDoesNotReturn")) {
		t.Errorf("panic: %v", err)
	}
	_, err = c.Get(t.Context(), key(1), 100, func(context.Context, []byte) error { runtime.Goexit(); return nil })
	if !errors.Is(err, errExited) {
		t.Errorf("Goexit: %v", err)
	}
	if err := c.Prefetch(t.Context(), key(1), 100, func(context.Context, []byte) error { panic(nil) }); err == nil {
		t.Error("panic(nil) is no error")
	}
	get(t, c, key(1), 100).Release()
	c.Close()
	c.wantEmpty(t)
}

func TestPanicHandsOnTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(mib)
		boom := make(chan struct{})
		leader := goGet(t.Context(), c, key(1), 100, func(context.Context, []byte) error { <-boom; panic("boom") })
		synctest.Wait()
		next := goGet(t.Context(), c, key(1), 100, loadContent(key(1)))
		synctest.Wait()
		close(boom)
		if got := <-leader; got.err == nil {
			t.Error("the panicking caller got no error")
		}
		got := <-next
		if got.err != nil {
			t.Fatal(got.err)
		}
		got.ref.Release()
		c.Close()
		c.wantEmpty(t)
	})
}

// TestDropFileDuringLoad drops a file while a block of it is in flight: those
// who asked before are served, those who ask after get a load of their own.
func TestDropFileDuringLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(mib)
		before, after, ahead := newGate(key(1)), newGate(key(1)), newGate(key(2))
		after.version = 1
		first := goGet(t.Context(), c, key(1), 100, before.load)
		go func() {
			if err := c.Prefetch(t.Context(), key(2), 100, ahead.load); err != nil {
				t.Errorf("Prefetch: %v", err)
			}
		}()
		synctest.Wait()
		c.DropFile(1)
		second := goGet(t.Context(), c, key(1), 100, after.load)
		synctest.Wait()
		before.outcome <- nil
		ahead.outcome <- nil
		old := <-first
		wantContent(t, old.ref, key(1), 0, 100)
		pending(t, "the second Get", second)
		if c.Contains(key(1)) || c.Contains(key(2)) {
			t.Error("a load begun before DropFile was inserted after it")
		}
		after.outcome <- nil
		fresh := <-second
		wantContent(t, fresh.ref, key(1), 1, 100)
		old.ref.Release()
		fresh.ref.Release()
		r, ok := c.Lookup(key(1))
		if !ok {
			t.Fatal("the new block is not there")
		}
		wantContent(t, r, key(1), 1, 100)
		r.Release()
		if s := c.Stats(); s.Resident != slotSize(100) || s.PrefetchWasted != 1 {
			t.Errorf("%+v", s)
		}
		c.Close()
		c.wantEmpty(t)
	})
}

func TestCloseCancelsLoads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(8 * kib)
		g := newGate(key(1))
		leader := goGet(t.Context(), c, key(1), 8*kib, g.load)
		<-g.started
		joined := goGet(t.Context(), c, key(1), 8*kib, g.load)
		queued := goGet(t.Context(), c, key(2), 8*kib, g.load)
		pending(t, "the queued Get", queued)
		c.Close()
		for _, a := range []<-chan answer{leader, joined, queued} {
			if got := <-a; !errors.Is(got.err, ErrClosed) {
				t.Errorf("%+v", got)
			}
		}
		c.wantEmpty(t)
	})
}
