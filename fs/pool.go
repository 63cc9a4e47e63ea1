package fs

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxQueued bounds the pieces of readahead that wait for a worker.
	maxQueued = 1024

	// stallAfter is how long work may take before another worker stands in
	// for the one that does it: most likely a disk does not answer.
	stallAfter = 5 * time.Second

	// maxStandIns bounds the workers beyond the number that the pool has.
	maxStandIns = 64
)

// work is what a worker is given. stalled, which the works of one archive
// share, counts those that have taken longer than stallAfter.
type work struct {
	fn      func()
	stalled *atomic.Int64
}

// pool is a number of workers. Work that somebody waits for goes to an idle one
// at once or not at all; work ahead of use queues.
type pool struct {
	log      *slog.Logger
	size     int
	patience time.Duration // stallAfter
	busy     atomic.Int64  // workers that work, those that have stalled excepted
	urgent   chan work
	queue    chan work
	quit     chan struct{}
	workers  sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	standIns int
}

func newPool(workers int, log *slog.Logger) *pool {
	p := &pool{
		log:      log,
		size:     workers,
		patience: stallAfter,
		urgent:   make(chan work),
		queue:    make(chan work, maxQueued),
		quit:     make(chan struct{}),
	}
	for range workers {
		p.workers.Go(p.serve)
	}
	return p
}

func (p *pool) serve() {
	for {
		var w work
		select {
		case <-p.quit:
			return
		case w = <-p.urgent:
		case w = <-p.queue:
		}
		if p.run(w) {
			return
		}
	}
}

// shift is a work at hand. The mutex of the pool guards it.
type shift struct{ ended, stalled, replaced bool }

// run does w, and reports whether another worker has taken this one's place.
func (p *pool) run(w work) (replaced bool) {
	var s shift
	p.busy.Add(1)
	watch := time.AfterFunc(p.patience, func() { p.stall(w, &s) })
	if err := guard(func() error { w.fn(); return nil }); err != nil {
		p.log.Error("worker failed", "error", err)
	}
	watch.Stop()
	return p.end(w, &s)
}

// stall has a worker stand in for the one that does w, so that work for other
// archives goes on.
func (p *pool) stall(w work, s *shift) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.ended {
		return
	}
	s.stalled = true
	w.stalled.Add(1)
	p.busy.Add(-1)
	if !p.closed && p.standIns < maxStandIns {
		s.replaced = true
		p.standIns++
		p.workers.Go(p.serve)
	}
}

// end ends the shift for w; the worker is to go if it was replaced.
func (p *pool) end(w work, s *shift) (replaced bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.ended = true
	if s.stalled {
		w.stalled.Add(-1)
	} else {
		p.busy.Add(-1)
	}
	if s.replaced {
		p.standIns--
	}
	return s.replaced
}

// now gives w to a worker that is idle; false if there is none.
func (p *pool) now(w work) bool {
	select {
	case p.urgent <- w:
		return true
	default:
		return false
	}
}

// later queues w; false if the queue is full.
func (p *pool) later(w work) bool {
	select {
	case p.queue <- w:
		return true
	default:
		return false
	}
}

// close waits for the work at hand and discards what is queued. Nothing may be
// given to the pool afterwards that somebody waits for.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	close(p.quit)
	p.workers.Wait()
}
