package archive

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// ordered does n pieces of work in parallel and takes their results in order.
// newWorker is called for each of jobs goroutines, and what it returns, for
// piece after piece, by that goroutine alone. consume runs in one goroutine.
// At most window(jobs) pieces are begun and not consumed. The first error ends
// it all; ordered returns when every goroutine has ended.
func ordered[T any](ctx context.Context, jobs, n int, newWorker func() func(context.Context, int) (T, error), consume func(int, T) error) error {
	g, ctx := errgroup.WithContext(ctx)
	slots := make(chan struct{}, window(jobs))
	// A piece's result waits in the place of its number. The place is free: as
	// many pieces later, the slots are all taken.
	results := make([]chan T, cap(slots))
	for i := range results {
		results[i] = make(chan T, 1)
	}
	var next atomic.Int64
	for range min(jobs, n) {
		work := newWorker()
		g.Go(func() error {
			for {
				select {
				case slots <- struct{}{}:
				case <-ctx.Done():
					return ctx.Err()
				}
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				v, err := work(ctx, i)
				if err != nil {
					return err
				}
				results[i%len(results)] <- v
			}
		})
	}
	g.Go(func() error {
		for i := range n {
			select {
			case v := <-results[i%len(results)]:
				if err := consume(i, v); err != nil {
					return err
				}
				<-slots
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return ctx.Err()
	})
	return g.Wait()
}

// window lets a worker that meets an easy piece go on while the piece whose
// turn it is to be consumed takes longer.
func window(jobs int) int { return jobs + jobs/2 + 1 }
