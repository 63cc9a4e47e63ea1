package fs

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// An interrupted read has time to end, and no more than that.
func TestPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		late, cancel := patient(ctx)
		defer cancel()
		interrupt()
		time.Sleep(interruptGrace - time.Millisecond)
		synctest.Wait()
		if late.Err() != nil {
			t.Fatal("ended with the interrupt")
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if late.Err() == nil {
			t.Fatal("goes on for ever")
		}
	})
}
