package fs

import (
	"sync"
	"time"
)

// wholeChunk stands for the blocks of a chunk whose header is damaged.
const wholeChunk = -1

// damageFor is how long damage is believed. A disk may recover, and an archive
// be mended in place; until then, whoever asks again is answered at once.
const damageFor = 3 * time.Second

// damage remembers what of one archive was found wrong lately. After a failed
// READ the kernel asks again for every page: without a memory each would cost
// a read and a decode.
type damage struct {
	mu    sync.Mutex
	bad   map[[2]int]found // by chunk and block
	swept time.Time        // when what is old was last thrown out
	clock func() time.Time // nil for the time of day
}

func (d *damage) now() time.Time {
	if d.clock != nil {
		return d.clock()
	}
	return time.Now()
}

// found is an error, and when it was met.
type found struct {
	err error
	at  time.Time
}

func (f found) holds(now time.Time) bool { return f.err != nil && now.Sub(f.at) < damageFor }

// add remembers err if it is damage, and returns it. Of very many it forgets
// the last: those are found out anew each time.
func (d *damage) add(chunk, block int, err error) error {
	if err == nil || !isDamage(err) {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if d.bad == nil {
		d.bad = make(map[[2]int]found)
	}
	if len(d.bad) >= maxFaults && now.Sub(d.swept) >= damageFor {
		d.sweep(now)
	}
	if len(d.bad) < maxFaults {
		d.bad[[2]int{chunk, block}] = found{err, now}
	}
	return err
}

func (d *damage) sweep(now time.Time) {
	d.swept = now
	for key, f := range d.bad {
		if !f.holds(now) {
			delete(d.bad, key)
		}
	}
}

// of gives the error that block of chunk is known for.
func (d *damage) of(chunk, block int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := [2]int{chunk, block}
	f, ok := d.bad[key]
	if ok && !f.holds(d.now()) {
		delete(d.bad, key)
		return nil
	}
	return f.err
}
