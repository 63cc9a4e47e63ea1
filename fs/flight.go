package fs

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// flight has a number of reads under way at a time: more only keep the first of them
// waiting. Of those that wait the one that was asked for first is next, whichever came
// first.
type flight struct {
	patience time.Duration // with a read that its disk does not answer

	asked atomic.Uint64

	mu      sync.Mutex
	free    int
	waiting []waiter // by turn
}

// turn is a place in the order that reads were asked for in.
type turn uint64

// waiter is a read whose turn is yet to come.
type waiter struct {
	turn turn
	come chan struct{}
}

func newFlight(reads int, patience time.Duration) *flight {
	return &flight{free: reads, patience: patience}
}

// ask gives the turn of a read that is asked for now.
func (f *flight) ask() turn { return turn(f.asked.Add(1)) }

// do does read when t has come. One that takes longer than patience is not counted any
// more.
func (f *flight) do(t turn, read func()) {
	f.await(t)
	done := sync.OnceFunc(f.next)
	late := time.AfterFunc(f.patience, done)
	defer done()
	defer late.Stop()
	read()
}

func (f *flight) await(t turn) {
	f.mu.Lock()
	if f.free > 0 {
		f.free--
		f.mu.Unlock()
		return
	}
	w := waiter{t, make(chan struct{})}
	at, _ := slices.BinarySearchFunc(f.waiting, t, func(w waiter, t turn) int { return cmp.Compare(w.turn, t) })
	f.waiting = slices.Insert(f.waiting, at, w)
	f.mu.Unlock()
	<-w.come
}

func (f *flight) next() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) == 0 {
		f.free++
		return
	}
	close(f.waiting[0].come)
	f.waiting = slices.Delete(f.waiting, 0, 1)
}
