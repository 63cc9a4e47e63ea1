package cache

import (
	"math/bits"
	"os"

	"github.com/scapefs/scapefs/internal/poison"
)

// arena hands out slots of memory by size class. Freed slots are kept warm, so
// that the next block of their class costs no page fault, as long as used and
// idle bytes together stay within limit; the others are cold: addresses that
// no memory backs, not yet or no longer. Addresses are unmapped all at once at the
// end, hence a stray read of a freed slot finds wrong bytes, not a fault.
//
// It does not judge whether an alloc is within the limit, and it is not safe
// for concurrent use.
type arena struct {
	limit   int64
	used    int64 // bytes handed out
	idle    int64 // bytes of warm slots
	peak    int64 // the most of used + idle so far
	clock   uint64
	classes [maxShift + 1]class // by the logarithm of the slot size
	regions [][]byte            // to be unmapped
}

// class is the free slots of one size.
type class struct {
	warm, cold [][]byte
	lastUse    uint64
}

const (
	minShift = 12
	maxShift = 22

	// regionSize is the most that is mapped at once: one slot of the largest
	// class, or many of a smaller one, so that the process needs few mappings.
	regionSize = MaxBlock

	minHuge = 256 << 10 // slots from this size on lie on huge pages
)

var minSlot = max(1<<minShift, int64(os.Getpagesize())) // memory goes back by whole pages

// slotSize returns the bytes of the slot for a block of size bytes, 1..MaxBlock.
func slotSize(size int) int64 {
	return max(minSlot, 1<<bits.Len64(uint64(size)-1))
}

func classOf(slot int64) int { return bits.Len64(uint64(slot) - 1) }

// alloc returns a slot of slot bytes, a result of slotSize. What is in it is
// unspecified.
func (a *arena) alloc(slot int64) ([]byte, error) {
	cl := a.touch(slot)
	if len(cl.warm)+len(cl.cold) == 0 {
		if err := a.grow(cl, slot); err != nil {
			return nil, err
		}
	}
	a.used += slot
	if len(cl.warm) > 0 {
		a.idle -= slot
		return pop(&cl.warm), nil
	}
	a.trim(a.limit - a.used)
	a.peak = max(a.peak, a.used+a.idle)
	return pop(&cl.cold), nil
}

// hasWarm reports whether alloc would take memory that is in use already.
func (a *arena) hasWarm(slot int64) bool { return len(a.classes[classOf(slot)].warm) > 0 }

// grow maps slots for a class that has none. Large slots lie on huge pages,
// which take a fraction of the page faults, if the limit has room for the whole
// region: a huge page backs slots before they are used, so all of them count
// as warm from the start.
func (a *arena) grow(cl *class, slot int64) error {
	keep := a.limit - a.used - regionSize
	huge := slot >= minHuge && keep >= 0
	region, slots, err := mapSlots(slot, huge)
	if err != nil {
		return err
	}
	if region != nil {
		a.regions = append(a.regions, region)
	}
	if !huge {
		cl.cold = append(cl.cold, slots...)
		return nil
	}
	a.trim(keep)
	cl.warm = append(cl.warm, slots...)
	a.idle += slot * int64(len(slots))
	a.peak = max(a.peak, a.used+a.idle)
	return nil
}

// free takes back a slot, or a prefix of it.
func (a *arena) free(mem []byte) {
	mem = mem[:cap(mem)]
	poison.Fill(mem)
	slot := int64(len(mem))
	cl := a.touch(slot)
	cl.warm = append(cl.warm, mem)
	a.used -= slot
	a.idle += slot
	if a.used+a.idle > a.limit {
		a.cool(cl)
	}
}

// trim cools slots of the classes that were not used the longest, until no
// more than keep idle bytes are left.
func (a *arena) trim(keep int64) {
	for a.idle > max(keep, 0) {
		var victim *class
		for i := range a.classes {
			cl := &a.classes[i]
			if len(cl.warm) > 0 && (victim == nil || cl.lastUse < victim.lastUse) {
				victim = cl
			}
		}
		a.cool(victim)
	}
}

// cool gives the memory of one warm slot back to the system.
func (a *arena) cool(cl *class) {
	mem := pop(&cl.warm)
	a.idle -= int64(len(mem))
	if giveBack(mem) {
		cl.cold = append(cl.cold, mem)
	}
}

// unmap gives everything back. Only with no slot in use.
func (a *arena) unmap() {
	for _, region := range a.regions {
		unmapRegion(region)
	}
	a.regions = nil
	a.idle = 0
	a.classes = [len(a.classes)]class{}
}

func (a *arena) touch(slot int64) *class {
	a.clock++
	cl := &a.classes[classOf(slot)]
	cl.lastUse = a.clock
	return cl
}

func pop(s *[][]byte) []byte {
	last := len(*s) - 1
	mem := (*s)[last]
	(*s)[last] = nil
	*s = (*s)[:last]
	return mem
}
