package fs

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/scapefs/scapefs/archive"
)

func TestPool(t *testing.T) {
	var log bytes.Buffer
	p := newPool(1, slog.New(slog.NewTextHandler(&log, nil)))
	hold, held := make(chan struct{}), make(chan struct{})
	if !p.later(func() { close(held); <-hold; panic("boom") }) {
		t.Fatal("an empty queue is full")
	}
	<-held
	if p.now(func() {}) {
		t.Error("a busy worker took urgent work")
	}
	for i := range maxQueued {
		if !p.later(func() {}) {
			t.Fatalf("queue full after %d", i)
		}
	}
	if p.later(func() {}) {
		t.Error("a full queue took more")
	}
	close(hold)
	p.close() // leaves no goroutine, whatever is queued
	if !strings.Contains(log.String(), "boom") {
		t.Errorf("panic not logged: %q", log.String())
	}
}

func TestDamageIsRemembered(t *testing.T) {
	var d damage
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
