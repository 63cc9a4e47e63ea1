package archive

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestOrdered(t *testing.T) {
	for _, jobs := range []int{1, 2, 3, 16} {
		for _, n := range []int{0, 1, 2, 50} {
			synctest.Test(t, func(t *testing.T) {
				var begun, consumed atomic.Int64
				worker := func() func(context.Context, int) (int, error) {
					return func(_ context.Context, i int) (int, error) {
						if ahead := begun.Add(1) - consumed.Load(); ahead > int64(window(jobs)) {
							t.Errorf("%d jobs: %d pieces begun and not consumed", jobs, ahead)
						}
						time.Sleep(time.Duration(i*7%5) * time.Second)
						return i * i, nil
					}
				}
				var got []int
				err := ordered(t.Context(), jobs, n, worker, func(i, v int) error {
					if v != i*i {
						t.Errorf("piece %d gives %d", i, v)
					}
					got = append(got, i)
					consumed.Add(1)
					return nil
				})
				if err != nil || len(got) != n || !slices.IsSorted(got) {
					t.Errorf("%d jobs, %d pieces: %v, %v", jobs, n, got, err)
				}
			})
		}
	}
}

// TestOrderedParallel: all workers are at work at the same time.
func TestOrderedParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		worker := func() func(context.Context, int) (int, error) {
			return func(context.Context, int) (int, error) { time.Sleep(time.Second); return 0, nil }
		}
		if err := ordered(t.Context(), 4, 8, worker, func(int, int) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("8 pieces of a second took 4 workers %v", took)
		}
	})
}

func TestOrderedErrors(t *testing.T) {
	bad := errors.New("bad")
	for _, jobs := range []int{1, 3} {
		for i := range 20 {
			worker := func() func(context.Context, int) (int, error) {
				return func(_ context.Context, k int) (int, error) {
					if k == i {
						return 0, bad
					}
					return k, nil
				}
			}
			if err := ordered(t.Context(), jobs, 20, worker, func(int, int) error { return nil }); err != bad {
				t.Errorf("worker fails at %d: %v", i, err)
			}
			good := func() func(context.Context, int) (int, error) {
				return func(_ context.Context, k int) (int, error) { return k, nil }
			}
			consume := func(k, _ int) error {
				if k == i {
					return bad
				}
				return nil
			}
			if err := ordered(t.Context(), jobs, 20, good, consume); err != bad {
				t.Errorf("consumer fails at %d: %v", i, err)
			}
		}
	}
}

func TestOrderedCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	worker := func() func(context.Context, int) (int, error) {
		return func(ctx context.Context, i int) (int, error) {
			if i == 10 {
				cancel()
			}
			runtime.Gosched()
			return i, nil
		}
	}
	if err := ordered(ctx, 2, 1<<30, worker, func(int, int) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
