package fs

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// shedAfter is how long a READ of the kernel's readahead may wait for its disk
// before it may be failed to make way, see crowd.
const shedAfter = 10 * time.Second

// errShed fails a READ that was in the way of others.
var errShed = errors.New("the disk does not answer")

// crowd watches the READs that the kernel's readahead may have sent. It has
// maxBackground of them in flight for a whole mount: as many that wait for a
// disk that hangs would hold up every reader. So of those that are late, half
// that number may wait on; the others are failed. No reader sees that: the
// kernel asks again for the page that one waits for, outside of that limit.
type crowd struct {
	most     int64        // READs that may be late
	patience atomic.Int64 // shedAfter
	late     atomic.Int64 // READs that have waited longer
	shed     atomic.Uint64
}

func newCrowd(most int64) *crowd {
	c := &crowd{most: most}
	c.patience.Store(int64(shedAfter))
	return c
}

// watch gives a context for a READ of so many bytes, which ends with the cause
// errShed when it is to make way. done frees what it holds.
func (c *crowd) watch(ctx context.Context, bytes int, direct bool) (_ context.Context, done func()) {
	if direct || bytes <= os.Getpagesize() { // a reader waits for this one
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	w := &wait{crowd: c, cancel: cancel}
	w.mu.Lock() // lest it expires before it has its timer
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(time.Duration(c.patience.Load()), w.expire)
	return ctx, w.end
}

// wait is the wait of one READ.
type wait struct {
	crowd  *crowd
	cancel context.CancelCauseFunc
	timer  *time.Timer

	mu          sync.Mutex
	late, ended bool
}

// expire notes that the READ is late. It comes again and again, as long as
// there is room to be late in.
func (w *wait) expire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return
	}
	if !w.late {
		w.late = true
		w.crowd.late.Add(1)
	}
	if w.crowd.late.Load() > w.crowd.most {
		w.crowd.shed.Add(1)
		w.finish()
		w.cancel(errShed)
		return
	}
	w.timer.Reset(time.Second)
}

func (w *wait) finish() {
	w.ended = true
	if w.late {
		w.crowd.late.Add(-1)
	}
}

// end says that the READ has been answered.
func (w *wait) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.finish()
	}
	w.timer.Stop()
	w.cancel(nil)
}
