package fs

import (
	"context"
	"time"
)

// interruptGrace is how long a read goes on after it was interrupted. The
// kernel passes every signal that a reader gets on, and programs do not expect
// a read of a file to fail with EINTR; but who reads from a disk that hangs
// must be able to leave.
const interruptGrace = 2 * time.Second

// patient gives a context that ends interruptGrace after ctx does. cancel
// frees what it holds.
func patient(ctx context.Context) (_ context.Context, cancel context.CancelFunc) {
	late, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-late.Done():
		case <-time.After(interruptGrace):
			end()
		}
	})
	return late, func() {
		stop()
		end()
	}
}
