package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/scapefs/scapefs/internal/poison"
)

func TestHitAndMiss(t *testing.T) {
	c := New(mib)
	if _, ok := c.Lookup(key(1)); ok || c.Contains(key(1)) {
		t.Fatal("an empty cache has a block")
	}
	get(t, c, key(1), 100).Release()
	get(t, c, key(1), 100).Release()
	r, ok := c.Lookup(key(1))
	if !ok || !c.Contains(key(1)) {
		t.Fatal("block not there")
	}
	wantContent(t, r, key(1), 0, 100)
	if cap(r.Bytes()) != 100 {
		t.Errorf("the block can be grown into its slot: cap %d", cap(r.Bytes()))
	}
	s := c.Stats()
	if s.Hits != 2 || s.Misses != 1 || s.Loads != 1 || s.Pinned != slotSize(100) || s.Resident != s.Pinned {
		t.Errorf("%+v", s)
	}
	r.Release()
	if r.Bytes() != nil {
		t.Error("a released Ref gives bytes")
	}
	c.Close()
	c.wantEmpty(t)
}

func TestSecondRelease(t *testing.T) {
	c := New(mib)
	defer c.Close()
	r, other := get(t, c, key(1), 1), get(t, c, key(1), 1)
	defer other.Release()
	r.Release()
	defer func() {
		if panicked := recover() != nil; panicked != poison.On {
			t.Errorf("panicked: %v", panicked)
		}
		if c.Stats().Pinned == 0 {
			t.Error("the second Release took another caller's pin")
		}
	}()
	r.Release()
}

func TestSizes(t *testing.T) {
	c := New(16 * mib)
	defer c.Close()
	fail := func(context.Context, []byte) error { t.Error("loaded"); return nil }
	for _, size := range []int{-1, 0, MaxBlock + 1} {
		if _, err := c.Get(t.Context(), key(0), size, fail); err == nil {
			t.Errorf("Get of %d bytes worked", size)
		}
		if err := c.Prefetch(t.Context(), key(0), size, fail); err == nil {
			t.Errorf("Prefetch of %d bytes worked", size)
		}
	}
	for i, size := range []int{1, 4*kib - 1, 4 * kib, 4*kib + 1, 256 * kib, MaxBlock - 1, MaxBlock} {
		get(t, c, key(i), size).Release()
	}
	if _, err := c.Get(t.Context(), key(0), 2, fail); err == nil {
		t.Error("a block of another size was given")
	}
	c.check(t)
}

func TestEvictsLeastRecentlyReleased(t *testing.T) {
	c := New(4 * mib)
	defer c.Close()
	for n := range 4 {
		get(t, c, key(n), mib).Release()
	}
	get(t, c, key(0), mib).Release()
	for range 3 {
		c.Contains(key(1)) // leaves the order alone
	}
	get(t, c, key(4), mib).Release()
	for n, want := range []bool{true, false, true, true, true} {
		if c.Contains(key(n)) != want {
			t.Errorf("block %d there: %v", n, !want)
		}
	}
	if s := c.Stats(); s.Evictions != 1 || s.Resident != 4*mib || s.Peak != 4*mib {
		t.Errorf("%+v", s)
	}
}

func TestDropFileKeepsPinned(t *testing.T) {
	c := New(mib)
	pinned := get(t, c, key(1), 64*kib)
	get(t, c, key(2), 64*kib).Release()
	other := Key{File: 2}
	get(t, c, other, 64*kib).Release()
	c.DropFile(1)
	if c.Contains(key(1)) || c.Contains(key(2)) || !c.Contains(other) {
		t.Error("DropFile dropped the wrong blocks")
	}
	r, err := c.Get(t.Context(), key(1), 64*kib, func(_ context.Context, dst []byte) error {
		content(key(1), 1, dst)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantContent(t, pinned, key(1), 0, 64*kib)
	wantContent(t, r, key(1), 1, 64*kib)
	pinned.Release() // must not disturb the new block of the same key
	r.Release()
	if s := c.Stats(); s.Resident != 128*kib || !c.Contains(key(1)) {
		t.Errorf("%+v", s)
	}
	c.Close()
	c.wantEmpty(t)
}

func TestClose(t *testing.T) {
	c := New(mib)
	r := get(t, c, key(1), 64*kib)
	get(t, c, key(2), 64*kib).Release()
	c.Close()
	c.Close()
	if _, err := c.Get(t.Context(), key(2), 64*kib, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Get: %v", err)
	}
	if err := c.Prefetch(t.Context(), key(3), 1, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Prefetch: %v", err)
	}
	if _, ok := c.Lookup(key(1)); ok {
		t.Error("a closed cache has a block")
	}
	wantContent(t, r, key(1), 0, 64*kib)
	r.Release()
	c.wantEmpty(t)
}

// TestRandom has many goroutines get, hold, look up, prefetch, drop and cancel.
// A file's version only grows, and a block asked for at one version must not
// be older. Held blocks must keep their bytes.
func TestRandom(t *testing.T) {
	for _, budget := range []int64{0, 300 * kib, 2 * mib} {
		c := New(budget)
		w := &world{t: t, c: c}
		var wg sync.WaitGroup
		for seed := range uint64(12) {
			wg.Go(func() { w.run(rand.New(rand.NewPCG(seed, 7)), 400) })
		}
		wg.Wait()
		c.check(t)
		s := c.Stats()
		if s.Pinned != 0 { // loads of callers that left may still run
			t.Errorf("at rest: %+v", s)
		}
		if s.PrefetchUsed+s.PrefetchWasted > s.Prefetches {
			t.Errorf("prefetches: %+v", s)
		}
		c.Close()
		c.wantEmpty(t)
	}
}

var errRandom = errors.New("random failure")

type world struct {
	t        *testing.T
	c        *Cache
	versions [3]atomic.Uint64
}

func (w *world) run(rnd *rand.Rand, steps int) {
	type pin struct {
		ref     *Ref
		key     Key
		version uint64
	}
	var pins []pin
	for range steps {
		k := Key{File: rnd.Uint64N(3), Chunk: rnd.Uint32N(2), Block: rnd.Uint32N(12)}
		switch op := rnd.IntN(20); {
		case op == 0:
			w.versions[k.File].Add(1)
			w.c.DropFile(k.File)
		case op < 5:
			err := w.c.Prefetch(w.t.Context(), k, sizeOf(k), w.load(k, rnd.IntN(8) == 0))
			if err != nil && !errors.Is(err, ErrNoRoom) && !errors.Is(err, errRandom) {
				w.t.Errorf("Prefetch: %v", err)
			}
		default:
			if r, version := w.get(k, rnd); r != nil {
				pins = append(pins, pin{r, k, version})
			}
		}
		for len(pins) > rnd.IntN(3) {
			wantContent(w.t, pins[0].ref, pins[0].key, pins[0].version, sizeOf(pins[0].key))
			pins[0].ref.Spend(rnd.IntN(3) * sizeOf(pins[0].key) / 2)
			pins = pins[1:]
		}
		w.c.check(w.t)
	}
	for _, p := range pins {
		p.ref.Release()
	}
}

// get returns a block and its version, or nil if the load failed or ctx ended.
func (w *world) get(k Key, rnd *rand.Rand) (*Ref, uint64) {
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	if rnd.IntN(6) == 0 {
		go cancel()
	}
	oldest := w.versions[k.File].Load()
	r, err := w.c.Get(ctx, k, sizeOf(k), w.load(k, rnd.IntN(8) == 0))
	if err != nil {
		if !errors.Is(err, errRandom) && !errors.Is(err, context.Canceled) {
			w.t.Errorf("Get: %v", err)
		}
		return nil, 0
	}
	// DropFile follows the new version, hence a block may be one behind it
	// for each goroutine that is between the two.
	version := versionOf(r.Bytes())
	if version+12 < oldest {
		w.t.Errorf("%v is of version %d, asked for at %d", k, version, oldest)
	}
	wantContent(w.t, r, k, version, sizeOf(k))
	return r, version
}

func (w *world) load(k Key, fails bool) LoadFunc {
	return func(_ context.Context, dst []byte) error {
		content(k, w.versions[k.File].Load(), dst)
		if fails {
			return errRandom
		}
		return nil
	}
}

func sizeOf(k Key) int { return []int{100, 5000, 40_000, 64 * kib}[k.Block%4] }

func versionOf(b []byte) uint64 {
	var v uint64
	for i := range 8 {
		v |= uint64(b[16+i]) << (8 * i)
	}
	return v
}
