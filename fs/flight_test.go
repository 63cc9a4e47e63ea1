package fs

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Reads that wait are done in the order that they were asked for in, whichever waits
// first, and so many at a time.
func TestReadsInTheOrderAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlight(1, time.Hour)
		first := f.ask()
		later := make([]turn, 20)
		for i := range later {
			later[i] = f.ask()
		}
		hold, ended := make(chan struct{}), make(chan struct{})
		go func() { f.do(first, func() { <-hold }); close(ended) }()
		synctest.Wait()
		var order []turn // no two reads are at it at a time
		for _, turn := range slices.Backward(later) {
			go f.do(turn, func() { order = append(order, turn) })
			synctest.Wait() // until it waits
		}
		close(hold)
		<-ended
		synctest.Wait()
		if len(order) != len(later) || !slices.IsSorted(order) {
			t.Errorf("in the order %v", order)
		}
	})
}

// A read that its disk does not answer holds up the others for a while only.
func TestReadsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlight(2, time.Second)
		hold := make(chan struct{})
		for range 2 {
			go f.do(f.ask(), func() { <-hold })
		}
		synctest.Wait()
		began := time.Now()
		for range 4 {
			f.do(f.ask(), func() {})
		}
		if waited := time.Since(began); waited != f.patience {
			t.Errorf("the others waited for %v", waited)
		}
		close(hold)
		synctest.Wait()
		if f.free != 2 {
			t.Errorf("%d places are free", f.free)
		}
	})
}
