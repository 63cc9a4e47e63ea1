package fs

import (
	"bytes"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scapefs/scapefs/archive"
)

func TestPool(t *testing.T) {
	var log bytes.Buffer
	p := newPool(1, slog.New(slog.NewTextHandler(&log, nil)))
	p.patience = time.Hour
	does := func(fn func()) work { return work{fn, new(atomic.Int64)} }
	hold, held := make(chan struct{}), make(chan struct{})
	if !p.later(does(func() { close(held); <-hold; panic("boom") })) {
		t.Fatal("an empty queue is full")
	}
	<-held
	if p.now(does(func() {})) {
		t.Error("a busy worker took urgent work")
	}
	for i := range maxQueued {
		if !p.later(does(func() {})) {
			t.Fatalf("queue full after %d", i)
		}
	}
	if p.later(does(func() {})) {
		t.Error("a full queue took more")
	}
	close(hold)
	p.close() // leaves no goroutine, whatever is queued
	if !strings.Contains(log.String(), "boom") {
		t.Errorf("panic not logged: %q", log.String())
	}
}

// eventually waits until is reports true, however busy the machine.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for wait := time.Now(); !is(); time.Sleep(time.Millisecond) {
		if time.Since(wait) > childTime {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestAnotherWorkerStandsInForOneThatHangs(t *testing.T) {
	p := newPool(2, slog.New(slog.DiscardHandler))
	p.patience = 10 * time.Millisecond
	var hung, other atomic.Int64
	hold := make(chan struct{})
	for range 2 {
		if !p.later(work{func() { <-hold }, &hung}) {
			t.Fatal("an empty queue is full")
		}
	}
	done := make(chan struct{})
	if !p.later(work{func() { close(done) }, &other}) {
		t.Fatal("the queue is full")
	}
	<-done
	eventually(t, "both works have stalled", func() bool { return hung.Load() == 2 })
	close(hold)
	eventually(t, "the stand-ins are gone", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return hung.Load() == 0 && p.standIns == 0 && p.busy.Load() == 0
	})
	p.close()
}

func TestDamageIsBelievedForAWhile(t *testing.T) {
	now := time.Now()
	d := damage{clock: func() time.Time { return now }}
	bad := &archive.CorruptError{Chunk: 1}
	for chunk := range maxFaults {
		d.add(chunk, 0, bad)
	}
	now = now.Add(damageFor - 1)
	if d.of(1, 0) != bad {
		t.Error("damage is forgotten too soon")
	}
	now = now.Add(1)
	if err := d.of(1, 0); err != nil {
		t.Errorf("old damage is still believed: %v", err)
	}
	d.add(1, 0, bad)
	d.add(maxFaults, 0, bad)
	if d.of(maxFaults, 0) != bad || len(d.bad) != 2 {
		t.Errorf("%d remembered; old damage should make room", len(d.bad))
	}
}

func TestDamageIsRemembered(t *testing.T) {
	now := time.Now()
	d := damage{clock: func() time.Time { return now }}
	if d.add(1, 2, nil) != nil || d.of(1, 2) != nil {
		t.Error("no error is damage")
	}
	if err := d.add(1, 2, errPanicked); err != errPanicked || d.of(1, 2) != nil {
		t.Error("an error that may pass is remembered")
	}
	bad := &archive.CorruptError{Chunk: 1}
	if err := d.add(1, 2, bad); err != bad || d.of(1, 2) != bad {
		t.Error("damage is not remembered")
	}
	if d.of(1, 3) != nil || d.of(1, wholeChunk) != nil {
		t.Error("damage spreads")
	}
	for i := range 2 * maxFaults {
		d.add(2, i, bad)
	}
	if len(d.bad) > maxFaults {
		t.Errorf("%d remembered", len(d.bad))
	}
}
