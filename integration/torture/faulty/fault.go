package faulty

import (
	"math/rand/v2"
	"sync"
	"syscall"
	"time"
)

// Kind is a way in which a disk fails.
type Kind string

// The ways in which a disk fails. Those that change what is read leave the
// size that the disk tells as it was.
const (
	None  Kind = ""
	EIO   Kind = "eio"   // requests fail
	Hang  Kind = "hang"  // requests get no answer until the fault is over
	Slow  Kind = "slow"  // requests wait 20 ms
	Short Kind = "short" // reads give half of what they ask for
	Cut   Kind = "cut"   // the second half of the file is not there
	Flip  Kind = "flip"  // reads have one bit wrong
)

// Kinds lists all but None.
func Kinds() []Kind { return []Kind{EIO, Hang, Slow, Short, Cut, Flip} }

// Fault is what befalls a disk.
type Fault struct {
	Kind  Kind   `json:"kind"`
	Name  string `json:"name,omitempty"`   // of the one file it befalls; empty for all
	OneIn int    `json:"one_in,omitempty"` // of how many requests one fails; 0 and 1 for each
	Names bool   `json:"names,omitempty"`  // names, attributes and opens fail too, not reads alone
	Seed  uint64 `json:"seed,omitempty"`   // of which requests fail, and of wrong bits
}

// slowness is how long a request to a slow disk waits.
const slowness = 20 * time.Millisecond

// state is the fault that there is, which requests ask for.
type state struct {
	mu    sync.Mutex
	fault Fault
	over  chan struct{} // closed when fault is over
	rng   *rand.Rand
	hit   int64
}

func newState() *state {
	s := &state{over: make(chan struct{})}
	s.set(Fault{})
	return s
}

// set ends the fault that there is and begins f. It says how many requests the
// one before has befallen.
func (s *state) set(f Fault) (hit int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.over)
	hit = s.hit
	s.fault, s.over, s.rng, s.hit = f, make(chan struct{}), rand.New(rand.NewPCG(f.Seed, 0)), 0
	return hit
}

// befallen is how many requests the fault that there is has befallen.
func (s *state) befallen() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hit
}

// draw decides whether a request for the file called name is befallen, by
// what, and gives a random number for it.
func (s *state) draw(name string, read bool) (f Fault, over <-chan struct{}, random uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f = s.fault
	if f.Kind == None || f.Name != "" && f.Name != name || !read && !f.Names ||
		f.OneIn > 1 && s.rng.IntN(f.OneIn) != 0 {
		return Fault{}, nil, 0
	}
	s.hit++
	return f, s.over, s.rng.Uint64()
}

// name is what befalls a request that is no read.
func (s *state) name(name string) syscall.Errno {
	f, over, _ := s.draw(name, false)
	return f.delay(over)
}

// delay waits as the fault has it, or fails. Like a disk's, a hang cannot be
// interrupted.
func (f Fault) delay(over <-chan struct{}) syscall.Errno {
	switch f.Kind {
	case EIO:
		return syscall.EIO
	case Hang:
		<-over
	case Slow:
		time.Sleep(slowness)
	}
	return 0
}

// spoil does to the bytes b, read at off from a file of size bytes, what the
// fault does to reads, and gives what is left of them.
func (f Fault) spoil(b []byte, off, size int64, random uint64) []byte {
	switch f.Kind {
	case Short:
		return b[:(len(b)+1)/2]
	case Cut:
		return b[:max(0, min(int64(len(b)), size/2-off))]
	case Flip:
		if len(b) > 0 {
			b[random/8%uint64(len(b))] ^= 1 << (random % 8)
		}
	}
	return b
}
