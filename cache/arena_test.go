package cache

import (
	"math/rand/v2"
	"testing"
)

func TestSlotSize(t *testing.T) {
	for _, tt := range []struct {
		size int
		want int64
	}{
		{1, 4 * kib}, {4 * kib, 4 * kib}, {4*kib + 1, 8 * kib},
		{256*kib - 1, 256 * kib}, {256 * kib, 256 * kib}, {256*kib + 1, 512 * kib},
		{MaxBlock - 1, MaxBlock}, {MaxBlock, MaxBlock},
	} {
		if got, want := slotSize(tt.size), max(tt.want, minSlot); got != want {
			t.Errorf("slot of %d bytes: %d, want %d", tt.size, got, want)
		}
	}
}

// TestArena checks random allocs and frees of all classes: slots in use keep
// their bytes, and what is in use and idle stays within the limit.
func TestArena(t *testing.T) {
	a := arena{limit: 8 * mib}
	rnd := rand.New(rand.NewPCG(1, 2))
	type slot struct {
		mem []byte
		key Key
	}
	var live []slot
	for n := range 3000 {
		size := slotSize(1 + rnd.IntN(1<<(8+rnd.IntN(15))))
		for a.used+size > a.limit || (len(live) > 0 && rnd.IntN(4) == 0) {
			i := rnd.IntN(len(live))
			checkSlot(t, live[i].mem, live[i].key)
			a.free(live[i].mem)
			live[i] = live[len(live)-1]
			live = live[:len(live)-1]
		}
		mem, err := a.alloc(size)
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(mem)) != size || int64(cap(mem)) != size {
			t.Fatalf("slot of %d bytes: len %d cap %d", size, len(mem), cap(mem))
		}
		markSlot(mem, key(n))
		live = append(live, slot{mem, key(n)})
		if a.used+a.idle > a.limit || a.peak > a.limit {
			t.Fatalf("used %d, idle %d, peak %d of %d", a.used, a.idle, a.peak, a.limit)
		}
	}
	for _, s := range live {
		checkSlot(t, s.mem, s.key)
		a.free(s.mem)
	}
	if a.used != 0 {
		t.Errorf("%d bytes used with nothing in use", a.used)
	}
	a.unmap()
}

// markSlot and checkSlot look at both ends of every 4 KiB.
func markSlot(mem []byte, k Key) {
	for at := 0; at < len(mem); at += 4 * kib {
		mem[at], mem[at+4*kib-1] = byte(k.Block), byte(k.Block>>8)
	}
}

func checkSlot(t *testing.T, mem []byte, k Key) {
	t.Helper()
	for at := 0; at < len(mem); at += 4 * kib {
		if mem[at] != byte(k.Block) || mem[at+4*kib-1] != byte(k.Block>>8) {
			t.Fatalf("slot of %v was overwritten at %d", k, at)
		}
	}
}

// TestArenaReuse: a slot freed is the next one handed out, and memory that
// idles the longest goes first when another class needs the room.
func TestArenaReuse(t *testing.T) {
	a := arena{limit: 2560 * kib}
	alloc := func(slot int64) []byte {
		mem, err := a.alloc(slot)
		if err != nil {
			t.Fatal(err)
		}
		return mem
	}
	first := alloc(256 * kib)
	a.free(first)
	if again := alloc(256 * kib); &again[0] != &first[0] {
		t.Error("a warm slot was not reused")
	}
	a.free(first)
	a.free(alloc(mib))
	a.free(alloc(512 * kib)) // all idle now, 1.75 MiB
	alloc(1 * mib)           // warm
	alloc(1 * mib)           // leaves 0.5 MiB for the 0.75 that are idle
	idle := func(slot int64) int { return len(a.classes[classOf(slot)].warm) }
	if idle(256*kib) != 0 || idle(512*kib) != 1 || a.idle != 512*kib {
		t.Errorf("idle: %d of 256 KiB, %d of 512 KiB, %d bytes", idle(256*kib), idle(512*kib), a.idle)
	}
}
