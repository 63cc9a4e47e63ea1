package fs

import "testing"

func TestStillnessBeginsOnceAfterEveryMove(t *testing.T) {
	var s stillness
	for i, tt := range []struct {
		count  uint64
		begins bool
	}{{0, false}, {0, false}, {5, false}, {5, true}, {5, false}, {6, false}, {7, false}, {7, true}, {7, false}} {
		if got := s.begins(tt.count); got != tt.begins {
			t.Errorf("look %d, at %d: %v", i, tt.count, got)
		}
	}
}
