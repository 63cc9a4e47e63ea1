package cache

import (
	"math/rand/v2"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// resident asks the kernel how many bytes of the regions are in memory.
func (a *arena) resident(t *testing.T) (bytes int64) {
	t.Helper()
	page := os.Getpagesize()
	pages := make([]byte, regionSize/page)
	for _, region := range a.regions {
		_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&region[0])), uintptr(len(region)), uintptr(unsafe.Pointer(&pages[0])))
		if errno != 0 {
			t.Fatalf("mincore: %v", errno)
		}
		for _, p := range pages {
			bytes += int64(p&1) * int64(page)
		}
	}
	return bytes
}

// TestResidentMemory fills the cache with blocks of one class after the other:
// what the kernel counts must be within the budget, and nothing like the sum
// over the classes.
func TestResidentMemory(t *testing.T) {
	c := New(8 * mib)
	defer c.Close()
	n := 0
	for _, size := range []int{4 * kib, MaxBlock, 256 * kib, 64 * kib, mib, 4 * kib} {
		for range 8 * mib / size {
			n++
			get(t, c, key(n), size).Release()
		}
		if got := c.memory.resident(t); got != 8*mib {
			t.Errorf("after blocks of %d bytes: %d bytes resident, budget %d", size, got, 8*mib)
		}
	}
}

// TestResidentMemoryOfMixedSizes: the kernel never counts more than the arena.
func TestResidentMemoryOfMixedSizes(t *testing.T) {
	c := New(24 * mib)
	defer c.Close()
	rnd := rand.New(rand.NewPCG(3, 4))
	var most int64
	for n := range 600 {
		get(t, c, key(n), 1+rnd.IntN(1<<(10+rnd.IntN(13)))).Release()
		s, got := c.Stats(), c.memory.resident(t)
		if got > s.Resident+s.Idle || got > s.Budget {
			t.Fatalf("%d bytes resident, %+v", got, s)
		}
		most = max(most, got)
	}
	if most < 16*mib {
		t.Errorf("no more than %d bytes were ever resident", most)
	}
}

func TestOverdraftLeavesMemory(t *testing.T) {
	c := New(mib)
	defer c.Close()
	var held []*Ref
	for n := range 4 {
		held = append(held, get(t, c, key(n), MaxBlock))
	}
	if got := c.memory.resident(t); got != 4*MaxBlock {
		t.Errorf("%d bytes resident with %d pinned", got, 4*MaxBlock)
	}
	for _, r := range held {
		r.Release()
	}
	get(t, c, key(9), kib).Release()
	if got := c.memory.resident(t); got > mib {
		t.Errorf("%d bytes resident, budget %d", got, mib)
	}
}
