package fs

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func TestAwait(t *testing.T) {
	v := newVisits()
	p := v.own()
	if n, err := await(t.Context(), p, func(context.Context) (int, error) { return 7, nil }, nil); n != 7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := await(t.Context(), p, func(context.Context) (int, error) { return 0, io.EOF }, nil); err != io.EOF {
		t.Errorf("%v", err)
	}
	_, err := await(t.Context(), p, func(context.Context) (int, error) { panic("boom") }, nil)
	if err == nil || !strings.Contains(err.Error(), "boom") {
		t.Errorf("%v", err)
	}
	v.running.Wait()
}

// Whoever waits may leave; what comes in the end is dropped. Others may go to
// other places, however many hang in one.
func TestAwaitIsLeft(t *testing.T) {
	v := newVisits()
	p := v.own()
	hold, dropped := make(chan struct{}), make(chan int, maxOwnVisits)
	for range maxOwnVisits {
		ctx, leave := context.WithCancel(t.Context())
		_, err := await(ctx, p, func(context.Context) (int, error) {
			leave()
			<-hold
			return 7, nil
		}, func(n int) { dropped <- n })
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("%v", err)
		}
	}
	ctx, leave := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer leave()
	_, err := await(ctx, p, func(context.Context) (int, error) { t.Error("one too many"); return 0, nil }, nil)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if n, err := await(t.Context(), v.own(), func(context.Context) (int, error) { return 7, nil }, nil); n != 7 || err != nil {
		t.Errorf("another place: %d, %v", n, err)
	}
	close(hold)
	v.running.Wait()
	if len(dropped) != maxOwnVisits {
		t.Errorf("%d dropped, want %d", len(dropped), maxOwnVisits)
	}
}
