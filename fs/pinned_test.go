package fs

import (
	"context"
	"errors"
	"testing"
	"time"
)

// Readers of an archive that never give back what they hold leave room for
// those of others, and of other devices.
func TestPinnedBytesAreShared(t *testing.T) {
	p := newPinned(80)
	take := func(s *pinShare, bytes, want int64) {
		t.Helper()
		ctx, cancel := t.Context(), func() {}
		if want == 0 { // it waits until it may no longer
			ctx, cancel = context.WithTimeout(ctx, 10*time.Millisecond)
		}
		defer cancel()
		got, err := s.acquire(ctx, bytes)
		if got != want || (want == 0) != errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("asked for %d: got %d, %v; want %d", bytes, got, err, want)
		}
	}
	hung, neighbour, elsewhere := p.of(1), p.of(1), p.of(2)
	take(hung, 100, 40) // as much as there will ever be
	take(hung, 1, 0)
	take(neighbour, 20, 20)
	take(neighbour, 1, 0) // the device's share
	take(elsewhere, 20, 20)
	take(elsewhere, 1, 0)
	hung.release(40)
	take(elsewhere, 20, 20) // what failed holds nothing
	take(neighbour, 20, 20)
	neighbour.release(40)
	elsewhere.release(40)
	if !p.all.TryAcquire(80) || !p.devices[1].TryAcquire(60) || !p.devices[2].TryAcquire(60) {
		t.Error("not all was given back")
	}
}
