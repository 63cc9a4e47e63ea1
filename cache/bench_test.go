package cache

import (
	"context"
	"math/rand/v2"
	"testing"
)

func BenchmarkHit(b *testing.B) {
	const blocks = 1024
	c := New(blocks * 4 * kib)
	defer c.Close()
	load := func(context.Context, []byte) error { return nil }
	for n := range blocks {
		r, err := c.Get(b.Context(), key(n), kib, load)
		if err != nil {
			b.Fatal(err)
		}
		r.Release()
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := c.Get(b.Context(), key(rand.IntN(blocks)), kib, load)
			if err != nil {
				b.Error(err)
				return
			}
			r.Release()
		}
	})
	if s := c.Stats(); s.Loads != blocks {
		b.Errorf("not only hits: %+v", s)
	}
}

// BenchmarkMiss is the cost of a load that does nothing, eviction included.
func BenchmarkMiss(b *testing.B) {
	c := New(16 * mib)
	defer c.Close()
	load := func(context.Context, []byte) error { return nil }
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		r, err := c.Get(b.Context(), key(n), 256*kib, load)
		if err != nil {
			b.Fatal(err)
		}
		r.Release()
	}
}
