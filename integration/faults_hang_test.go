package integration

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/scapefs/scapefs/integration/torture/faulty"
	"github.com/scapefs/scapefs/integration/torture/reader"
)

// Whatever a disk does for a while, readers get right bytes or an error; and
// once it works again, right bytes.
func TestDamageHeals(t *testing.T) {
	r := newTrial(t, 2, 3)
	for name, fault := range map[string]faulty.Fault{
		"errors":           {Kind: faulty.EIO, OneIn: 2},
		"errors for names": {Kind: faulty.EIO, OneIn: 2, Names: true},
		"wrong bits":       {Kind: faulty.Flip, OneIn: 2},
		"short reads":      {Kind: faulty.Short},
		"half a file":      {Kind: faulty.Cut},
		"slow":             {Kind: faulty.Slow, OneIn: 2, Names: true},
	} {
		t.Run(name, func(t *testing.T) {
			r.t = t
			r.set(fault)
			readers := r.everyWay()
			r.onward(readers, 3)
			r.stop(readers)
			r.mend()
			r.heals()
		})
	}
}

// Who reads from a disk that hangs can be interrupted, and killed.
func TestReadersOfAHungDiskCanLeave(t *testing.T) {
	for _, tt := range []struct {
		signal syscall.Signal
		names  bool
	}{{syscall.SIGINT, true}, {syscall.SIGKILL, false}} {
		t.Run(fmt.Sprintf("%v, names too %v", tt.signal, tt.names), func(t *testing.T) {
			r := newTrial(t, 1, 2)
			r.set(faulty.Fault{Kind: faulty.Hang, Names: tt.names})
			readers := r.everyWay()
			r.befalls()
			for _, p := range readers {
				if err := p.Signal(tt.signal); err != nil {
					t.Fatal(err)
				}
			}
			for _, p := range readers {
				if _, err := p.Wait(hangLimit); err == reader.ErrHang {
					t.Errorf("a reader by %s hangs", p.Job.Way)
				}
			}
			r.mend()
			r.heals()
		})
	}
}

// An archive that does not answer does not hold up the readers of others,
// however many wait for it: to open it, or for its bytes.
func TestHungArchiveDoesNotHoldUpOthers(t *testing.T) {
	for _, opened := range []bool{false, true} {
		t.Run(fmt.Sprintf("opened before %v", opened), func(t *testing.T) {
			r := newTrial(t, 3, 20, "--cache-size", "16MiB", "--jobs", "2") // no file fits the cache
			hang := faulty.Fault{Kind: faulty.Hang, Name: "f0.scape"}
			if !opened {
				r.set(hang)
			}
			var stuck []*reader.Reader
			for range 3 {
				for _, way := range []reader.Way{reader.Read, reader.Mmap, reader.Pread, reader.Direct} {
					stuck = append(stuck, r.start(r.job(way, 0, r.files[0])))
				}
			}
			if opened {
				r.onward(stuck, 1)
				r.set(hang)
			}
			r.befalls()
			for _, way := range []reader.Way{reader.Read, reader.Mmap, reader.Pread, reader.Direct} {
				if tally := r.read(r.job(way, 3, r.files[1:]...)); tally.Good != 3 {
					t.Errorf("by %s beside a hung archive: %d of 3 passes, errors %v", way, tally.Good, tally.Errors)
				}
			}
			if names := tree(t, r.point); len(names) != len(r.files) {
				t.Errorf("the folder shows %q", names)
			}
			r.mend()
			r.onward(stuck, 1)
			if sum := r.stop(stuck); sum.Good != sum.Passes {
				t.Errorf("after the hang: errors %v", sum.Errors)
			}
		})
	}
}

// A disk that vanishes under its readers is an error to them; when another
// takes its place, they read on.
func TestSourceUnplugged(t *testing.T) {
	r := newTrial(t, 2, 3)
	readers := r.everyWay()
	r.onward(readers, 2)
	at := r.disk.Point()
	if err := r.disk.Unplug(); err != nil {
		t.Fatal(err)
	}
	r.onward(readers, 2)
	disk, err := faulty.Start(r.folder, at)
	if err != nil {
		t.Fatal(err)
	}
	r.disk = disk
	r.onward(readers, 2)
	r.stop(readers)
	r.heals()
}
