package fs

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestStatus(t *testing.T) {
	r := newRig(t)
	if _, err := ReadStatus(r.point); !errors.Is(err, ErrNotMounted) {
		t.Errorf("nothing is mounted: %v", err)
	}
	original := r.add("model.scape", weights(1<<20, 1), raw)
	r.mount(Options{CacheSize: MinCacheSize, Jobs: 3, AllowOther: true})
	shell(t, "ls "+r.point)
	if s := r.server.Status(); s.Opens != 0 {
		t.Errorf("listing the folder opened %d archives", s.Opens)
	}
	shown := filepath.Join(r.point, "model.safetensors")
	child(t, "compare", shown, original)
	if no := shell(t, "cd "+r.point+"; echo x > new; getfattr -d . 2>/dev/null"); strings.Contains(no, "status") {
		t.Errorf("the status is listed: %s", no)
	}
	s := r.server.Status()
	if s.Source != r.source || s.Jobs != 3 || s.CacheLimit != MinCacheSize || s.Opens == 0 || s.Faults != 0 {
		t.Errorf("status %+v", s)
	}
	if s.Reads == 0 || s.ReadBytes < 1<<20 || s.DemandBytes == 0 || s.RSSBytes == 0 || s.HeapBytes == 0 || s.Goroutines == 0 {
		t.Errorf("status %+v", s)
	}
	if told := child(t, "status", r.point); !strings.HasPrefix(told, r.source+"\n") {
		t.Errorf("another process reads %q", told)
	}
	if told := child(t, "status-as-nobody", r.point); !strings.Contains(told, "permission denied") {
		t.Errorf("another user reads %q", told)
	}
}

func TestStatusSaysWhatLimits(t *testing.T) {
	for want, s := range map[string]Status{
		"":          {Jobs: 2, Busy: 1, ReadAheadKB: readAheadKB},
		"cache":     {Jobs: 2, WaitingReads: 1},
		"storage":   {Jobs: 2, LateReads: 1},
		"processor": {Jobs: 2, Busy: 2},
		"kernel":    {Jobs: 2, ReadAheadKB: 128},
	} {
		limits := s.limits()
		if want == "" && len(limits) == 0 {
			continue
		}
		if !slices.ContainsFunc(limits, func(l string) bool { return strings.HasPrefix(l, want+": ") }) {
			t.Errorf("%+v: %q, want %s", s, limits, want)
		}
	}
}
