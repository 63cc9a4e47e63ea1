package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// PanicError is what a Get or Prefetch returns whose load panicked.
type PanicError struct {
	Value any    // what was given to panic
	Stack []byte // the stack of the panic, as debug.Stack formats it
}

func (e *PanicError) Error() string { return fmt.Sprintf("cache: load panicked: %v", e.Value) }

var errExited = errors.New("cache: load ended its goroutine without returning")

// await waits until the pinned entry is loaded, or it is this caller's turn to
// load it.
func (c *Cache) await(ctx context.Context, e *entry) (lead bool, err error) {
	select {
	case <-e.done: // a hit, whatever ctx says
		return false, nil
	default:
	}
	select {
	case <-e.done:
		return false, nil
	case <-e.turn:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	case <-c.life.Done():
		return false, ErrClosed
	}
}

// lead takes the caller's turn: room first, then the load.
func (c *Cache) lead(ctx context.Context, e *entry, load LoadFunc) error {
	if err := c.waitForRoom(ctx, e); err != nil {
		e.turn <- struct{}{} // to the next in line; release tidies up if there is none
		return err
	}
	return c.start(ctx, e, load)
}

// start runs load for an entry with room reserved, and waits for it as long as
// ctx lasts. The load of a caller that may leave is on a goroutine of its own,
// because it outlives the caller.
func (c *Cache) start(ctx context.Context, e *entry, load LoadFunc) error {
	result := make(chan error, 1)
	if ctx.Done() == nil {
		c.run(ctx, e, load, result)
		return <-result
	}
	go c.run(context.WithoutCancel(ctx), e, load, result)
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Cache) run(ctx context.Context, e *entry, load LoadFunc, result chan<- error) {
	defer c.running.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()

	err := errExited // stands if load calls runtime.Goexit
	defer func() { result <- c.finish(e, err) }()
	err = protect(ctx, e.mem, load)
}

func protect(ctx context.Context, dst []byte, load LoadFunc) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return load(ctx, dst)
}

// finish records the outcome of a load and returns the error for its caller.
func (c *Cache) finish(e *entry, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Loads++
	c.inFlight -= e.bytes()
	if err != nil {
		c.memory.free(e.mem)
		e.mem = nil
		e.turn <- struct{}{}
		if c.closed {
			err = fmt.Errorf("%w: %w", ErrClosed, err)
		}
	} else {
		c.loaded += e.bytes()
		e.stamp = c.loaded
		e.loaded = true
		close(e.done)
	}
	c.settle(e)
	c.grant()
	return err
}
