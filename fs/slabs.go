package fs

import (
	"sync"
	"unsafe"

	"github.com/scapefs/scapefs/internal/poison"
	"golang.org/x/sys/unix"
)

const (
	// fetchers is how many chunks are fetched, or decoded from what was fetched, at a
	// time: enough for four readers to have what they need next among them. One reader
	// has no use for more than six.
	fetchers = 12

	// maxFlight is how many of them read at a time.
	maxFlight = 3

	// maxSlabs leaves some for those who stand in for fetchers whose disk hangs.
	maxSlabs = 16

	// slabLen is the size of a slab: a chunk as pack makes them, when nothing can be
	// saved, and its header.
	slabLen = 6 << 20

	// hugePage is what slabs are aligned to. A disk takes a number of pieces of
	// memory at a time: of pages of 4 KiB one request may be all of them.
	hugePage = 2 << 20
)

// slab is memory outside of Go's heap that a disk can read into.
type slab struct{ region, mem []byte }

func newSlab() (*slab, error) {
	region, err := unix.Mmap(-1, 0, slabLen+hugePage, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, err
	}
	_ = unix.Madvise(region, unix.MADV_HUGEPAGE) // a kernel without them refuses
	skip := -uintptr(unsafe.Pointer(&region[0])) % hugePage
	return &slab{region, region[skip:][:slabLen:slabLen]}, nil
}

func (s *slab) free() { _ = unix.Munmap(s.region) }

// slabs are a number of slabs, made when they are needed.
type slabs struct {
	most int

	mu   sync.Mutex
	made int
	idle []*slab // the last one in use is the last
}

// get gives a slab, which is to be put back; nil if there is none.
func (s *slabs) get() *slab {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := len(s.idle) - 1; last >= 0 {
		found := s.idle[last]
		s.idle = s.idle[:last]
		return found
	}
	if s.made == s.most {
		return nil
	}
	made, err := newSlab()
	if err != nil {
		return nil
	}
	s.made++
	return made
}

func (s *slabs) put(b *slab) {
	poison.Fill(b.mem)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, b)
}

// trim gives those that are not in use back to the system.
func (s *slabs) trim() {
	s.mu.Lock()
	idle := s.idle
	s.idle = nil
	s.made -= len(idle)
	s.mu.Unlock()
	for _, b := range idle {
		b.free()
	}
}
