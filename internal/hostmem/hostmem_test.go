package hostmem

import "testing"

func TestBack(t *testing.T) {
	for _, n := range []int64{-1, 0, 1, 4096, 5 << 20} {
		if err := Back(n); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if err := Back(1 << 60); err == nil {
		t.Error("an exabyte was there")
	}
}
