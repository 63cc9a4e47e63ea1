package fs

import "sync"

// leastGiven is the size of the smallest block that is remembered to have been
// given to the kernel. It bounds the memory that takes: a bit for as many bytes.
const leastGiven = 64 << 10

// given remembers which blocks of a file READs have passed on whole, into the
// kernel's page cache. They are neither kept nor decoded ahead a second time.
//
// The kernel does not say when it drops pages. It asks again for them, though,
// and then it may have dropped others too: nothing is taken for given any more.
type given struct {
	mu   sync.Mutex
	bits []uint64 // by the begins of blocks, in steps of leastGiven
}

// add says that the block that begins at off was passed on.
func (g *given) add(off int64) {
	word, bit := place64(off)
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.bits) <= word {
		g.bits = append(g.bits, 0)
	}
	g.bits[word] |= bit
}

// has reports whether the kernel should have the block that begins at off.
func (g *given) has(off int64) bool {
	word, bit := place64(off)
	g.mu.Lock()
	defer g.mu.Unlock()
	return word < len(g.bits) && g.bits[word]&bit != 0
}

// missed says that a READ asked for the block that begins at off, which is not
// decoded.
func (g *given) missed(off int64) {
	if g.has(off) {
		g.mu.Lock()
		defer g.mu.Unlock()
		clear(g.bits)
	}
}

func place64(off int64) (word int, bit uint64) {
	n := off / leastGiven
	return int(n / 64), 1 << (n % 64)
}
