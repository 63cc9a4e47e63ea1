package fs

import (
	"container/heap"
	"sync"
	"time"
)

// flight has a number of reads under way at a time: more only keep the first of them
// waiting. Of those that wait the one that was asked for first is next, whichever came
// first.
type flight struct {
	patience time.Duration // with a read that its disk does not answer

	mu      sync.Mutex
	asked   uint64
	free    int
	waiting turns
}

// turn is a place in the order that reads were asked for in.
type turn struct {
	number uint64
	come   chan struct{}
}

func newFlight(reads int, patience time.Duration) *flight {
	return &flight{free: reads, patience: patience}
}

// ask gives the turn of a read that is asked for now.
func (f *flight) ask() turn {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return turn{f.asked, make(chan struct{})}
}

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
	heap.Push(&f.waiting, t)
	f.mu.Unlock()
	<-t.come
}

func (f *flight) next() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) == 0 {
		f.free++
		return
	}
	close(heap.Pop(&f.waiting).(turn).come)
}

// turns is a heap, the first at its top.
type turns []turn

func (t turns) Len() int           { return len(t) }
func (t turns) Less(i, j int) bool { return t[i].number < t[j].number }
func (t turns) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *turns) Push(x any)        { *t = append(*t, x.(turn)) }
func (t *turns) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	*t = (*t)[:last]
	return x
}
