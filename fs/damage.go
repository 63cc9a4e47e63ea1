package fs

import "sync"

// wholeChunk stands for the blocks of a chunk whose header is damaged.
const wholeChunk = -1

// damage remembers what of one archive is known to be wrong. After a failed
// READ the kernel asks again for every page: without a memory each would cost
// a read and a decode.
type damage struct {
	mu  sync.Mutex
	bad map[[2]int]error // by chunk and block
}

// add remembers err if it is damage, and returns it. Of very many it forgets
// the last: those are found out anew each time.
func (d *damage) add(chunk, block int, err error) error {
	if err == nil || !isDamage(err) {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bad == nil {
		d.bad = make(map[[2]int]error)
	}
	if len(d.bad) < maxFaults {
		d.bad[[2]int{chunk, block}] = err
	}
	return err
}

// of gives the error that block of chunk is known for.
func (d *damage) of(chunk, block int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bad[[2]int{chunk, block}]
}
