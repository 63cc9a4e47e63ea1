package fs

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

const (
	// maxVisits bounds the calls into the source that a mount has under way.
	// One whose disk does not answer holds a thread until it does.
	maxVisits = 512

	// maxOwnVisits bounds those of one file or folder.
	maxOwnVisits = 32
)

// visits are calls into the source that whoever waits for them may leave: a
// system call on a disk that hangs cannot be interrupted, a reader must be.
type visits struct {
	slots   *semaphore.Weighted
	running *sync.WaitGroup
}

func newVisits() visits {
	return visits{slots: semaphore.NewWeighted(maxVisits), running: new(sync.WaitGroup)}
}

// own gives one file or folder its part of v.
func (v visits) own() place {
	return place{all: v, slots: semaphore.NewWeighted(maxOwnVisits)}
}

// place is where in the source calls go to.
type place struct {
	all   visits
	slots *semaphore.Weighted
}

// enter waits for a slot. It is to be left once.
func (p place) enter(ctx context.Context) error {
	if err := p.slots.Acquire(ctx, 1); err != nil {
		return err
	}
	if err := p.all.slots.Acquire(ctx, 1); err != nil {
		p.slots.Release(1)
		return err
	}
	p.all.running.Add(1)
	return nil
}

func (p place) leave() {
	p.all.running.Done()
	p.all.slots.Release(1)
	p.slots.Release(1)
}

// await gives what op returns, or the error of ctx once that ends: op then goes
// on by itself, its context cancelled, and what it still gives is dropped.
func await[T any](ctx context.Context, p place, op func(context.Context) (T, error), drop func(T)) (T, error) {
	var none T
	if err := p.enter(ctx); err != nil {
		return none, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result[T])
	go func() {
		defer p.leave()
		r := attempt(ctx, op)
		select {
		case results <- r:
		case <-ctx.Done():
			if r.err == nil && drop != nil {
				drop(r.value)
			}
		}
	}()
	select {
	case r := <-results:
		return r.value, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

type result[T any] struct {
	value T
	err   error
}

func attempt[T any](ctx context.Context, op func(context.Context) (T, error)) (r result[T]) {
	r.err = guard(func() (err error) {
		r.value, err = op(ctx)
		return err
	})
	return r
}
