package fs

import (
	"log/slog"
	"sync"
	"sync/atomic"
)

// maxQueued bounds the pieces of readahead that wait for a worker.
const maxQueued = 1024

// pool is a fixed number of workers. Work that somebody waits for goes to an
// idle one at once or not at all; work ahead of use queues.
type pool struct {
	log     *slog.Logger
	size    int
	busy    atomic.Int64 // workers that work
	urgent  chan func()
	queue   chan func()
	quit    chan struct{}
	workers sync.WaitGroup
}

func newPool(workers int, log *slog.Logger) *pool {
	p := &pool{
		log:    log,
		size:   workers,
		urgent: make(chan func()),
		queue:  make(chan func(), maxQueued),
		quit:   make(chan struct{}),
	}
	for range workers {
		p.workers.Go(p.work)
	}
	return p
}

func (p *pool) work() {
	for {
		select {
		case <-p.quit:
			return
		case fn := <-p.urgent:
			p.run(fn)
		case fn := <-p.queue:
			p.run(fn)
		}
	}
}

func (p *pool) run(fn func()) {
	p.busy.Add(1)
	defer p.busy.Add(-1)
	err := guard(func() error { fn(); return nil })
	if err != nil {
		p.log.Error("worker failed", "error", err)
	}
}

// now gives fn to a worker that is idle; false if there is none.
func (p *pool) now(fn func()) bool {
	select {
	case p.urgent <- fn:
		return true
	default:
		return false
	}
}

// later queues fn; false if the queue is full.
func (p *pool) later(fn func()) bool {
	select {
	case p.queue <- fn:
		return true
	default:
		return false
	}
}

// close waits for the work at hand and discards what is queued. Nothing may be
// given to the pool afterwards that somebody waits for.
func (p *pool) close() {
	close(p.quit)
	p.workers.Wait()
}
